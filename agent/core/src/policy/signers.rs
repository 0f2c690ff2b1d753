//! Who may sign images: a key, or an identity that a public authority vouched for.
//!
//! Strict by construction (reliability.md S3): an unknown field is an error, an issuer is compared
//! letter by letter, and a pattern of subjects describes the whole subject. `…/release.yaml@refs/
//! heads/main` as a mere beginning would also be `…@refs/heads/main-evil`.

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::hash::sha256_of_json;
use crate::problem::{Problem, quoted};

mod pem;

/// Longest PEM of a public key: an RSA key of 8192 bits would fit, a P-256 key has 178 characters.
const PEM_LIMIT: usize = 2048;
/// Longest issuer, identity or pattern: addresses of workflows have under 200 characters.
const TEXT_LIMIT: usize = 512;
/// Memory that a compiled pattern may take, in bytes.
const PATTERN_MEMORY: usize = 1 << 20;

/// One entry of the policy's `signers`. Exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Signer {
    /// A public key as PEM (`BEGIN PUBLIC KEY`): ECDSA P-256 as `cosign generate-key-pair` makes
    /// it, or Ed25519. Whoever holds the private key can sign for ever.
    PublicKey(#[schemars(length(min = 1, max = 2048))] String),
    /// An identity in a short-lived certificate, as CI systems get it from Fulcio.
    Keyless(Keyless),
}

/// An identity: who vouches for it, and for whom. One of `identity` and `identityPattern`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keyless {
    /// The OpenID Connect issuer that knew the signer, exactly as in the certificate.
    #[schemars(length(min = 1, max = 512), example = &"https://token.actions.example.com")]
    pub issuer: String,
    /// The subject of the certificate, exactly: an address of a workflow or of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub identity: Option<String>,
    /// A regular expression for the whole subject, from `^` to `$`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\^.*\$$"))]
    pub identity_pattern: Option<String>,
}

/// Which subjects of certificates are meant.
#[derive(Clone, Debug)]
pub enum Subject {
    /// This one.
    Exact(String),
    /// All that fit, as a whole.
    Pattern(Regex),
}

impl Subject {
    /// Whether this subject is meant.
    #[must_use]
    pub fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == subject,
            Self::Pattern(pattern) => pattern.is_match(subject),
        }
    }
}

impl Signer {
    /// SHA-256 of what is meant by this signer, as 64 hexadecimal characters. A proof counts only
    /// for the definition that it was made for: another key under the same name voids it.
    #[must_use]
    pub fn definition(&self) -> String {
        sha256_of_json(&self.to_json())
    }

    /// Everything that is wrong with it; empty where it can be used. Fields are relative to the
    /// signer.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        match self {
            Self::PublicKey(text) => pem::check(text)
                .err()
                .map(|message| {
                    Problem::new("publicKey", message).with_hint(
                        "paste the whole file that `cosign public-key` prints, from \
                         -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----",
                    )
                })
                .into_iter()
                .collect(),
            Self::Keyless(keyless) => keyless
                .check()
                .into_iter()
                .map(|problem| problem.under("keyless"))
                .collect(),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::PublicKey(pem) => json!({ "publicKey": pem }),
            Self::Keyless(keyless) => json!({ "keyless": {
                "issuer": keyless.issuer,
                "identity": keyless.identity,
                "identityPattern": keyless.identity_pattern,
            }}),
        }
    }
}

impl Keyless {
    /// Which subjects are meant.
    ///
    /// # Errors
    /// Where neither or both of `identity` and `identityPattern` are there, or the pattern is not
    /// fully anchored, does not compile, or fits every subject.
    pub fn subject(&self) -> Result<Subject, Problem> {
        match (&self.identity, &self.identity_pattern) {
            (Some(exact), None) => {
                text_within("identity", exact)?;
                Ok(Subject::Exact(exact.clone()))
            }
            (None, Some(pattern)) => compile(pattern).map(Subject::Pattern),
            (Some(_), Some(_)) => Err(Problem::new(
                "identityPattern",
                "stands beside identity, and only one of them can be meant",
            )
            .with_hint("delete one of the two")),
            (None, None) => Err(Problem::new(
                "identity",
                "is missing: everybody whom the issuer knows could sign",
            )
            .with_hint("write the subject of the certificates, or identityPattern")),
        }
    }

    fn check(&self) -> Vec<Problem> {
        check_issuer(&self.issuer)
            .err()
            .into_iter()
            .chain(self.subject().err())
            .collect()
    }
}

fn check_issuer(issuer: &str) -> Result<(), Problem> {
    text_within("issuer", issuer)?;
    let rest = issuer.strip_prefix("https://").ok_or_else(|| {
        Problem::new(
            "issuer",
            format!("{} is not an https address", quoted(issuer)),
        )
        .with_hint("write it as the certificates have it, such as https://accounts.example.com")
    })?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || rest.contains(['?', '#', '@', '*', '\\']) {
        return Err(Problem::new(
            "issuer",
            format!(
                "{} is not an issuer: https, a host and perhaps a path, compared letter by letter",
                quoted(issuer)
            ),
        ));
    }
    Ok(())
}

/// Compiles a pattern for the whole subject.
fn compile(pattern: &str) -> Result<Regex, Problem> {
    let field = "identityPattern";
    text_within(field, pattern)?;
    if !pattern.starts_with('^') || !ends_anchored(pattern) {
        return Err(Problem::new(
            field,
            format!(
                "{} does not say where the subject begins and ends, so a longer one would fit, too",
                quoted(pattern)
            ),
        )
        .with_hint("begin it with ^ and end it with $"));
    }
    let build = |source: &str| RegexBuilder::new(source).size_limit(PATTERN_MEMORY).build();
    let broken = |error: regex::Error| {
        let text = error.to_string();
        let why = text.lines().last().unwrap_or_default().trim();
        let why = why.strip_prefix("error: ").unwrap_or(why);
        Problem::new(
            field,
            format!("{} is not a regular expression: {why}", quoted(pattern)),
        )
    };
    // On its own first: `^a)|(b$` would be valid only between our brackets.
    build(pattern).map_err(broken)?;
    // `^a|b$` and `(?m)` are anchored by their looks alone.
    let whole = build(&format!(r"\A(?:{pattern})\z")).map_err(broken)?;
    let anything = [
        "x",
        "somebody@evil.example",
        "https://evil.example/x/.github/workflows/x.yaml@refs/heads/x",
    ];
    if anything.iter().all(|subject| whole.is_match(subject)) {
        return Err(Problem::new(
            field,
            format!(
                "{} fits every subject: everybody whom the issuer knows could sign",
                quoted(pattern)
            ),
        )
        .with_hint("name at least the host and the repository"));
    }
    Ok(whole)
}

/// Whether the last character is a `$` that is not escaped.
fn ends_anchored(pattern: &str) -> bool {
    pattern.strip_suffix('$').is_some_and(|before| {
        let backslashes = before.bytes().rev().take_while(|c| *c == b'\\').count();
        backslashes % 2 == 0
    })
}

fn text_within(field: &str, text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::new(field, "is empty"));
    }
    if text.len() > TEXT_LIMIT {
        return Err(Problem::new(
            field,
            format!("is longer than {TEXT_LIMIT} bytes"),
        ));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Problem::new(
            field,
            format!("{} has spaces or control characters", quoted(text)),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
