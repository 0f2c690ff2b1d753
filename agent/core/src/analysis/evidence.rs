//! Evidence against "the candidate is not worse", as it is multiplied up look by look.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One e-fold, in the unit of [`Evidence`].
const UNIT: f64 = 1e9;
/// More than this is not counted, in either direction: e to the power of a million is beyond any
/// level. Without loss in a binary number, and so in JSON.
const MOST: i64 = 1_000_000 * 1_000_000_000;

/// The logarithm of an E-value (the wealth of somebody who bets against "not worse" and can never
/// owe), in billionths of an e-fold. Whole numbers: the same in every process and every JSON.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Evidence(i64);

impl Evidence {
    /// Multiplies by a factor, given as its logarithm; rounded down, which keeps what is promised
    /// about false alarms. What is no number counts nothing.
    ///
    /// The lower end lifts what fell below it. That adds less than e to the power of minus a million
    /// to what a false bet may win.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "cut to what fits, and whole"
    )]
    pub(super) fn times(self, log_factor: f64) -> Self {
        if log_factor.is_nan() {
            return self;
        }
        let step = (log_factor * UNIT)
            .floor()
            .clamp(-2.0 * MOST as f64, 2.0 * MOST as f64) as i64;
        Self(self.0.saturating_add(step).clamp(-MOST, MOST))
    }

    /// Whether it is at least one against `alpha`. If the candidate is not worse, this happens at
    /// any time at all with a probability of at most `alpha` (Ville 1939).
    #[expect(clippy::cast_precision_loss, reason = "at most 1e15")]
    pub(super) fn reaches(self, alpha: f64) -> bool {
        alpha > 0.0 && self.0 as f64 >= -ln(alpha) * UNIT
    }
}

/// The natural logarithm of a positive normal number, to about one unit in the last place. That of
/// the standard library may differ from machine to machine; this one consists of operations that
/// do not.
pub(super) fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    const HALF_OF_TWO: f64 = std::f64::consts::SQRT_2;
    if !(x.is_normal() && x > 0.0) {
        return f64::NAN;
    }
    let bits = x.to_bits();
    let mut exponent = f64::from(u16::try_from(bits >> 52).unwrap_or(0)) - 1023.0;
    let mut mantissa = f64::from_bits((bits & MANTISSA) | (1023 << 52));
    if mantissa > HALF_OF_TWO {
        mantissa /= 2.0;
        exponent += 1.0;
    }
    // ln m = 2 artanh s, with |s| < 0.172: eleven terms are below the last place.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..12)
        .rev()
        .fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    exponent * std::f64::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests;
