//! Which headers cross the border, in both directions (plugins.md section 5, attack 14).

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::fault::NetFault;

/// Headers that the connection owns. A guest that could set them could smuggle a second request.
const FORBIDDEN: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Most headers in one request.
const MAX_HEADERS: usize = 64;
/// Most bytes of request headers, names and values together.
pub(crate) const MAX_HEADER_BYTES: usize = 32 << 10;

/// Response headers that a guest sees from any server.
const PASSED: [&str; 42] = [
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "age",
    "allow",
    "alt-svc",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-type",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "deprecation",
    "etag",
    "expires",
    "last-modified",
    "link",
    "location",
    "permissions-policy",
    "pragma",
    "referrer-policy",
    "retry-after",
    "server",
    "server-timing",
    "strict-transport-security",
    "sunset",
    "traceparent",
    "vary",
    "warning",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
];

/// The guest's headers as typed ones. Secrets are still placeholders here.
///
/// # Errors
/// A header that the host owns, a malformed name or value (so also CR and LF), or too many of them.
pub(crate) fn request_headers(given: &[(String, String)]) -> Result<HeaderMap, NetFault> {
    if given.len() > MAX_HEADERS {
        return Err(NetFault::TooLarge(MAX_HEADERS as u64));
    }
    let size: usize = given
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4)
        .sum();
    if size > MAX_HEADER_BYTES {
        return Err(NetFault::TooLarge(MAX_HEADER_BYTES as u64));
    }
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let shown = crate::text::line(name, 64);
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| NetFault::Other(format!("\"{shown}\" is no header name")))?;
        if FORBIDDEN.contains(&name.as_str()) {
            return Err(NetFault::Other(format!(
                "the host sets the header \"{shown}\" itself"
            )));
        }
        let value = HeaderValue::from_str(value).map_err(|_| {
            NetFault::Other(format!(
                "the value of the header \"{shown}\" contains bytes that no header may contain"
            ))
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The response headers that a guest sees. A target that the rollout itself brought (`candidate`,
/// `stable`, `service`) may also show its own `x-` headers, which tests look at; elsewhere they
/// stay with the host, for they are where servers echo what they were sent.
pub(crate) fn response_headers(headers: &HeaderMap, of_the_rollout: bool) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            PASSED.binary_search(&name).is_ok()
                || name.starts_with("x-ratelimit-")
                || (of_the_rollout && name.starts_with("x-"))
        })
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (
                name.as_str().to_owned(),
                crate::text::line(&value, MAX_HEADER_BYTES),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn the_lists_are_sorted_for_the_search_and_the_reader() {
        assert!(PASSED.is_sorted());
        assert!(FORBIDDEN.is_sorted());
    }

    #[test]
    fn a_guest_cannot_frame_a_second_request() {
        for (name, value) in [
            ("Host", "evil.example"),
            ("content-length", "3"),
            ("Transfer-Encoding", "chunked"),
            ("TE", "trailers"),
            ("connection", "keep-alive"),
            ("x-ok", "a\r\nHost: evil.example"),
            ("x-ok", "a\nb"),
            ("x-ok", "a\0b"),
            ("x ok", "a"),
            ("x-ok:", "a"),
            (":authority", "evil.example"),
            ("", "a"),
        ] {
            assert!(
                request_headers(&pair(name, value)).is_err(),
                "{name}: {value}"
            );
        }
        assert!(request_headers(&pair("Authorization", "Bearer ${secret:slack-token}")).is_ok());
    }

    #[test]
    fn size_and_number_are_bounded() {
        let many = vec![("x-a".to_owned(), "b".to_owned()); MAX_HEADERS + 1];
        assert_eq!(request_headers(&many), Err(NetFault::TooLarge(64)));
        let long = pair("x-a", &"b".repeat(MAX_HEADER_BYTES));
        assert_eq!(request_headers(&long), Err(NetFault::TooLarge(32_768)));
    }

    #[test]
    fn cookies_and_unknown_headers_stay_with_the_host() {
        let mut headers = HeaderMap::new();
        headers.insert("set-cookie", HeaderValue::from_static("session=1"));
        headers.insert("x-app-version", HeaderValue::from_static("1.2.0"));
        headers.insert("content-type", HeaderValue::from_static("text/plain"));
        assert_eq!(
            response_headers(&headers, false),
            pair("content-type", "text/plain")
        );
        assert_eq!(response_headers(&headers, true).len(), 2);
    }
}
