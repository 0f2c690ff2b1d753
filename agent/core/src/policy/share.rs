//! A share of the traffic.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::problem::quoted;

/// More than nothing and at most all of the traffic, in basis points: `10%` is 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(u16);

impl Share {
    /// In basis points, 1 to 10000.
    pub const fn basis_points(self) -> u16 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "{} is not a share: write more than 0% and at most 100%, such as 10% or 0.5%",
                quoted(text)
            )
        };
        let number = text.strip_suffix('%').ok_or_else(bad)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str, most: usize| {
            let shape =
                (1..=most).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
            shape
                .then(|| part.parse::<u32>().ok())
                .flatten()
                .ok_or_else(bad)
        };
        let hundredths = digits(fraction, 2)? * if fraction.len() == 1 { 10 } else { 1 };
        let points = digits(whole, 3)? * 100 + hundredths;
        u16::try_from(points)
            .ok()
            .filter(|p| (1..=10_000).contains(p))
            .map(Self)
            .ok_or_else(bad)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, hundredths) = (self.0 / 100, self.0 % 100);
        match (hundredths, hundredths % 10) {
            (0, _) => write!(f, "{whole}%"),
            (_, 0) => write!(f, "{whole}.{}%", hundredths / 10),
            (_, _) => write!(f, "{whole}.{hundredths:02}%"),
        }
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

impl JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A share of the traffic, such as 10% or 0.5%.",
            "pattern": "^[0-9]{1,3}(\\.[0-9]{1,2})?%$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_share_reads_back() {
        for points in 1..=10_000 {
            let share = Share(points);
            assert_eq!(share.to_string().parse(), Ok(share));
        }
        assert_eq!("10%".parse(), Ok(Share(1000)));
        assert_eq!("0.5%".parse(), Ok(Share(50)));
        assert_eq!("0.05%".parse(), Ok(Share(5)));
        assert_eq!("100%".parse(), Ok(Share(10_000)));
    }

    #[test]
    fn refuses_what_is_no_share() {
        for text in [
            "", "%", "10", "0%", "0.00%", "100.01%", "101%", "999%", "-1%", "+1%", "1.%", ".5%",
            "1.234%", "1 %", "10%%",
        ] {
            assert!(text.parse::<Share>().is_err(), "{text:?}");
        }
    }
}
