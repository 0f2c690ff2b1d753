//! Reads `Retry-After`: how long a registry asks to be left alone.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The longest pause that is granted: a wrong date must not silence a pipeline for a day.
pub(crate) const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The shortest, so that "0" does not become a loop.
const SHORTEST: Duration = Duration::from_secs(1);

/// The pause asked for, bounded; `None` without the header or where it cannot be read. A date is
/// compared with the registry's own `Date` where it sent one: its clock may differ from ours.
pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number are more than an hour.
        text.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        let until = date(text)?;
        let theirs = headers
            .get(DATE)
            .and_then(|value| value.to_str().ok())
            .and_then(date);
        Duration::try_from(until.duration_since(theirs.unwrap_or(now))).unwrap_or_default()
    };
    Some(pause.clamp(SHORTEST, LONGEST))
}

fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    fn seconds(pairs: &[(http::HeaderName, &str)]) -> Option<u64> {
        let headers = pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        read(&headers, now()).map(|pause| pause.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        for (value, expected) in [
            ("30", Some(30)),
            ("0", Some(1)),
            ("86400", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Sat, 21 Nov 2026 08:02:00 GMT", Some(120)),
            ("Sat, 21 Nov 2026 07:00:00 GMT", Some(1)),
            ("Sun, 21 Nov 2027 08:00:00 GMT", Some(3600)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(seconds(&[(RETRY_AFTER, value)]), expected, "{value}");
        }
        assert_eq!(seconds(&[]), None);
    }

    #[test]
    fn a_date_is_measured_by_the_clock_that_wrote_it() {
        let until = (RETRY_AFTER, "Sat, 21 Nov 2026 09:01:00 GMT");
        assert_eq!(
            seconds(&[until, (DATE, "Sat, 21 Nov 2026 09:00:00 GMT")]),
            Some(60)
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_is_bounded(value in "[ -~]{0,40}") {
            if let Some(pause) = seconds(&[(RETRY_AFTER, value.as_str())]) {
                prop_assert!((1..=3600).contains(&pause));
            }
        }
    }
}
