//! Whether the candidate's value is above the stable version's, by a bet on every window.
//!
//! A value such as a p95 comes once a window, and nothing is known about how it scatters. So only
//! its sign is used: was the candidate above `stable × (1 + margin)`? The null hypothesis is that
//! this happens at most every second time, whatever came before: the median of the candidate is not
//! worse. Somebody who bets a share `λ` of their wealth on "above", at even odds, multiplies it by
//! `1 + λ` or by `1 − λ`. Under the null hypothesis that factor's expectation is
//! `1 + λ(2p − 1) ≤ 1`, if `λ` was chosen before the window; so the wealth ever reaches `1/alpha`
//! with a probability of at most `alpha` (Ville 1939; Waudby-Smith and Ramdas, "Estimating means of
//! bounded random variables by betting", Journal of the Royal Statistical Society B 86, 2024).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, ln};

/// Windows' worth of opinion at the start: three quarters of two were above. So the first bet is
/// half of the wealth, and nine windows above in a row are enough for an alpha of 1 %.
const OPINION: (f64, f64) = (1.5, 2.0);

/// Windows that the next bet is made from; past it, their counts are halved. A candidate that turned
/// slow after many good windows is noticed in half the time, and nothing is lost for the others.
const REMEMBERED: u32 = 32;

/// The bet as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SignTest {
    /// Windows that had a value of both versions.
    pub windows: u32,
    /// Those in which the candidate was above the limit.
    pub above: u32,
    /// Windows that the next bet is made from: older ones count for less.
    pub recent: u32,
    /// Those of them in which the candidate was above the limit.
    pub recent_above: u32,
    /// Logarithm of the wealth, in billionths.
    pub evidence: Evidence,
}

impl SignTest {
    /// Takes a window in that no earlier one overlaps: whether the candidate was worse than the
    /// stable version by more than the margin. Equal to the limit is not worse.
    pub fn look(&mut self, worse: bool) {
        let share =
            (f64::from(self.recent_above) + OPINION.0) / (f64::from(self.recent) + OPINION.1);
        let stake = (2.0 * share - 1.0).max(0.0);
        let factor = if worse { 1.0 + stake } else { 1.0 - stake };
        self.evidence = self.evidence.times(ln(factor));
        self.windows = self.windows.saturating_add(1);
        self.above = self.above.saturating_add(u32::from(worse));
        self.recent = self.recent.saturating_add(1);
        self.recent_above = self.recent_above.saturating_add(u32::from(worse));
        if self.recent > REMEMBERED {
            self.recent = self.recent.div_ceil(2);
            self.recent_above = self.recent_above.div_ceil(2);
        }
    }

    /// Whether the candidate is worse, up to a false alarm in a share `alpha` of all histories,
    /// however often this is asked.
    pub fn rejects(&self, alpha: f64) -> bool {
        self.evidence.reaches(alpha)
    }
}

/// Whether a value is worse than another by more than a fraction of that other. None: one of them
/// is no number.
pub(super) fn worse(candidate: f64, stable: f64, margin: f64, more_is_worse: bool) -> Option<bool> {
    if !candidate.is_finite() || !stable.is_finite() {
        return None;
    }
    let room = stable.abs() * margin;
    Some(if more_is_worse {
        candidate > stable + room
    } else {
        candidate < stable - room
    })
}

#[cfg(test)]
mod tests;
