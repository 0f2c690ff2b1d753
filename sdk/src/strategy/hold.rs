//! A time as people write it: `90s`, `2m`, `1h`.

use serde::{Deserialize, Deserializer};

use super::Text;

/// Longest hold: a day. Longer is a forgotten rollout, not an observation.
const MAX_HOLD_MS: u64 = 24 * 60 * 60 * 1_000;

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

impl<'de> Deserialize<'de> for Hold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(Hold::parse, "a duration such as \"2m\""))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        fn no_text_panics(text in "[0-9.msh ]{0,12}") {
            let _ = Hold::parse(&text);
        }
    }
}
