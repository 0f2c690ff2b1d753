//! Bodies of machines: whole, as they came, and never more than fits (attack 23).

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use serde_json::Value;

use crate::problem::Problem;

/// Longest body (reliability.md H4). Events of registries have a few kilobytes.
pub(super) const LIMIT: usize = 256 * 1024;
/// A body that takes longer is meant to hold a place.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Deepest nesting of a JSON body. Events of registries have five levels.
const DEPTH: usize = 24;

/// Reads a body whole. Reading ends at the limit, whatever the head said.
pub(super) async fn bytes(parts: &Parts, body: Body) -> Result<Bytes, Problem> {
    if parts.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "encoded-body",
            "the body is compressed",
            "send it as it is: what it unpacks to has no limit that could be known before",
        ));
    }
    let announced = body.size_hint().lower();
    if announced > LIMIT as u64 {
        return Err(too_large());
    }
    let mut out = BytesMut::new();
    let mut body = body.into_data_stream();
    let read = tokio::time::timeout(READ_TIMEOUT, async {
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| broken())?;
            if out.len() + chunk.len() > LIMIT {
                return Err(too_large());
            }
            out.extend_from_slice(&chunk);
        }
        Ok(())
    });
    read.await.map_err(|_| broken())??;
    Ok(out.freeze())
}

/// The document in a body.
pub(super) fn json(parts: &Parts, bytes: &[u8]) -> Result<Value, Problem> {
    let given = parts.headers.get(header::CONTENT_TYPE);
    let media_type = given
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next())
        .map(|v| v.trim().to_ascii_lowercase())
        .unwrap_or_default();
    if media_type != "application/json" && !media_type.ends_with("+json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wrong-content-type",
            "the body is not of the type that this address takes",
            "send it as application/json",
        ));
    }
    if deeper_than(bytes, DEPTH) {
        return Err(bad(&format!(
            "the body is nested deeper than {DEPTH} levels"
        )));
    }
    serde_json::from_slice(bytes).map_err(|_| bad("the body is not JSON"))
}

/// Whether brackets open deeper than this, outside of texts.
fn deeper_than(bytes: &[u8], limit: usize) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// A body that says something else than it should.
pub(super) fn bad(message: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-body",
        message,
        "see /openapi.json for what this address takes",
    )
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        format!("the body is longer than {} KiB", LIMIT / 1024),
        "send less",
    )
}

fn broken() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "body-broken",
        format!(
            "the body broke off, or took longer than {} s",
            READ_TIMEOUT.as_secs()
        ),
        "send it again",
    )
}

#[cfg(test)]
mod tests {
    use super::deeper_than;

    #[test]
    fn depth_is_counted_outside_of_texts() {
        assert!(!deeper_than(br#"{"a":[{"b":1},[2]]}"#, 3));
        assert!(deeper_than(br#"{"a":[{"b":1},[[2]]]}"#, 3));
        assert!(!deeper_than(br#"{"a":"[[[[{{\"[["}"#, 1));
        assert!(!deeper_than(b"]]]]]]", 1));
        assert!(deeper_than(&b"[".repeat(100_000), 24));
    }
}
