//! Prometheus' HTTP API: one question, one answer.
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>

use sluice_sdk::text::{EXCERPT_CHARS, excerpt};
use sluice_sdk::{Client, Error, Level, Remote, Request, Response, Window, patience_ms};

use crate::answer::{Answer, Document};
use crate::facts::seconds;
use crate::settings::{Range, Settings};

/// Name of the target in manifest and grant.
const TARGET: &str = "prometheus";
/// The secret that is shown at the door, where there is one.
const TOKEN: &str = "prometheus-token";
const THERE: Remote = Remote {
    name: "Prometheus",
    target: TARGET,
};
/// Most points of a range: Prometheus' own limit is 11,000, and a window has no use for more than
/// a few hundred.
const MAX_POINTS: u64 = 1_000;

/// Asks for one number: at the end of the window, or over it where there is a range.
///
/// # Errors
/// As [`crate::evaluate`].
pub(crate) fn ask(
    client: &Client<'_>,
    settings: &Settings,
    query: &str,
    range: Option<Range>,
    window: Window,
) -> Result<Answer, Error> {
    let limit = settings.timeout_ms.min(client.remaining_ms());
    let patience = format!("{limit}ms");
    let (path, body) = match range {
        None => {
            let time = seconds(window.to_unix_ms);
            (
                "query",
                form(&[("query", query), ("time", &time), ("timeout", &patience)]),
            )
        }
        Some(range) => {
            let span = window.to_unix_ms.saturating_sub(window.from_unix_ms);
            let points = span / (u64::from(range.step_seconds) * 1_000);
            if points > MAX_POINTS {
                return Err(Error::InvalidConfig(format!(
                    "the window has {points} points, at most {MAX_POINTS}: raise range.stepSeconds"
                )));
            }
            let (start, end) = (seconds(window.from_unix_ms), seconds(window.to_unix_ms));
            let step = range.step_seconds.to_string();
            let fields = [
                ("query", query),
                ("start", &start),
                ("end", &end),
                ("step", &step),
                ("timeout", &patience),
            ];
            ("query_range", form(&fields))
        }
    };
    let mut request = Request::post(&format!("{}/api/v1/{path}", settings.path_prefix))
        .on(TARGET)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json")
        .body(body)
        .timeout_ms(limit);
    for (name, value) in &settings.headers {
        request = request.header(name, value);
    }
    if client.has_secret(TOKEN) {
        request = request.bearer(TOKEN);
    }
    let response = client
        .send(&request)
        .map_err(|error| THERE.unreached(&error))?;
    let document = read(&response)?;
    for info in &document.infos {
        let text = excerpt(info, EXCERPT_CHARS);
        client.log(Level::Info, &format!("Prometheus notes: {text}"), &[]);
    }
    if let (Some(warning), false) = (document.warnings.first(), settings.accept_warnings) {
        return Err(Error::Unavailable(format!(
            "Prometheus warns that its answer may be incomplete: {}; acceptWarnings takes it all the same",
            excerpt(warning, EXCERPT_CHARS)
        )));
    }
    document.number(range, window)
}

fn read(response: &Response) -> Result<Document, Error> {
    if response.truncated {
        return Err(Error::InvalidConfig(
            "the answer is longer than the host reads: let the query give one number, as with sum(…)"
                .into(),
        ));
    }
    let document = serde_json::from_slice::<Document>(&response.body);
    if response.status == 200
        && let Ok(document) = document
        && document.is_success()
    {
        return Ok(document);
    }
    let refused = document_of(response).and_then(|document| document.refusal());
    let (kind, said) = refused.unwrap_or_else(|| (String::new(), response.text().into_owned()));
    let said = match excerpt(&said, EXCERPT_CHARS) {
        empty if empty.is_empty() => String::new(),
        said => format!(": {said}"),
    };
    let status = response.status;
    let what = format!("Prometheus answered with status {status}{said}");
    Err(match (status, kind.as_str()) {
        (429, _) => Error::RateLimited(patience_ms(response)),
        (401 | 403 | 407, _) => {
            Error::Denied(format!("{what}; check prometheus-token in plugins.yaml"))
        }
        (404 | 405 | 410, _) => {
            Error::InvalidConfig(format!("{what}; check pathPrefix and the url of the grant"))
        }
        (300..=399, _) => Error::InvalidConfig(format!(
            "{what}; redirects are not followed: grant the address where it leads"
        )),
        (_, "bad_data" | "execution" | "not_found") => {
            Error::InvalidConfig(format!("Prometheus refuses the query{said}"))
        }
        (400 | 422, _) => Error::InvalidConfig(what),
        (200, "") => {
            Error::Unavailable(format!("what answers does not speak Prometheus' API{said}"))
        }
        _ => Error::Unavailable(what),
    })
}

fn document_of(response: &Response) -> Option<Document> {
    serde_json::from_slice(&response.body).ok()
}

/// `application/x-www-form-urlencoded`.
fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
