//! Numbers as people write them, kept exactly: `99.9` is no binary fraction.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::problem::{Problem, quoted};

/// Digits before the point. With those after it they fit into 64 bits, and the products of
/// [`Decimal::against_share`] into 128.
const WHOLE: usize = 12;
/// Digits after the point.
const FRACTION: usize = 6;

/// A number of at most twelve digits, and six after the point. Never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Decimal {
    /// All digits as one number.
    digits: u64,
    /// How many of them stand after the point; the last of those is not zero.
    places: u32,
}

impl Decimal {
    /// Such as `1` hundredth: digits and how many of them stand after the point.
    pub(super) const fn new(digits: u64, places: u32) -> Self {
        Self { digits, places }
    }

    /// `12`, `0.5`. None: anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (text, ""),
        };
        let plain = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
        if whole.is_empty() || whole.len() > WHOLE || fraction.len() > FRACTION {
            return None;
        }
        if !plain(whole) || !plain(fraction) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        Some(Self {
            digits: format!("{whole}{fraction}").parse().ok()?,
            places: u32::try_from(fraction.len()).ok()?,
        })
    }

    /// The nearest binary number.
    pub(super) fn number(self) -> f64 {
        self.scaled(0)
    }

    /// The nearest binary number to a hundredth of it.
    pub(super) fn hundredth(self) -> f64 {
        self.scaled(2)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "past 2^53 the nearest number is near enough"
    )]
    fn scaled(self, more: u32) -> f64 {
        self.digits as f64 / 10_u64.pow(self.places + more) as f64
    }

    /// How `events` of `total` compares with so many percent, exactly.
    pub(super) fn against_share(self, events: u64, total: u64) -> Ordering {
        let left = u128::from(events) * 10_u128.pow(self.places + 2);
        left.cmp(&(u128::from(self.digits) * u128::from(total)))
    }

    /// How it compares with a whole number, exactly.
    pub(super) fn against(self, whole: u64) -> Ordering {
        u128::from(self.digits).cmp(&(u128::from(whole) * 10_u128.pow(self.places)))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(self.places);
        write!(f, "{}", self.digits / unit)?;
        if self.places > 0 {
            let width = self.places as usize;
            write!(f, ".{:0width$}", self.digits % unit)?;
        }
        Ok(())
    }
}

/// A number of percent, such as `0.5%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percent(Decimal);

impl Percent {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::new(0, 0));
    /// One in a hundred.
    pub const ONE: Self = Self(Decimal::new(1, 0));

    /// As a fraction: `0.5%` is 0.005.
    pub fn fraction(self) -> f64 {
        self.0.hundredth()
    }

    /// How it compares with a whole number of percent.
    pub fn against(self, percent: u64) -> Ordering {
        self.0.against(percent)
    }
}

impl FromStr for Percent {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        text.strip_suffix('%')
            .and_then(Decimal::parse)
            .map(Self)
            .ok_or_else(|| {
                Problem::new("", format!("{} is no percentage", quoted(text)))
                    .with_hint("write it like 1% or 0.5%, with at most six digits after the point")
            })
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl TryFrom<String> for Percent {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        text.parse()
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> Self {
        percent.to_string()
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A number of percent, such as 1% or 0.5%.",
            "pattern": "^[0-9]{1,12}(\\.[0-9]{1,6})?%$",
            "maxLength": 20
        })
    }
}

#[cfg(test)]
mod tests;
