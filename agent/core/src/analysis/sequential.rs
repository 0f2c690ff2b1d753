//! Whether the candidate has more events than the stable version, by a test that may be looked at
//! after every window, for as long as one likes, without raising more false alarms than promised.
//!
//! The test is the block E-variable for two Bernoulli streams of Turner, Ly and Grünwald, "Generic
//! E-variables for exact sequential k-sample tests that allow for optional stopping" (Journal of
//! Statistical Planning and Inference 230, 2024), with the convex null hypothesis of Turner and
//! Grünwald, "Exact anytime-valid confidence intervals for contingency tables and beyond"
//! (Statistics & Probability Letters 198, 2023).
//!
//! The null hypothesis is that the candidate is not worse by more than a margin `m`: in each block
//! `b ≤ a + m`, with `a` and `b` the probabilities of an event at the stable version and at the
//! candidate. They may change from block to block, as long as this holds in each. Given that a block
//! has `n_a` and `n_b` requests, its factor is
//!
//! ```text
//! F = Π over all requests  p(outcome; a*, b*) / p(outcome; a°, b°)
//! ```
//!
//! where `(a*, b*)` is what earlier blocks let expect, and `(a°, b°)` is the point of the null
//! hypothesis that is nearest to it: the least `n_a KL(a*‖a°) + n_b KL(b*‖b°)`. Where the
//! expectation does not lie outside of the null hypothesis, the factor is 1: no bet.
//!
//! **Why the factor's expectation is at most 1.** For one request of the stable version the
//! expectation under `a` is `g_a = 1 + (a − a°)(a* − a°) / (a°(1 − a°))`, linear in `a`; likewise
//! `g_b`. Requests are independent, so `E F = g_a^n_a · g_b^n_b`, and because the geometric mean is
//! at most the arithmetic one (or `ln g ≤ g − 1`), `ln E F ≤ n_a (g_a − 1) + n_b (g_b − 1) =: S`.
//! `S` is linear in `(a, b)`, zero at `(a°, b°)`, and that point being nearest in a convex set makes
//! `S ≤ 0` in the whole set. **Nor does it depend on how well the nearest point was found**: a
//! linear function has its maximum at a corner of the null hypothesis, a polygon; whatever `S` is
//! above zero there is taken off the factor's logarithm. So any point gives a valid factor, and the
//! nearest one gives the best.
//!
//! The product over blocks, each factor chosen from earlier blocks only, is then a test
//! supermartingale: it ever reaches `1/alpha` with a probability of at most `alpha` (Ville 1939).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, ln};

/// Events among all, of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Events of interest.
    pub events: u64,
    /// All events. Zero: nothing was counted.
    pub total: u64,
}

/// The test as it stands: what was counted, and the evidence that the candidate is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CountTest {
    /// Of the stable version, in all blocks so far.
    pub stable: Counts,
    /// Of the candidate.
    pub candidate: Counts,
    /// Of the stable version, what expectations are made from: older blocks count for less.
    pub recent_stable: Counts,
    /// Of the candidate.
    pub recent_candidate: Counts,
    /// Logarithm of the E-value, in billionths.
    pub evidence: Evidence,
}

/// So many requests in one block are taken for a mistake: no bet. A hundred million a second make
/// fewer in the longest window, and sums of so many terms keep a thousandth.
const LARGEST: u64 = 1 << 40;
/// Requests' worth of the common rate that both expectations begin with: without them, the first
/// requests of a candidate would count as the whole truth about it. A larger number notices large
/// differences later, a smaller one small differences.
const SHRINK: f64 = 30.0;
/// Requests of the candidate that expectations remember; past it, all counts are halved. A
/// candidate that turned bad after many good requests is noticed almost as soon as one that was bad
/// from its first.
const REMEMBERED: u64 = 1_000;
/// What the first block of a candidate is bet on, for want of earlier ones: pairs of probabilities,
/// rare to frequent, worse to much worse. A crash is noticed in the first window.
const FIRST: [Point; 6] = [
    Point { a: 0.001, b: 0.01 },
    Point { a: 0.001, b: 0.1 },
    Point { a: 0.01, b: 0.05 },
    Point { a: 0.01, b: 0.5 },
    Point { a: 0.1, b: 0.3 },
    Point { a: 0.1, b: 0.9 },
];
/// Share of the wealth that is bet on the first block; the rest is kept.
const FIRST_STAKE: f64 = 0.1;
/// Halvings of the interval of the nearest point: below the last place of any number in it.
const HALVINGS: u32 = 64;

impl CountTest {
    /// Takes a block in: the counts of a window that no earlier block has seen.
    pub fn look(&mut self, stable: Counts, candidate: Counts, margin: f64) {
        let block = Block {
            stable,
            candidate,
            margin,
        };
        self.evidence = self.evidence.times(self.log_factor(&block));
        self.stable.add(stable);
        self.candidate.add(candidate);
        self.recent_stable.add(stable);
        self.recent_candidate.add(candidate);
        if self.recent_candidate.total > REMEMBERED {
            self.recent_stable.halve();
            self.recent_candidate.halve();
        }
    }

    /// Whether the candidate is worse by more than the margin, up to a false alarm in a share
    /// `alpha` of all histories, however often this is asked.
    pub fn rejects(&self, alpha: f64) -> bool {
        self.evidence.reaches(alpha)
    }

    fn log_factor(&self, block: &Block) -> f64 {
        let (stable, candidate) = (block.stable.total, block.candidate.total);
        if stable == 0 || candidate == 0 || !(0.0..1.0).contains(&block.margin) {
            return 0.0;
        }
        if stable.max(candidate) > LARGEST {
            return 0.0;
        }
        if self.candidate.total == 0 {
            return block.first_bet();
        }
        let (stable, candidate) = (self.recent_stable, self.recent_candidate);
        let common = stable.plus(candidate).rate(0.5, 1.0);
        block.bet(Point {
            a: stable.rate(common, SHRINK),
            b: candidate.rate(common, SHRINK),
        })
    }
}

impl Counts {
    fn add(&mut self, more: Self) {
        *self = self.plus(more);
    }

    fn plus(self, more: Self) -> Self {
        Self {
            events: self.events.saturating_add(more.events),
            total: self.total.saturating_add(more.total),
        }
    }

    /// Rounded up, so that one request is not forgotten at once.
    fn halve(&mut self) {
        self.events = self.events.div_ceil(2);
        self.total = self.total.div_ceil(2);
    }

    /// The rate with `weight` more requests of which a share `prior` had events: between 0 and 1,
    /// and never one of them.
    fn rate(self, prior: f64, weight: f64) -> f64 {
        const TINY: f64 = 1e-12;
        let events = number(self.events.min(self.total)) + prior * weight;
        (events / (number(self.total) + weight)).clamp(TINY, 1.0 - TINY)
    }

    /// Logarithm of how much likelier the counts are at one probability than at another.
    fn log_ratio(self, at: f64, than: f64) -> f64 {
        let events = self.events.min(self.total);
        let quiet = self.total - events;
        number(events) * ln(at / than) + number(quiet) * ln((1.0 - at) / (1.0 - than))
    }
}

/// The counts of one window.
struct Block {
    stable: Counts,
    candidate: Counts,
    margin: f64,
}

impl Block {
    /// Logarithm of the factor if this is expected.
    fn bet(&self, expected: Point) -> f64 {
        if expected.b <= expected.a + self.margin {
            return 0.0;
        }
        let size = Point {
            a: number(self.stable.total),
            b: number(self.candidate.total),
        };
        let nearest = nearest(size, expected, self.margin);
        let won = self.stable.log_ratio(expected.a, nearest.a)
            + self.candidate.log_ratio(expected.b, nearest.b);
        won - excess(size, expected, nearest, self.margin)
    }

    /// Logarithm of the factor if nothing is expected yet. The wealth is parted: most is kept, each
    /// part of the rest goes on one pair. The factor is the largest part that results, which is at
    /// most their sum, and the sum's expectation is at most 1.
    fn first_bet(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "six")]
        let part = ln(FIRST_STAKE / FIRST.len() as f64);
        FIRST
            .iter()
            .map(|expected| part + self.bet(*expected))
            .fold(ln(1.0 - FIRST_STAKE), f64::max)
    }
}

/// Something of the stable version and of the candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    a: f64,
    b: f64,
}

/// The point on the edge `b = a + margin` with the least distance to what is expected. `expected`
/// lies beyond that edge, so the slope changes its sign between these two ends.
fn nearest(size: Point, expected: Point, margin: f64) -> Point {
    let slope = |a: f64| {
        let b = a + margin;
        size.a * (a - expected.a) / (a * (1.0 - a)) + size.b * (b - expected.b) / (b * (1.0 - b))
    };
    let (mut low, mut high) = (expected.a, expected.b - margin);
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if slope(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    Point {
        a: low,
        b: low + margin,
    }
}

/// The most that `S` is in the null hypothesis: at one of its corners. Zero, but for rounding, at
/// the nearest point.
fn excess(size: Point, expected: Point, chosen: Point, margin: f64) -> f64 {
    let corners = [
        (0.0, 0.0),
        (0.0, margin),
        (1.0 - margin, 1.0),
        (1.0, 1.0),
        (1.0, 0.0),
    ];
    let lift = |at: f64, expected: f64, chosen: f64| {
        (at - chosen) * (expected - chosen) / (chosen * (1.0 - chosen))
    };
    corners
        .iter()
        .map(|(a, b)| {
            size.a * lift(*a, expected.a, chosen.a) + size.b * lift(*b, expected.b, chosen.b)
        })
        .fold(0.0, f64::max)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of one block are below 2^53; of all blocks the nearest number will do"
)]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
