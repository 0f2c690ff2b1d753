//! Attack 14: a second request inside the first one.

use crate::bindings::exports::sluice::plugin::smoke_test::Report;
use crate::bindings::sluice::plugin::http::{self, Request};
use crate::bindings::sluice::plugin::types::Outcome;
use crate::report;

const HEADERS: [(&str, &str); 16] = [
    ("Host", "evil.example"),
    ("host", "169.254.169.254"),
    ("Content-Length", "0"),
    ("content-length", "4, 4"),
    ("Transfer-Encoding", "chunked"),
    ("transfer-encoding", "identity, chunked"),
    ("TE", "trailers"),
    ("Trailer", "x-a"),
    ("Connection", "keep-alive, x-a"),
    ("Upgrade", "h2c"),
    ("Proxy-Authorization", "Basic eDp5"),
    ("x-a", "b\r\nHost: evil.example"),
    ("x-a", "b\nGET /admin HTTP/1.1"),
    ("x-a\r\nHost: evil.example", "b"),
    (":authority", "evil.example"),
    ("x a", "b"),
];

const LINES: [(&str, &str); 8] = [
    ("GET", "/ HTTP/1.1\r\nHost: evil.example\r\n\r\nGET /admin"),
    ("GET", "/a b"),
    ("GET", "http://evil.example/"),
    ("GET", "@evil.example/"),
    ("GET", "\\\\evil.example\\"),
    ("GET /admin HTTP/1.1\r\n\r\nGET", "/"),
    ("CONNECT", "/"),
    ("get", "/"),
];

/// Tries all of them, and says how many were refused.
pub(crate) fn smuggle(target: &str) -> Report {
    let request = |method: &str, path: &str, headers: Vec<(String, String)>| Request {
        target: target.to_owned(),
        method: method.to_owned(),
        path_and_query: path.to_owned(),
        headers,
        body: b"GET /admin HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec(),
        timeout_ms: Some(1000),
    };
    let headers = HEADERS
        .iter()
        .map(|(name, value)| request("POST", "/", vec![((*name).to_owned(), (*value).to_owned())]));
    let lines = LINES
        .iter()
        .map(|(method, path)| request(method, path, Vec::new()));
    let mut through = Vec::new();
    for tried in headers.chain(lines) {
        if http::fetch(&tried).is_ok() {
            through.push(format!(
                "{:?}",
                (tried.method, tried.path_and_query, tried.headers)
            ));
        }
    }
    let words = format!(
        "{} of {} went through: {through:?}",
        through.len(),
        HEADERS.len() + LINES.len()
    );
    report(Outcome::Pass, &words, Vec::new())
}
