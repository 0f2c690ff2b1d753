//! What serde cannot see about the settings: every complaint with its place and a way out.

use sluice_sdk::Issue;
use sluice_sdk::settings::issue;

use crate::settings::{RequestSettings, Settings};

/// Most requests: half the budget of the manifest, so that each may be tried twice.
const MAX_REQUESTS: usize = 32;
/// Most repetitions of one request.
const MAX_RETRIES: u32 = 10;
/// Longest wait before a repetition, in milliseconds.
const MAX_WAIT_MS: u32 = 30_000;
/// Longest wait for an answer, in milliseconds: the wall time of the manifest.
const MAX_TIMEOUT_MS: u32 = 60_000;
/// Methods that a grant knows.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// All complaints about the settings.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let count = settings.requests.len();
    let mut issues = Vec::new();
    if count == 0 {
        issues.push(issue(
            "/requests",
            "nothing to test",
            "add a request: {path: /health}",
        ));
    }
    if count > MAX_REQUESTS {
        let hint = format!("at most {MAX_REQUESTS}; use the plugin twice for more");
        issues.push(issue("/requests", &format!("{count} requests"), &hint));
    }
    for (index, request) in settings.requests.iter().enumerate() {
        Complaints {
            at: format!("/requests/{index}"),
            issues: &mut issues,
        }
        .about(request);
    }
    issues
}

struct Complaints<'i> {
    at: String,
    issues: &'i mut Vec<Issue>,
}

impl Complaints<'_> {
    fn refuse(&mut self, when: bool, place: &str, message: &str, hint: &str) {
        if when {
            self.issues
                .push(issue(&format!("{}{place}", self.at), message, hint));
        }
    }

    fn about(&mut self, request: &RequestSettings) {
        let method = request.method();
        let known = METHODS.contains(&method);
        let hint = format!("one of {}", METHODS.join(", "));
        self.refuse(
            !known,
            "/method",
            &format!("unknown method `{method}`"),
            &hint,
        );

        let path = &request.path;
        let odd = |c: char| c.is_control() || matches!(c, ' ' | '#' | '\\');
        let fits = path.starts_with('/') && !path.contains(odd);
        let hint = "write path and query, as in /health?full=1; `target` says where it goes";
        self.refuse(!fits, "/path", &format!("`{path}` is no path"), hint);

        let hint = "candidate, stable, service, or a name from the grant";
        let message = format!("`{}` is no name of a target", request.target);
        self.refuse(!is_name(&request.target), "/target", &message, hint);

        let hint = format!("from 1 to {MAX_TIMEOUT_MS}");
        let in_range = |ms: u32, most: u32| ms >= 1 && ms <= most;
        let fits = in_range(request.timeout_ms, MAX_TIMEOUT_MS);
        self.refuse(!fits, "/timeoutMs", "out of range", &hint);
        let fits = request.retry_wait_ms <= MAX_WAIT_MS;
        self.refuse(
            !fits,
            "/retryWaitMs",
            "out of range",
            &format!("at most {MAX_WAIT_MS}"),
        );
        let fits = request.retries.is_none_or(|retries| retries <= MAX_RETRIES);
        self.refuse(
            !fits,
            "/retries",
            "too many",
            &format!("at most {MAX_RETRIES}"),
        );

        self.about_headers(request);
        self.about_secrets(request);
        self.about_expectations(request);
    }

    fn about_headers(&mut self, request: &RequestSettings) {
        for (name, value) in &request.headers {
            let place = format!("/headers/{}", escaped(name));
            self.refuse(
                !is_token(name),
                &place,
                "no name of a header",
                "letters, digits, dashes",
            );
            let bad = value.chars().any(char::is_control);
            self.refuse(
                bad,
                &place,
                "the value has control characters",
                "write it on one line",
            );
            let twice = request.auth.is_some() && name.eq_ignore_ascii_case("authorization");
            self.refuse(
                twice,
                &place,
                "`auth` sets this header too",
                "keep one of the two",
            );
        }
    }

    fn about_secrets(&mut self, request: &RequestSettings) {
        let hint = "the name in the grant: lower-case letters, digits and dashes";
        if let Some(auth) = &request.auth {
            let message = format!("`{}` is no name of a secret", auth.secret);
            self.refuse(!is_name(&auth.secret), "/auth/secret", &message, hint);
        }
        if let Some(sign) = &request.sign {
            let message = format!("`{}` is no name of a secret", sign.secret);
            self.refuse(!is_name(&sign.secret), "/sign/secret", &message, hint);
            self.refuse(
                !is_token(&sign.header),
                "/sign/header",
                "no name of a header",
                "",
            );
            let bad = sign.prefix.chars().any(char::is_control);
            self.refuse(bad, "/sign/prefix", "control characters", "such as sha256=");
            self.statuses("/sign/badStatus", &sign.bad_status.0);
            let none = sign.bad_status.0.is_empty();
            self.refuse(none, "/sign/badStatus", "no status", "such as 401");
        }
    }

    fn about_expectations(&mut self, request: &RequestSettings) {
        let expect = &request.expect;
        self.statuses("/expect/status", &expect.status.0);
        self.refuse(
            expect.max_ms == Some(0),
            "/expect/maxMs",
            "nothing is that fast",
            "",
        );
        for name in expect.header.keys() {
            let place = format!("/expect/header/{}", escaped(name));
            self.refuse(!is_token(name), &place, "no name of a header", "");
        }
        for place in expect.json.keys().filter(|place| place.is_empty()) {
            let at = format!("/expect/json/{place}");
            self.refuse(
                true,
                &at,
                "an empty key",
                "a key such as status, or a pointer /a/b",
            );
        }
        for (place, texts) in [
            ("contains", &expect.contains),
            ("notContains", &expect.not_contains),
        ] {
            let empty = texts.0.iter().any(String::is_empty);
            let place = format!("/expect/{place}");
            self.refuse(
                empty,
                &place,
                "every body contains the empty text",
                "write the text",
            );
        }
        let unseen =
            request.method() == "HEAD" && !(expect.json.is_empty() && expect.contains.0.is_empty());
        self.refuse(
            unseen,
            "/expect",
            "an answer to HEAD has no body",
            "use GET",
        );
    }

    fn statuses(&mut self, place: &str, codes: &[u16]) {
        for code in codes.iter().filter(|code| !(100..=599).contains(*code)) {
            let message = format!("{code} is no HTTP status");
            self.refuse(true, place, &message, "from 100 to 599");
        }
    }
}

/// As the host's grants want it.
fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A header name (RFC 9110).
fn is_token(name: &str) -> bool {
    let mark = |b: u8| b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || mark(b))
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
