//! What is said about one response, and whether it holds.

use serde_json::Value;

use crate::text::{EXCERPT_CHARS, excerpt};
use crate::{Outcome, Response, find_json};

/// Most failures in one message. More would hide the first.
const MAX_FAILURES: usize = 5;

/// Assertions about one response. Each says what was expected and what came.
#[derive(Clone, Debug)]
pub struct Examination<'r> {
    response: &'r Response,
    held: Vec<String>,
    broken: Vec<String>,
}

impl<'r> Examination<'r> {
    /// Nothing said yet.
    #[must_use]
    pub fn of(response: &'r Response) -> Self {
        Self {
            response,
            held: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// The status is this one.
    pub fn status(&mut self, code: u16) -> &mut Self {
        self.status_in(&[code])
    }

    /// The status is one of these.
    pub fn status_in(&mut self, codes: &[u16]) -> &mut Self {
        let came = self.response.status;
        let wanted: Vec<String> = codes.iter().map(u16::to_string).collect();
        self.expect(
            codes.contains(&came),
            || format!("status {came}"),
            || format!("expected status {}, came {came}", wanted.join(" or ")),
        )
    }

    /// The JSON value at this place is this one: a pointer `/a/0/b`, a path `$.a[0].b`, or a key
    /// at the top.
    pub fn json(&mut self, place: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        let document = match self.response.json() {
            Ok(document) => document,
            Err(why) => return self.expect(false, String::new, || format!("expected JSON: {why}")),
        };
        let came = find_json(&document, place);
        let shown = |value: &Value| excerpt(&value.to_string(), EXCERPT_CHARS);
        self.expect(
            came.is_some_and(|came| equal(came, &value)),
            || format!("{place} is {}", shown(&value)),
            || match came {
                Some(came) => format!(
                    "expected {place} to be {}, came {}",
                    shown(&value),
                    shown(came)
                ),
                None => format!(
                    "expected {place} to be {}, but it is not there",
                    shown(&value)
                ),
            },
        )
    }

    /// The number at this place lies between the two, both included.
    pub fn within(&mut self, place: &str, least: f64, most: f64) -> &mut Self {
        let document = match self.response.json() {
            Ok(document) => document,
            Err(why) => return self.expect(false, String::new, || format!("expected JSON: {why}")),
        };
        let came = find_json(&document, place);
        self.expect(
            came.and_then(Value::as_f64)
                .is_some_and(|came| least <= came && came <= most),
            || format!("{place} is within {least} and {most}"),
            || match came {
                Some(came) => format!(
                    "expected {place} to be from {least} to {most}, came {}",
                    excerpt(&came.to_string(), EXCERPT_CHARS)
                ),
                None => {
                    format!("expected {place} to be from {least} to {most}, but it is not there")
                }
            },
        )
    }

    /// The body contains this text.
    pub fn contains(&mut self, text: &str) -> &mut Self {
        let shown = excerpt(text, EXCERPT_CHARS);
        let cut = if self.response.truncated {
            " in the part of the body that was read"
        } else {
            ""
        };
        self.expect(
            self.response.text().contains(text),
            || format!("contains \"{shown}\""),
            || format!("expected the text \"{shown}\"{cut}, it is missing"),
        )
    }

    /// The body does not contain this text.
    pub fn lacks(&mut self, text: &str) -> &mut Self {
        let shown = excerpt(text, EXCERPT_CHARS);
        self.expect(
            !self.response.text().contains(text),
            || format!("lacks \"{shown}\""),
            || format!("the text \"{shown}\" must not occur, but does"),
        )
    }

    /// The header has this value; a `*` at the end stands for any ending.
    pub fn header(&mut self, name: &str, value: &str) -> &mut Self {
        let came = self.response.header(name);
        let matches = came.is_some_and(|came| match value.strip_suffix('*') {
            Some(start) => came.starts_with(start),
            None => came == value,
        });
        self.expect(
            matches,
            || format!("{name}: {value}"),
            || match came {
                Some(came) => format!(
                    "expected header {name}: {value}, came {}",
                    excerpt(came, EXCERPT_CHARS)
                ),
                None => format!("expected header {name}: {value}, but it is not there"),
            },
        )
    }

    /// The whole response took less than this, in milliseconds.
    pub fn faster_than(&mut self, ms: u32) -> &mut Self {
        let took = self.response.elapsed_ms;
        self.expect(
            took < ms,
            || format!("{took} ms"),
            || format!("expected an answer in less than {ms} ms, it took {took} ms"),
        )
    }

    /// Anything else: whether it holds, and what to say when it does not.
    pub fn that(&mut self, holds: bool, what: &str, failure: &str) -> &mut Self {
        self.expect(holds, || what.into(), || failure.into())
    }

    /// The verdict, and a message that says which request, what was expected and what came.
    #[must_use]
    pub fn verdict(&self) -> (Outcome, String) {
        let request = &self.response.request;
        if self.broken.is_empty() {
            return match self.held.as_slice() {
                [] => (
                    Outcome::Inconclusive,
                    format!("{request}: nothing was expected of it"),
                ),
                held => (Outcome::Pass, format!("{request}: {}", held.join(", "))),
            };
        }
        let shown: Vec<&str> = self
            .broken
            .iter()
            .take(MAX_FAILURES)
            .map(String::as_str)
            .collect();
        let more = match self.broken.len().saturating_sub(MAX_FAILURES) {
            0 => String::new(),
            n => format!("; and {n} more"),
        };
        let body = match excerpt(&self.response.text(), EXCERPT_CHARS) {
            body if body.is_empty() => "the body is empty".into(),
            body => format!("body: {body}"),
        };
        (
            Outcome::Fail,
            format!("{request}: {}{more}; {body}", shown.join("; ")),
        )
    }

    /// How long the response took, in milliseconds.
    #[must_use]
    pub fn elapsed_ms(&self) -> u32 {
        self.response.elapsed_ms
    }

    fn expect(
        &mut self,
        holds: bool,
        what: impl FnOnce() -> String,
        failure: impl FnOnce() -> String,
    ) -> &mut Self {
        if holds {
            self.held.push(what());
        } else {
            self.broken.push(failure());
        }
        self
    }
}

/// Equal as values: 1 and 1.0 are the same number.
fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
