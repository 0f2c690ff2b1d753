//! How a sender signs, and where the signature stands.

use serde::Deserialize;
use sluice_sdk::Request;
use sluice_sdk::settings::Complaints;

/// Where a template takes the signature, in lower-case hexadecimal digits.
const SIGNATURE: &str = "{{signature}}";
/// Where a template takes the time, in seconds since 1970.
const TIMESTAMP: &str = "{{timestamp}}";
/// A signature of the right form that no key produces in practice.
const BAD: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Ways to sign that receivers know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// `x-hub-signature-256: sha256=…` over the body. It has no time.
    #[default]
    Github,
    /// `x-slack-signature: v0=…` over `v0:TIME:BODY`, the time in `x-slack-request-timestamp`.
    Slack,
    /// `stripe-signature: t=TIME,v1=…` over `TIME.BODY`.
    Stripe,
}

/// A style, and what is different from it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignSettings {
    /// Name of the secret in the grant.
    pub secret: String,
    /// Left out: `github`.
    #[serde(default)]
    pub style: Style,
    /// The header that carries the signature.
    #[serde(default)]
    header: Option<String>,
    /// Its value, with `{{signature}}` and, where there is one, `{{timestamp}}`.
    #[serde(default)]
    value: Option<String>,
    /// The text that is signed before the body, with `{{timestamp}}`.
    #[serde(default)]
    before: Option<String>,
    /// The header that carries the time.
    #[serde(default)]
    timestamp_header: Option<String>,
}

/// What the signature of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    Good,
    Bad,
    Missing,
}

impl SignSettings {
    fn header(&self) -> &str {
        self.header.as_deref().unwrap_or(match self.style {
            Style::Github => "x-hub-signature-256",
            Style::Slack => "x-slack-signature",
            Style::Stripe => "stripe-signature",
        })
    }

    fn value(&self) -> &str {
        self.value.as_deref().unwrap_or(match self.style {
            Style::Github => "sha256={{signature}}",
            Style::Slack => "v0={{signature}}",
            Style::Stripe => "t={{timestamp}},v1={{signature}}",
        })
    }

    fn before(&self) -> &str {
        self.before.as_deref().unwrap_or(match self.style {
            Style::Github => "",
            Style::Slack => "v0:{{timestamp}}:",
            Style::Stripe => "{{timestamp}}.",
        })
    }

    fn timestamp_header(&self) -> Option<&str> {
        self.timestamp_header.as_deref().or(match self.style {
            Style::Github | Style::Stripe => None,
            Style::Slack => Some("x-slack-request-timestamp"),
        })
    }

    /// Whether the sender says when it signed, outside of the body.
    pub(crate) fn has_time(&self) -> bool {
        self.timestamp_header().is_some()
            || self.before().contains(TIMESTAMP)
            || self.value().contains(TIMESTAMP)
    }

    /// The request with its signature, as of `seconds` since 1970.
    pub(crate) fn sign(&self, request: Request, signature: Signature, seconds: u64) -> Request {
        let seconds = seconds.to_string();
        let before = self.before().replace(TIMESTAMP, &seconds);
        let digits = match (signature, before.as_str()) {
            (Signature::Good, "") => format!("${{hmac-sha256:{}}}", self.secret),
            (Signature::Good, before) => format!("${{hmac-sha256:{}:{before}}}", self.secret),
            (Signature::Bad, _) => BAD.into(),
            (Signature::Missing, _) => String::new(),
        };
        let request = match self.timestamp_header() {
            Some(header) => request.header(header, &seconds),
            None => request,
        };
        if signature == Signature::Missing {
            return request;
        }
        let value = self.value().replace(TIMESTAMP, &seconds);
        request.header(self.header(), &value.replace(SIGNATURE, &digits))
    }

    /// All complaints about it.
    pub(crate) fn complain(&self, complaints: &mut Complaints<'_>) {
        complaints.name("/sign/secret", &self.secret, "secret");
        complaints.header("/sign/header", self.header());
        complaints.line("/sign/value", self.value());
        let without = !self.value().contains(SIGNATURE);
        let hint = "such as sha256={{signature}}";
        complaints.refuse(without, "/sign/value", "it has no {{signature}}", hint);
        complaints.line("/sign/before", self.before());
        // The host's placeholder for a signature ends at the first brace.
        let closes = self.before().replace(TIMESTAMP, "").contains(['{', '}']);
        let message = "it has a brace that is none of {{timestamp}}";
        complaints.refuse(closes, "/sign/before", message, "such as v0:{{timestamp}}:");
        if let Some(header) = self.timestamp_header() {
            complaints.header("/sign/timestampHeader", header);
        }
    }
}
