//! Shares and times as people write them: `12.5%`, `90s`, `2m`, `1h`.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// Longest hold: a day. Longer is a forgotten rollout, not an observation.
const MAX_HOLD_MS: u64 = 24 * 60 * 60 * 1_000;

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

/// How long to watch a step: `500ms`, `30s`, `2m`, `1h`, or parts in a row such as `1m30s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hold(u64);

impl Hold {
    /// From milliseconds.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// In milliseconds.
    #[must_use]
    pub fn ms(self) -> u64 {
        self.0
    }

    /// Reads `2m`.
    ///
    /// # Errors
    /// Says what is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad =
            || format!("`{text}` is no duration: write it as \"30s\", \"2m\", \"1h\" or \"1m30s\"");
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Self(0));
        }
        let mut total = 0_u64;
        let mut largest = u64::MAX;
        while !rest.is_empty() || largest == u64::MAX {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            let unit = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, after) = after.split_at(unit);
            let factor: u64 = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                _ => return Err(bad()),
            };
            // Units fall from left to right, so that `30s2m` and `1m1m` are the typos they look like.
            if factor >= largest {
                return Err(bad());
            }
            largest = factor;
            let part = number
                .parse::<u64>()
                .ok()
                .and_then(|n| n.checked_mul(factor));
            total = part
                .and_then(|part| total.checked_add(part))
                .ok_or_else(bad)?;
            rest = after;
        }
        if total > MAX_HOLD_MS {
            return Err(format!("`{text}` is longer than a day, the longest hold"));
        }
        Ok(Self(total))
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

impl<'de> Deserialize<'de> for Hold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(Hold::parse, "a duration such as \"2m\""))
    }
}

/// Reads text with a function, and names in a complaint about another type what was expected.
struct Text<T>(fn(&str) -> Result<T, String>, &'static str);

impl<T> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn weights_are_percentages_with_up_to_two_decimals() {
        for (text, bp) in [
            ("10%", 1_000),
            ("100%", 10_000),
            ("12.5%", 1_250),
            ("0.01%", 1),
            (" 5.05 % ", 505),
        ] {
            assert_eq!(
                Weight::parse(text).map(Weight::basis_points),
                Ok(bp),
                "{text}"
            );
        }
        for text in [
            "", "%", "10", "10.%", ".5%", "1.234%", "100.01%", "999%", "-1%", "+1%", "1e1%",
        ] {
            assert!(Weight::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn holds_have_units() {
        for (text, ms) in [
            ("0", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1m30s", 90_000),
            ("24h", MAX_HOLD_MS),
        ] {
            assert_eq!(Hold::parse(text).map(Hold::ms), Ok(ms), "{text}");
        }
        for text in [
            "",
            "5",
            "m",
            "2 m",
            "2d",
            "30s2m",
            "1m1m",
            "25h",
            "-1s",
            "1.5m",
            "99999999999999999999h",
        ] {
            assert!(Hold::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_weight_reads_back_as_it_prints(bp in 0_u16..=10_000) {
            let weight = Weight::from_basis_points(bp).unwrap();
            prop_assert_eq!(Weight::parse(&weight.to_string()), Ok(weight));
        }

        #[test]
        fn no_text_panics(text in "[0-9.%msh ]{0,12}") {
            let _ = (Weight::parse(&text), Hold::parse(&text));
        }
    }
}
