//! Instants and lengths of time.

use jiff::Timestamp;

/// An instant as everywhere in Sluice: in UTC, to the second.
pub(crate) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The time of day alone, for lines that follow each other.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// The time between two instants, in its two largest units. Nothing is negative: clocks differ.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    length(u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0))
}

/// So many seconds, in the two largest units.
pub(crate) fn length(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let largest = units
        .iter()
        .position(|(size, _)| seconds >= *size)
        .unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units.iter().skip(largest).take(2) {
        let n = rest / size;
        rest %= size;
        if n > 0 || parts.is_empty() {
            parts.push(format!("{n}{unit}"));
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units_at_most() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3_600, "1h"),
            (3_661, "1h 1m"),
            (90_000, "1d 1h"),
            (86_400 + 59, "1d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(length(seconds), text);
        }
    }

    #[test]
    fn a_clock_behind_gives_no_negative_time() {
        let later = Timestamp::from_second(10).unwrap();
        assert_eq!(between(later, Timestamp::UNIX_EPOCH), "0s");
    }
}
