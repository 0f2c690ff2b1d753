//! One request of a smoke test as it stands in settings.

use std::collections::BTreeMap;

use super::{Expect, OneOrMany, Patience};
use crate::Request;
use serde::Deserialize;
use serde_json::Value;

/// One request and what is expected of its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RequestSettings {
    /// Its name in the report. Left out: method, path and target.
    #[serde(default)]
    pub name: Option<String>,
    /// Left out: `GET`, and `POST` where there is a body or a signature.
    #[serde(default)]
    pub method: Option<String>,
    /// Path and query.
    pub path: String,
    /// `candidate`, `stable`, `service`, or a name from the grant. Left out: `candidate`, or the
    /// target of the part of the settings that the request stands in.
    #[serde(default)]
    pub target: Option<String>,
    /// Request headers. `${secret:NAME}` is filled in by the host.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: text as it stands, anything else as JSON.
    #[serde(default)]
    pub body: Option<Value>,
    /// What the answer should be. Left out: status 200.
    #[serde(default)]
    pub expect: Expect,
    /// How often to try again when the answer is not as expected. Left out: twice for GET and
    /// HEAD, never for methods that may change something.
    #[serde(default)]
    pub retries: Option<u32>,
    /// How long to wait before the first repetition, in milliseconds. Each further wait is twice as
    /// long, up to five seconds.
    #[serde(default = "retry_wait_ms")]
    pub retry_wait_ms: u32,
    /// How long one answer may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
    /// Sends a token. Skipped, visibly, while the secret holds no value.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// Signs the body as a webhook's sender does, and also sends it once with a bad signature.
    #[serde(default)]
    pub sign: Option<Sign>,
}

/// `Authorization: Bearer` with a secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Name of the secret in the grant.
    pub secret: String,
}

/// HMAC-SHA-256 of the body in a header.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Sign {
    /// Name of the secret in the grant.
    pub secret: String,
    /// The header that carries it.
    #[serde(default = "signature_header")]
    pub header: String,
    /// What stands before the hexadecimal digits.
    #[serde(default = "signature_prefix")]
    pub prefix: String,
    /// What a bad signature is answered with.
    #[serde(default = "unauthorized")]
    pub bad_status: OneOrMany<u16>,
}

fn retry_wait_ms() -> u32 {
    500
}

fn timeout_ms() -> u32 {
    5_000
}

fn signature_header() -> String {
    "x-hub-signature-256".into()
}

fn signature_prefix() -> String {
    "sha256=".into()
}

fn unauthorized() -> OneOrMany<u16> {
    OneOrMany(vec![401])
}

impl RequestSettings {
    /// The method, given or implied.
    #[must_use]
    pub fn method(&self) -> &str {
        match &self.method {
            Some(method) => method,
            None if self.body.is_some() || self.sign.is_some() => "POST",
            None => "GET",
        }
    }

    /// Where it goes.
    #[must_use]
    pub fn target(&self) -> &str {
        self.target.as_deref().unwrap_or("candidate")
    }

    /// The name in the report.
    #[must_use]
    pub fn name(&self) -> String {
        match (&self.name, self.target()) {
            (Some(name), _) => name.clone(),
            (None, "candidate") => format!("{} {}", self.method(), self.path),
            (None, target) => format!("{} {} on {target}", self.method(), self.path),
        }
    }

    /// What decides about repetitions.
    #[must_use]
    pub fn patience(&self) -> Patience {
        Patience {
            tries: self.retries().saturating_add(1),
            wait_ms: self.retry_wait_ms,
            timeout_ms: self.timeout_ms,
        }
    }

    /// How often to try again.
    #[must_use]
    pub fn retries(&self) -> u32 {
        match (self.retries, self.method()) {
            (Some(retries), _) => retries,
            (None, "GET" | "HEAD") => 2,
            (None, _) => 0,
        }
    }

    /// The request, without a signature.
    #[must_use]
    pub fn request(&self) -> Request {
        let mut request = Request::new(self.method(), &self.path).on(self.target());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(auth) = &self.auth {
            request = request.bearer(&auth.secret);
        }
        let typed = self
            .headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case("content-type"));
        match &self.body {
            None => request,
            Some(Value::String(text)) => request.body(text.as_str()),
            Some(json) if typed => request.body(json.to_string()),
            Some(json) => request.json(json),
        }
    }

    /// The statuses that are right.
    #[must_use]
    pub fn statuses(&self) -> &[u16] {
        match self.expect.status.0.as_slice() {
            [] if self.expect.redirect_to.is_some() => &[301, 302, 303, 307, 308],
            [] if self.sign.is_some() => &[202],
            [] => &[200],
            given => given,
        }
    }
}
