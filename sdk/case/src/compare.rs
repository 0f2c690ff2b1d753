//! Expected and came, by JSON pointer.

use std::fmt;

use serde_json::Value;

/// Longest value in a message, in characters.
const SHOWN: usize = 200;

/// One place where what came is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// JSON pointer; empty for the whole.
    pub pointer: String,
    /// As it stands in the case.
    pub expected: String,
    /// What came in its place.
    pub came: String,
}

impl Difference {
    pub(crate) fn of(
        pointer: impl Into<String>,
        expected: impl Into<String>,
        came: impl Into<String>,
    ) -> Self {
        Difference {
            pointer: pointer.into(),
            expected: expected.into(),
            came: came.into(),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() {
            "/"
        } else {
            &self.pointer
        };
        write!(f, "{place}: expected {}, came {}", self.expected, self.came)
    }
}

/// Where `came` lacks something of `expected`, by the alphabet of places. Fields that are not
/// expected are not compared; lists are, whole.
#[must_use]
pub fn differences(expected: &Value, came: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", expected, came, &mut found);
    found
}

fn compare(at: &str, expected: &Value, came: &Value, found: &mut Vec<Difference>) {
    match (expected, came) {
        (Value::Object(expected), Value::Object(fields)) => {
            for (key, value) in expected {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                match fields.get(key) {
                    Some(came) => compare(&at, value, came, found),
                    None => found.push(Difference::of(at, shown(value), absent(fields))),
                }
            }
        }
        (Value::Array(items), Value::Array(those)) => {
            for (index, pair) in items.iter().zip(those).enumerate() {
                compare(&format!("{at}/{index}"), pair.0, pair.1, found);
            }
            for (index, item) in items.iter().enumerate().skip(those.len()) {
                found.push(Difference::of(
                    format!("{at}/{index}"),
                    shown(item),
                    "nothing",
                ));
            }
            for (index, item) in those.iter().enumerate().skip(items.len()) {
                found.push(Difference::of(
                    format!("{at}/{index}"),
                    "nothing",
                    shown(item),
                ));
            }
        }
        (Value::String(expected), Value::String(came)) if matches_text(expected, came) => {}
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        (expected, came) if expected == came => {}
        (expected, came) => found.push(Difference::of(at, shown(expected), shown(came))),
    }
}

/// What stands there instead: an answer of another shape is told by the fields that it has.
fn absent(fields: &serde_json::Map<String, Value>) -> String {
    let names: Vec<&str> = fields.keys().map(String::as_str).take(8).collect();
    match names.as_slice() {
        [] => "nothing".into(),
        [only] => match fields.get(*only) {
            Some(value) => format!("nothing; there is {only} = {}", shown(value)),
            None => "nothing".into(),
        },
        names => format!("nothing; there are {}", names.join(", ")),
    }
}

/// Whether a text is the expected one. A `*` at either end stands for any beginning or end.
#[must_use]
pub fn matches_text(expected: &str, came: &str) -> bool {
    let any_end = expected.len() > 1 && expected.ends_with('*');
    let end = expected.len() - usize::from(any_end);
    let body = expected.get(..end).unwrap_or(expected);
    match (body.strip_prefix('*'), any_end) {
        (Some(middle), true) => came.contains(middle),
        (Some(end), false) => came.ends_with(end),
        (None, true) => came.starts_with(body),
        (None, false) => came == expected,
    }
}

/// A value as a person reads it, bounded.
pub(crate) fn shown<T: serde::Serialize + ?Sized>(value: &T) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    if text.chars().count() <= SHOWN {
        return text;
    }
    let cut: String = text.chars().take(SHOWN).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(expected: Value, came: Value) -> Vec<String> {
        differences(&expected, &came)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_part_is_enough_and_a_difference_has_its_place() {
        let came = json!({"outcome": "fail", "checks": [{"name": "health", "elapsed-ms": 3}]});
        assert!(told(json!({"checks": [{"name": "health"}]}), came.clone()).is_empty());
        assert_eq!(
            told(
                json!({"outcome": "pass", "checks": [{"name": "ready"}]}),
                came.clone()
            ),
            [
                "/checks/0/name: expected \"ready\", came \"health\"",
                "/outcome: expected \"pass\", came \"fail\"",
            ]
        );
        assert_eq!(
            told(json!({"checks": []}), came),
            ["/checks/0: expected nothing, came {\"elapsed-ms\":3,\"name\":\"health\"}"]
        );
    }

    #[test]
    fn an_answer_of_another_shape_is_told() {
        let came = json!({"error": {"code": "plugin/trap"}});
        assert_eq!(
            told(json!({"outcome": "pass"}), came),
            [
                "/outcome: expected \"pass\", came nothing; there is error = {\"code\":\"plugin/trap\"}"
            ]
        );
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(told(json!({"value": 1}), json!({"value": 1.0})).is_empty());
        assert_eq!(told(json!({"value": 1}), json!({"value": null})).len(), 1);
    }

    #[test]
    fn stars_stand_for_ends() {
        for (expected, came, is) in [
            ("*503*", "status 503 came", true),
            ("*503*", "status 50", false),
            ("status*", "status 1", true),
            ("status*", "a status", false),
            ("*1", "x1", true),
            ("*1", "x12", false),
            ("*", "anything", true),
            ("*", "", true),
            ("**", "", true),
            ("a*b", "a*b", true),
            ("a*b", "axb", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches_text(expected, came), is, "{expected} {came}");
        }
    }
}
