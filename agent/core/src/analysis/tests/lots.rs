//! Lots to draw for simulations: one seed is one run, the same on every machine.

/// splitmix64 (Steele, Lea, Flood 2014).
pub(super) struct Lots(u64);

impl Lots {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly between two numbers, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// How many of so many tries succeed. Draws the distance to the next success, so rare ones are
    /// cheap.
    pub(super) fn successes(&mut self, tries: u64, p: f64) -> u64 {
        if p >= 1.0 {
            return tries;
        }
        if p <= 0.0 {
            return 0;
        }
        let log = (1.0 - p).ln();
        let (mut found, mut at) = (0, 0.0);
        loop {
            at += ((1.0 - self.unit()).ln() / log).floor() + 1.0;
            if at > super::float(tries) {
                return found;
            }
            found += 1;
        }
    }

    fn unit(&mut self) -> f64 {
        super::float(self.next() >> 11) / super::float(1 << 53)
    }
}

#[test]
fn successes_are_as_many_as_they_should_be() {
    let mut lots = Lots::new(1);
    for (tries, p) in [(1, 0.5), (20, 0.01), (200, 0.05), (1000, 0.9)] {
        let rounds = 20_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..rounds {
            let found = super::float(lots.successes(tries, p));
            sum += found;
            squares += found * found;
        }
        let n = f64::from(rounds);
        let (mean, variance) = (sum / n, squares / n - (sum / n).powi(2));
        let (expected, spread) = (super::float(tries) * p, super::float(tries) * p * (1.0 - p));
        assert!(
            (mean - expected).abs() < 4.0 * (spread / n).sqrt(),
            "{tries} {p}: {mean}"
        );
        assert!(
            (variance / spread - 1.0).abs() < 0.1,
            "{tries} {p}: {variance}"
        );
    }
}
