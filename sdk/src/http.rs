//! One request and one response.

use std::borrow::Cow;
use std::fmt;

/// A request under construction. The target is a name; the host knows the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `candidate` (the default), `stable`, `service`, or a granted name.
    pub target: String,
    /// Such as `GET`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The plugin's own limit in milliseconds; the host has its own.
    pub timeout_ms: Option<u32>,
}

impl Request {
    /// A request to the target `candidate`: each Ready pod of the new version.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            target: "candidate".into(),
            method: method.into(),
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: None,
        }
    }

    /// `GET path` on the candidate.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// `POST path` on the candidate.
    #[must_use]
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// Another target: `stable`, `service`, or a name from the grant.
    #[must_use]
    pub fn on(mut self, target: &str) -> Self {
        self.target = target.into();
        self
    }

    /// Adds a header. `${secret:NAME}`, `${hmac-sha256:NAME}` and
    /// `${hmac-sha256:NAME:TEXT}` are expanded by the host.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds `authorization: Bearer` with a secret that the host fills in. The plugin never sees it.
    #[must_use]
    pub fn bearer(self, secret: &str) -> Self {
        self.header("authorization", &format!("Bearer ${{secret:{secret}}}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.header("content-type", "application/json; charset=utf-8")
            .body(body.to_string())
    }

    /// Sets the plugin's own limit.
    #[must_use]
    pub fn timeout_ms(mut self, ms: u32) -> Self {
        self.timeout_ms = Some(ms);
        self
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} on {}", self.method, self.path, self.target)
    }
}

/// A response, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The request that it answers, for messages: `GET /health on candidate`.
    pub request: String,
    /// HTTP status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as sent.
    pub body: Vec<u8>,
    /// Whether the host cut the body.
    pub truncated: bool,
    /// From the request to the last byte, in milliseconds.
    pub elapsed_ms: u32,
}

impl Response {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text. Bytes that are not UTF-8 become replacement characters.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Says why it is none, with line and column.
    pub fn json(&self) -> Result<serde_json::Value, String> {
        match serde_json::from_slice(&self.body) {
            Ok(value) => Ok(value),
            Err(_) if self.truncated => {
                Err("the body is longer than the host reads, so it is no whole JSON".into())
            }
            Err(error) => Err(format!("the body is no JSON: {error}")),
        }
    }
}
