//! What a plugin's own `validate` function complains about, collected place by place.

use super::issue;
use crate::Issue;

/// Most repetitions of one request.
const MAX_RETRIES: u32 = 10;
/// Longest wait before a repetition, in milliseconds.
const MAX_WAIT_MS: u32 = 30_000;
/// Longest wait for an answer, in milliseconds: more than any grant leaves to one call.
const MAX_TIMEOUT_MS: u32 = 60_000;

/// Complaints about one part of the settings.
pub struct Complaints<'i> {
    at: String,
    issues: &'i mut Vec<Issue>,
}

impl<'i> Complaints<'i> {
    /// About the part at this JSON pointer.
    pub fn at(pointer: &str, issues: &'i mut Vec<Issue>) -> Self {
        Self {
            at: pointer.into(),
            issues,
        }
    }

    /// Complains when `when` holds. `place` is a JSON pointer below this part, such as `/path`.
    pub fn refuse(&mut self, when: bool, place: &str, message: &str, hint: &str) {
        if when {
            let pointer = format!("{}{place}", self.at);
            self.issues.push(issue(&pointer, message, hint));
        }
    }

    /// A number that has to lie between two bounds, both included.
    pub fn range(&mut self, place: &str, number: u32, least: u32, most: u32) {
        let fits = (least..=most).contains(&number);
        let message = format!("{number} is out of range");
        self.refuse(!fits, place, &message, &format!("from {least} to {most}"));
    }

    /// How patient a request is: `retries`, `retryWaitMs` and `timeoutMs` below `place`.
    pub fn patience(&mut self, place: &str, retries: Option<u32>, wait_ms: u32, timeout_ms: u32) {
        if let Some(retries) = retries {
            self.range(&format!("{place}/retries"), retries, 0, MAX_RETRIES);
        }
        self.range(&format!("{place}/retryWaitMs"), wait_ms, 0, MAX_WAIT_MS);
        self.range(&format!("{place}/timeoutMs"), timeout_ms, 1, MAX_TIMEOUT_MS);
    }

    /// HTTP statuses.
    pub fn statuses(&mut self, place: &str, codes: &[u16]) {
        for code in codes.iter().filter(|code| !(100..=599).contains(*code)) {
            let message = format!("{code} is no HTTP status");
            self.refuse(true, place, &message, "from 100 to 599");
        }
    }

    /// The name of a target or a secret, as the host's grants want it.
    pub fn name(&mut self, place: &str, name: &str, what: &str) {
        let message = format!("`{name}` is no name of a {what}");
        let hint = "the name in the grant: lower-case letters, digits and dashes";
        self.refuse(!is_name(name), place, &message, hint);
    }

    /// Path and query of a request.
    pub fn path(&mut self, place: &str, path: &str) {
        let odd = |c: char| c.is_control() || matches!(c, ' ' | '#' | '\\');
        let fits = path.starts_with('/') && !path.contains(odd);
        let hint = "write path and query, as in /health?full=1; `target` says where it goes";
        self.refuse(!fits, place, &format!("`{path}` is no path"), hint);
    }

    /// The name of a header.
    pub fn header(&mut self, place: &str, name: &str) {
        let hint = "letters, digits, dashes";
        self.refuse(!is_header(name), place, "no name of a header", hint);
    }

    /// A value that stands in a header, or on a line.
    pub fn line(&mut self, place: &str, value: &str) {
        let bad = value.chars().any(char::is_control);
        let hint = "write it on one line";
        self.refuse(bad, place, "the value has control characters", hint);
    }
}

/// The key of a mapping as a step of a JSON pointer: `a/b` is `a~1b`.
#[must_use]
pub fn step(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Whether a text can name a target, a secret or a plugin: lower-case letters, digits and dashes,
/// a letter first, at most 63.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A header name (RFC 9110).
fn is_header(name: &str) -> bool {
    let mark = |b: u8| b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || mark(b))
}
