//! `1h30m` in seconds.

use serde_json::Value;

/// Seconds of a duration as policies write it; this many where it is not written.
pub(super) fn seconds(written: &Value, absent: i64) -> i64 {
    let Some(text) = written.as_str() else {
        return absent;
    };
    let (mut total, mut number) = (0, 0);
    for letter in text.chars() {
        match letter {
            'd' => total += std::mem::take(&mut number) * 86_400,
            'h' => total += std::mem::take(&mut number) * 3_600,
            'm' => total += std::mem::take(&mut number) * 60,
            's' => total += std::mem::take(&mut number),
            digit => number = number * 10 + i64::from(digit.to_digit(10).unwrap()),
        }
    }
    total
}
