//! Instants for people: in UTC, and how long ago.

use std::borrow::Cow;
use std::fmt;

use askama::filters::HtmlSafe;
use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// An instant as it looks from another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct When {
    at: Timestamp,
    now: Timestamp,
}

impl When {
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }

    /// The distance, in the words that the script uses as well.
    pub(crate) fn ago(&self) -> String {
        let seconds = self.at.duration_since(self.now).as_secs();
        let n = seconds.unsigned_abs();
        let text = match n {
            0..5 => return "now".to_owned(),
            5..120 => format!("{n} s"),
            120..7_200 => format!("{} min", n / 60),
            7_200..172_800 => format!("{} h", n / 3_600),
            _ => format!("{} d", n / 86_400),
        };
        if seconds > 0 {
            format!("in {text}")
        } else {
            format!("{text} ago")
        }
    }
}

impl JsonSchema for When {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "When".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl fmt::Display for When {
    /// HTML: only digits and fixed words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<time datetime=\"{}\">{}<span class=\"ago\">{}</span></time>",
            self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            self.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            self.ago()
        )
    }
}

impl HtmlSafe for When {}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.at.serialize(serializer)
    }
}

/// Milliseconds for people: `2 min 30 s`.
pub(crate) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let shown: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n} {unit}"))
        .collect();
    match (shown.is_empty(), ms) {
        (true, 0) => "none".to_owned(),
        (true, _) => format!("{ms} ms"),
        (false, _) => shown.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_read_well() {
        let at = |s: i64| Timestamp::from_second(s).unwrap();
        let ago = |s: i64| When::new(at(1_000_000 + s), at(1_000_000)).ago();
        assert_eq!(ago(0), "now");
        assert_eq!(ago(-4), "now");
        assert_eq!(ago(-90), "90 s ago");
        assert_eq!(ago(90), "in 90 s");
        assert_eq!(ago(-3_599), "59 min ago");
        assert_eq!(ago(-86_400), "24 h ago");
        assert_eq!(ago(86_400 * 3), "in 3 d");
    }

    #[test]
    fn spans_read_well() {
        assert_eq!(span(0), "none");
        assert_eq!(span(400), "400 ms");
        assert_eq!(span(2_000), "2 s");
        assert_eq!(span(150_000), "2 min 30 s");
        assert_eq!(span(90_061_000), "1 d 1 h 1 min 1 s");
    }
}
