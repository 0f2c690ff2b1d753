//! Time zones without the machine: the database is compiled in, so that the same policy means the
//! same instants on every host, and `core` reads no file.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::problem::quoted;

/// Looks an IANA name up, such as `Europe/Berlin`.
pub(crate) fn find(name: &str) -> Result<TimeZone, String> {
    // Longest IANA name has 32 characters.
    if name.is_empty() || name.len() > 64 {
        return Err(format!("{} is not a time zone", quoted(name)));
    }
    TimeZoneDatabase::bundled().get(name).map_err(|_| {
        format!(
            "{} is not a time zone: write an IANA name such as Europe/Berlin or UTC",
            quoted(name)
        )
    })
}

/// Seconds to add to UTC for the wall clock at this second.
pub(crate) fn offset_at(zone: &TimeZone, second: i64) -> i64 {
    Timestamp::from_second(second).map_or(0, |instant| i64::from(zone.to_offset(instant).seconds()))
}

/// The next second after this one at which the zone's rules change (its offset may stay the same).
pub(crate) fn next_transition(zone: &TimeZone, second: i64) -> Option<i64> {
    let instant = Timestamp::from_second(second).ok()?;
    zone.following(instant)
        .next()
        .map(|transition| transition.timestamp().as_second())
}

/// The last second not after this one at which the zone's rules changed.
pub(crate) fn last_transition(zone: &TimeZone, second: i64) -> Option<i64> {
    let instant = Timestamp::from_second(second.checked_add(1)?).ok()?;
    zone.preceding(instant)
        .next()
        .map(|transition| transition.timestamp().as_second())
}

/// The whole second at or before an instant.
pub(crate) fn floor_second(instant: Timestamp) -> i64 {
    let second = instant.as_second();
    if instant.subsec_nanosecond() < 0 {
        second.saturating_sub(1)
    } else {
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_compiled_in() {
        assert!(find("Europe/Berlin").is_ok());
        assert!(find("UTC").is_ok());
        for name in [
            "",
            "Mars/Olympus",
            "/etc/localtime",
            "../../etc/passwd",
            "CET-1CEST",
        ] {
            assert!(
                find(name).unwrap_err().contains("not a time zone"),
                "{name}"
            );
        }
    }

    #[test]
    fn transitions_are_found_from_both_sides() {
        let berlin = find("Europe/Berlin").unwrap();
        let spring: Timestamp = "2026-03-29T01:00:00Z".parse().unwrap();
        let at = spring.as_second();
        assert_eq!(next_transition(&berlin, at - 1), Some(at));
        assert_eq!(last_transition(&berlin, at), Some(at));
        assert!(last_transition(&berlin, at - 1) < Some(at));
        assert_eq!(
            (offset_at(&berlin, at - 1), offset_at(&berlin, at)),
            (3600, 7200)
        );
        assert_eq!(next_transition(&find("UTC").unwrap(), at), None);
    }

    #[test]
    fn floors_before_the_epoch_too() {
        let second = |text: &str| floor_second(text.parse().unwrap());
        assert_eq!(second("1970-01-01T00:00:01.9Z"), 1);
        assert_eq!(second("1969-12-31T23:59:58.5Z"), -2);
        assert_eq!(second("1969-12-31T23:59:58Z"), -2);
    }
}
