//! A share of the traffic as people write it: `12.5%`.

use std::fmt;

use serde::{Deserialize, Deserializer};

use super::Text;

/// A share of the traffic in basis points, written as a percentage with at most two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u16);

impl Weight {
    /// All traffic: promotion.
    pub const ALL: Self = Self(10_000);

    /// From basis points; `None` above 10000.
    #[must_use]
    pub fn from_basis_points(bp: u16) -> Option<Self> {
        (bp <= Self::ALL.0).then_some(Self(bp))
    }

    /// In basis points.
    #[must_use]
    pub fn basis_points(self) -> u16 {
        self.0
    }

    /// Reads `12.5%`.
    ///
    /// # Errors
    /// Says what is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad =
            || format!("`{text}` is no share of the traffic: write it as \"10%\" or \"12.5%\"");
        let number = text.trim().strip_suffix('%').ok_or_else(bad)?.trim_end();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        if decimals.is_empty() || decimals.len() > 2 {
            return Err(format!(
                "`{text}` has too many decimals: at most two, as in \"12.25%\""
            ));
        }
        let padded = format!("{decimals:0<2}");
        let digits = |part: &str, most: usize| -> Option<u16> {
            let fits = !part.is_empty()
                && part.len() <= most
                && part.bytes().all(|byte| byte.is_ascii_digit());
            if fits { part.parse().ok() } else { None }
        };
        let (Some(whole), Some(hundredths)) = (digits(whole, 3), digits(&padded, 2)) else {
            return Err(bad());
        };
        // Three digits and two: at most 99999, which fits no u16, hence the wider sum.
        let sum = u32::from(whole) * 100 + u32::from(hundredths);
        u16::try_from(sum)
            .ok()
            .and_then(Self::from_basis_points)
            .ok_or_else(|| format!("`{text}` is more than all traffic: at most \"100%\""))
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, hundredths) = (self.0 / 100, self.0 % 100);
        match (hundredths, hundredths % 10) {
            (0, _) => write!(f, "{whole}%"),
            (_, 0) => write!(f, "{whole}.{}%", hundredths / 10),
            _ => write!(f, "{whole}.{hundredths:02}%"),
        }
    }
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(
            Weight::parse,
            "a share of the traffic such as \"10%\"",
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn weights_are_percentages_with_up_to_two_decimals() {
        for (text, bp) in [
            ("0%", 0),
            ("10%", 1_000),
            ("100%", 10_000),
            ("12.5%", 1_250),
            ("0.01%", 1),
            (" 5.05 % ", 505),
        ] {
            let read = Weight::parse(text).map(Weight::basis_points);
            assert_eq!(read, Ok(bp), "{text}");
        }
        for text in [
            "", "%", "10", "10.%", ".5%", "1.234%", "100.01%", "999%", "-1%", "+1%", "1e1%",
        ] {
            assert!(Weight::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_weight_reads_back_as_it_prints(bp in 0_u16..=10_000) {
            let weight = Weight::from_basis_points(bp).unwrap();
            prop_assert_eq!(Weight::parse(&weight.to_string()), Ok(weight));
        }

        #[test]
        fn no_text_panics(text in "[0-9.% ]{0,12}") {
            let _ = Weight::parse(&text);
        }
    }
}
