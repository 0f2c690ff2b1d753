//! Bodies of changes: small, and of exactly the type that the route takes, so that a foreign form
//! cannot pose as JSON (attack 21).

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde_json::Value;
use url::form_urlencoded;

use crate::problem::Problem;

/// Longest body. A token and a sentence fit many times.
const LIMIT: usize = 16 * 1024;
/// So few bytes come at once, or are meant to hold a place.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How a body must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A form of the page.
    Form,
    /// A document for the API.
    Json,
}

impl Shape {
    fn media_type(self) -> &'static str {
        match self {
            Self::Form => "application/x-www-form-urlencoded",
            Self::Json => "application/json",
        }
    }
}

/// The text fields of a body. May hold a token: never printed.
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// A field that is there and not blank.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    }

    /// A switch: off where it is not there.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-body",
                format!("{name} is neither true nor false"),
                "see /openapi.json for what this address takes",
            )),
        }
    }
}

/// Reads a body whole. Fields that nobody asks for are ignored: nothing in a body names a person.
pub(crate) async fn read(parts: &Parts, body: Body, shape: Shape) -> Result<Fields, Problem> {
    let given = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let media_type = given
        .and_then(|v| v.split(';').next())
        .map(str::trim)
        .unwrap_or_default();
    if !media_type.eq_ignore_ascii_case(shape.media_type()) {
        return Err(Problem::forbidden(
            "wrong-content-type",
            "the body is not of the type that this address takes",
            &format!("send it as {}", shape.media_type()),
        ));
    }
    let read = tokio::time::timeout(READ_TIMEOUT, to_bytes(body, LIMIT)).await;
    let bytes = read.ok().and_then(Result::ok).ok_or_else(|| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            format!(
                "the body is broken, longer than {} KiB or slower than {} s",
                LIMIT / 1024,
                READ_TIMEOUT.as_secs()
            ),
            "send less",
        )
    })?;
    let bad = |message: &str| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad-body",
            message,
            "see /openapi.json for what this address takes, or use the page",
        )
    };
    match shape {
        Shape::Form => {
            let mut fields = BTreeMap::new();
            for (name, value) in form_urlencoded::parse(&bytes) {
                if fields
                    .insert(name.into_owned(), value.into_owned())
                    .is_some()
                {
                    return Err(bad("a field stands in the form twice"));
                }
            }
            Ok(Fields(fields))
        }
        Shape::Json if bytes.is_empty() => Ok(Fields(BTreeMap::new())),
        Shape::Json => {
            let document: BTreeMap<String, Value> =
                serde_json::from_slice(&bytes).map_err(|_| bad("the body is not a JSON object"))?;
            let text = |(name, value)| match value {
                Value::String(text) => Some((name, text)),
                Value::Bool(flag) => Some((name, flag.to_string())),
                Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
            };
            Ok(Fields(document.into_iter().filter_map(text).collect()))
        }
    }
}
