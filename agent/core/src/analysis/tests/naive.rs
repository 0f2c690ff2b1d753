//! What not to do: a test for one look, looked at again and again. It is here so that the
//! simulation is seen to notice a wrong test.

use super::super::Counts;

/// The z-test of two proportions on everything so far, one-sided, with a false alarm in 1 % of
/// histories **if one looks once**.
#[derive(Default)]
pub(super) struct Naive {
    stable: (f64, f64),
    candidate: (f64, f64),
}

/// The 99th percentile of the standard normal distribution.
const LEVEL: f64 = 2.326;
/// Requests of the candidate below which nobody would believe the approximation.
const LEAST: f64 = 100.0;

impl Naive {
    pub(super) fn look(&mut self, stable: Counts, candidate: Counts) {
        self.stable.0 += super::float(stable.events);
        self.stable.1 += super::float(stable.total);
        self.candidate.0 += super::float(candidate.events);
        self.candidate.1 += super::float(candidate.total);
    }

    pub(super) fn rejects(&self, margin: f64) -> bool {
        let ((i, n), (j, m)) = (self.stable, self.candidate);
        if m < LEAST || n < LEAST {
            return false;
        }
        let common = (i + j) / (n + m);
        let spread = (common * (1.0 - common) * (1.0 / n + 1.0 / m)).sqrt();
        j / m - i / n - margin > LEVEL * spread
    }
}
