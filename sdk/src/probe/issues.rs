//! What serde cannot see about a request: every complaint with its place and a way out.

use super::settings::RequestSettings;
use crate::Issue;
use crate::settings::{Complaints, step};

/// Most repetitions of one request.
const MAX_RETRIES: u32 = 10;
/// Longest wait before a repetition, in milliseconds.
const MAX_WAIT_MS: u32 = 30_000;
/// Longest wait for an answer, in milliseconds: more than any grant leaves to one call.
const MAX_TIMEOUT_MS: u32 = 60_000;
/// Methods that a grant knows.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// All complaints about one request, which stands at `pointer` in the settings.
#[must_use]
pub fn issues(request: &RequestSettings, pointer: &str) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut complaints = Complaints::at(pointer, &mut issues);
    about(request, &mut complaints);
    about_headers(request, &mut complaints);
    about_secrets(request, &mut complaints);
    about_expectations(request, &mut complaints);
    issues
}

fn about(request: &RequestSettings, complaints: &mut Complaints<'_>) {
    let method = request.method();
    let known = METHODS.contains(&method);
    let message = format!("unknown method `{method}`");
    let hint = format!("one of {}", METHODS.join(", "));
    complaints.refuse(!known, "/method", &message, &hint);
    complaints.path("/path", &request.path);
    complaints.name("/target", request.target(), "target");
    complaints.range("/timeoutMs", request.timeout_ms, 1, MAX_TIMEOUT_MS);
    complaints.range("/retryWaitMs", request.retry_wait_ms, 0, MAX_WAIT_MS);
    if let Some(retries) = request.retries {
        complaints.range("/retries", retries, 0, MAX_RETRIES);
    }
}

fn about_headers(request: &RequestSettings, complaints: &mut Complaints<'_>) {
    for (name, value) in &request.headers {
        let place = format!("/headers/{}", step(name));
        complaints.header(&place, name);
        complaints.line(&place, value);
        let twice = request.auth.is_some() && name.eq_ignore_ascii_case("authorization");
        let message = "`auth` sets this header too";
        complaints.refuse(twice, &place, message, "keep one of the two");
    }
}

fn about_secrets(request: &RequestSettings, complaints: &mut Complaints<'_>) {
    if let Some(auth) = &request.auth {
        complaints.name("/auth/secret", &auth.secret, "secret");
    }
    if let Some(sign) = &request.sign {
        complaints.name("/sign/secret", &sign.secret, "secret");
        complaints.header("/sign/header", &sign.header);
        complaints.line("/sign/prefix", &sign.prefix);
        complaints.statuses("/sign/badStatus", &sign.bad_status.0);
        let none = sign.bad_status.0.is_empty();
        complaints.refuse(none, "/sign/badStatus", "no status", "such as 401");
    }
}

fn about_expectations(request: &RequestSettings, complaints: &mut Complaints<'_>) {
    let expect = &request.expect;
    complaints.statuses("/expect/status", &expect.status.0);
    let never = expect.max_ms == Some(0);
    complaints.refuse(never, "/expect/maxMs", "nothing is that fast", "");
    for name in expect.header.keys() {
        complaints.header(&format!("/expect/header/{}", step(name)), name);
    }
    for place in expect.json.keys() {
        let message = "this is the whole document";
        let hint = "name a key, as in status, or a pointer /a/b";
        complaints.refuse(place.is_empty(), "/expect/json/", message, hint);
    }
    for (place, texts) in [
        ("/expect/contains", &expect.contains),
        ("/expect/notContains", &expect.not_contains),
    ] {
        let empty = texts.0.iter().any(String::is_empty);
        let message = "every body contains the empty text";
        complaints.refuse(empty, place, message, "write the text");
    }
    let wants_a_body = !(expect.json.is_empty() && expect.contains.0.is_empty());
    let unseen = request.method() == "HEAD" && wants_a_body;
    complaints.refuse(
        unseen,
        "/expect",
        "an answer to HEAD has no body",
        "use GET",
    );
}
