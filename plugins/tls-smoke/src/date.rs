//! A day as people write it.

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Days of 400 years: after them the calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// From 0000-03-01, when this count of years begins, to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// The UTC day of a time in milliseconds since 1970, such as `2026-11-27`.
pub(crate) fn day(unix_ms: i64) -> String {
    // Years begin in March here, so that the day that is sometimes missing is their last.
    let days = unix_ms.div_euclid(DAY_MS) + EPOCH_DAYS;
    let era = days.div_euclid(ERA_DAYS);
    let of_era = days.rem_euclid(ERA_DAYS);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + next)
}

/// `1 day`, `3 days`.
pub(crate) fn days(count: i64) -> String {
    if count == 1 {
        "1 day".into()
    } else {
        format!("{count} days")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        // date -u -d @SECONDS +%F
        for (seconds, written) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_795_737_600, "2026-11-27"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
            (67_090_118_400, "4096-01-01"),
        ] {
            assert_eq!(day(seconds * 1_000), written);
        }
        assert_eq!((days(1), days(2)), ("1 day".into(), "2 days".into()));
    }
}
