//! Durations as people write them: `30s`, `2m`, `1h30m`.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::quoted;

/// Units from large to small, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A length of time of at most 365 days, in whole milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct HumanDuration(u64);

impl HumanDuration {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The longest: nothing in a delivery waits longer than a year.
    pub const MAX: Self = Self(365 * 86_400_000);

    /// So many milliseconds, cut at [`HumanDuration::MAX`].
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// So many seconds, cut at [`HumanDuration::MAX`].
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_millis(seconds.saturating_mul(1_000))
    }

    /// So many minutes, cut at [`HumanDuration::MAX`].
    pub const fn from_mins(minutes: u64) -> Self {
        Self::from_secs(minutes.saturating_mul(60))
    }

    /// So many hours, cut at [`HumanDuration::MAX`].
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_mins(hours.saturating_mul(60))
    }

    /// In milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The instant so much later. Saturates at the end of representable time.
    pub fn after(self, start: Timestamp) -> Timestamp {
        // At most 365 days of milliseconds: fits without loss.
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        start
            .checked_add(SignedDuration::from_millis(millis))
            .unwrap_or(Timestamp::MAX)
    }
}

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "{} is not a duration: write numbers with the units d, h, m, s or ms from large \
                 to small, such as 30s, 2m or 1h30m",
                quoted(text)
            )
        };
        let mut rest = text;
        let mut total: u64 = 0;
        let mut units = UNITS.iter();
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, tail) = rest.split_at_checked(digits).ok_or_else(bad)?;
            let letters = tail
                .find(|c: char| !c.is_ascii_lowercase())
                .unwrap_or(tail.len());
            let (unit, tail) = tail.split_at_checked(letters).ok_or_else(bad)?;
            // Each unit is found after the one before: twice the same, or small before large, fails.
            let (_, factor) = units.find(|(name, _)| *name == unit).ok_or_else(bad)?;
            if number.is_empty() {
                return Err(bad());
            }
            let number: u64 = number.parse().unwrap_or(u64::MAX);
            total = total.saturating_add(number.saturating_mul(*factor));
            rest = tail;
        }
        if text.is_empty() {
            return Err(bad());
        }
        if total > Self::MAX.0 {
            return Err(format!(
                "{} is longer than the longest duration, 365d",
                quoted(text)
            ));
        }
        Ok(Self(total))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        // Hours, not days: `24h` reads back as it was written, and a day may have 23 hours.
        for (unit, factor) in UNITS.iter().skip(1) {
            let count = rest / factor;
            rest %= factor;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for HumanDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HumanDuration> for String {
    fn from(duration: HumanDuration) -> Self {
        duration.to_string()
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A duration such as 30s, 2m, 1h30m or 24h; at most 365d.",
            "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
            "minLength": 2,
            "maxLength": 32
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(text: &str) -> Option<u64> {
        text.parse::<HumanDuration>()
            .ok()
            .map(HumanDuration::as_millis)
    }

    #[test]
    fn reads_what_people_write() {
        assert_eq!(millis("30s"), Some(30_000));
        assert_eq!(millis("2m"), Some(120_000));
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("24h"), Some(86_400_000));
        assert_eq!(millis("7d"), Some(7 * 86_400_000));
        assert_eq!(millis("1m500ms"), Some(60_500));
        assert_eq!(millis("0s"), Some(0));
        assert_eq!(millis("365d"), Some(HumanDuration::MAX.as_millis()));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "5",
            "m",
            "5 m",
            " 5m",
            "5m ",
            "-5m",
            "1.5h",
            "5M",
            "30m1h",
            "5m5m",
            "5w",
            "5mm",
            "366d",
            "365d1ms",
            "99999999999999999999d",
            "٣m",
            "5m\n",
        ] {
            assert_eq!(millis(text), None, "{text:?}");
        }
        let message = "5 minutes".parse::<HumanDuration>().unwrap_err();
        assert!(
            message.contains("`5 minutes`") && message.contains("1h30m"),
            "{message}"
        );
    }

    #[test]
    fn is_a_string_in_json() {
        let value = serde_json::json!("1h30m");
        let duration: HumanDuration = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(duration).unwrap(), value);
        assert!(serde_json::from_str::<HumanDuration>("90").is_err());
    }

    #[test]
    fn adds_to_an_instant_without_overflow() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-01-01T01:30:00Z".parse().unwrap();
        assert_eq!(HumanDuration::from_mins(90).after(start), later);
        assert_eq!(HumanDuration::MAX.after(Timestamp::MAX), Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn prints_what_it_reads(n in 0..=HumanDuration::MAX.as_millis()) {
            let duration = HumanDuration::from_millis(n);
            prop_assert_eq!(duration.to_string().parse::<HumanDuration>(), Ok(duration));
        }

        #[test]
        fn never_panics(text in "[0-9dhms ]{0,12}|\\PC{0,12}") {
            let _ = text.parse::<HumanDuration>();
        }
    }
}
