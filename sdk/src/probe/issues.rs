//! What serde cannot see about a request: every complaint with its place and a way out.

use super::settings::RequestSettings;
use crate::Issue;
use crate::settings::{Complaints, step};

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
    request.expect.complain(request.method(), &mut complaints);
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
    complaints.patience(
        "",
        request.retries,
        request.retry_wait_ms,
        request.timeout_ms,
    );
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
