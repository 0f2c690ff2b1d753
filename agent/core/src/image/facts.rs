//! What an image says about itself, and who signed it: read once, when a candidate is made.
//!
//! Annotations are claims of whoever pushed the image. They count as far as that repository is
//! trusted, or as a signature over the digest covers them. Signatures are proven by the shell;
//! here stands only which of the policy's signers was found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most annotations that are kept: the well-known keys of OCI and a dozen that policies ask for.
pub const ANNOTATIONS: usize = 24;
/// Longest key of an annotation, in bytes. The keys of OCI have under 40.
pub const KEY_LIMIT: usize = 128;
/// Longest value that is kept, in bytes. A longer one is left out, never cut: a cut value could
/// match a rule that the whole one does not.
pub const VALUE_LIMIT: usize = 512;
/// Most proofs of one image: a policy names at most this many signers that may be asked for.
pub const PROOFS: usize = 8;

/// The annotation with the source's revision, such as a commit.
pub const REVISION: &str = "org.opencontainers.image.revision";
/// The annotation with the address of the source.
pub const SOURCE: &str = "org.opencontainers.image.source";
/// The annotation with the people who wrote it.
pub const AUTHORS: &str = "org.opencontainers.image.authors";
/// The annotation with the time of the build.
pub const CREATED: &str = "org.opencontainers.image.created";

/// What is known about an image beyond its digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageFacts {
    /// Annotations of the manifest, or labels of its configuration, by key. Claims of its builder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 24))]
    pub annotations: BTreeMap<String, String>,
    /// When it was built, as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Which of the policy's signers signed this digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub signatures: Vec<SignatureProof>,
}

/// A signature over the image's digest was checked and is by this signer.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct SignatureProof {
    /// The signer's name in the policy.
    #[schemars(length(max = 63))]
    pub signer: String,
    /// [`Signer::definition`](crate::policy::Signer::definition) at that time. The proof counts
    /// only while the policy means the same signer.
    #[schemars(length(max = 64))]
    pub definition: String,
}

impl ImageFacts {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Keeps an annotation, if it is within the limits and there is room. Answers whether it was.
    /// A key that is there already keeps its value.
    pub fn keep(&mut self, key: &str, value: &str) -> bool {
        let fits = !key.is_empty() && key.len() <= KEY_LIMIT && value.len() <= VALUE_LIMIT;
        if !fits || self.annotations.len() >= ANNOTATIONS || self.annotations.contains_key(key) {
            return false;
        }
        self.annotations.insert(key.to_owned(), value.to_owned());
        true
    }

    /// Whether everything is within its limit: what comes from a cluster is checked again.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.annotations.len() <= ANNOTATIONS
            && self.signatures.len() <= PROOFS
            && self
                .annotations
                .iter()
                .all(|(key, value)| key.len() <= KEY_LIMIT && value.len() <= VALUE_LIMIT)
            && self
                .signatures
                .iter()
                .all(|proof| proof.signer.len() <= 63 && proof.definition.len() <= 64)
    }

    /// The revision of the source that it was built from.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.text(REVISION)
    }

    /// The address of the source that it was built from, as the image says it. To be shown as
    /// text; for a link there is [`ImageFacts::source_link`].
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.text(SOURCE)
    }

    /// A link to the revision, or to the source where no revision is known. None unless the source
    /// is a plain http or https address: the text is the image's own, and could be `javascript:`.
    #[must_use]
    pub fn source_link(&self) -> Option<String> {
        let base = plain_address(self.source()?)?;
        let base = base.trim_end_matches('/');
        let base = base.strip_suffix(".git").unwrap_or(base);
        let commit = self.revision().filter(|revision| {
            let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
            revision.bytes().all(plain) && revision.bytes().any(|c| c.is_ascii_alphanumeric())
        });
        Some(match commit {
            // GitHub, Gitea and Forgejo; GitLab leads on to its own form.
            Some(commit) => format!("{base}/commit/{commit}"),
            None => base.to_owned(),
        })
    }

    fn text(&self, key: &str) -> Option<&str> {
        let value = self.annotations.get(key)?.trim();
        (!value.is_empty()).then_some(value)
    }
}

/// The text, where it is http(s), a host and a path, and nothing that a browser, a terminal or a
/// chat could read as something else.
fn plain_address(text: &str) -> Option<&str> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let in_host = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b':');
    // No user part (`https://github.com@evil.example`), no query, no markup.
    let in_path =
        |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b'~' | b'/' | b'+');
    let named = host.starts_with(|c: char| c.is_ascii_alphanumeric());
    (named && host.bytes().all(in_host) && path.bytes().all(in_path)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(source: &str, revision: &str) -> ImageFacts {
        let mut facts = ImageFacts::default();
        facts.keep(SOURCE, source);
        facts.keep(REVISION, revision);
        facts
    }

    #[test]
    fn a_link_leads_to_the_revision() {
        for source in [
            "https://git.example.com/shop/storefront",
            "https://git.example.com/shop/storefront/",
            "https://git.example.com/shop/storefront.git",
        ] {
            assert_eq!(
                facts(source, "4f2c9e1").source_link().as_deref(),
                Some("https://git.example.com/shop/storefront/commit/4f2c9e1")
            );
        }
        assert_eq!(
            facts("http://git.example.com:3000/x", "")
                .source_link()
                .as_deref(),
            Some("http://git.example.com:3000/x")
        );
        assert_eq!(facts("", "4f2c9e1").source_link(), None);
        assert_eq!(facts("", " 4f2c9e1 ").revision(), Some("4f2c9e1"));
        assert_eq!(facts(" ", "").source(), None);
    }

    /// Attack 22: what stands in an annotation never becomes a link that does something else.
    #[test]
    fn a_source_that_is_no_plain_address_is_no_link() {
        for source in [
            "javascript:alert(1)",
            "JavaScript:alert(1)//https://",
            " javascript:alert(1)",
            "data:text/html,x",
            "git@git.example.com:shop/storefront.git",
            "HTTPS://git.example.com/x",
            "https:git.example.com",
            "https:///x",
            "https://",
            "https://git.example.com@evil.example/x",
            "https://git.example.com/x\" onclick=\"",
            "https://git.example.com/<b>",
            "https://git.example.com/x|y>",
            "https://git.example.com/x?next=javascript:1",
            "https://git.exämple.com/x",
            "https://git.example.com/a\nb",
            "https://.example.com/",
        ] {
            assert_eq!(facts(source, "4f2c9e1").source_link(), None, "{source:?}");
        }
        for revision in ["a/../../b", "\" x", "<b>", "a b", "..", "?", "ä"] {
            assert_eq!(
                facts("https://git.example.com/x", revision)
                    .source_link()
                    .as_deref(),
                Some("https://git.example.com/x"),
                "{revision:?}"
            );
        }
    }

    #[test]
    fn what_is_too_long_or_too_much_is_left_out() {
        let mut facts = ImageFacts::default();
        assert!(facts.keep(&"k".repeat(KEY_LIMIT), &"v".repeat(VALUE_LIMIT)));
        assert!(!facts.keep("k", &"v".repeat(VALUE_LIMIT + 1)));
        assert!(!facts.keep(&"k".repeat(KEY_LIMIT + 1), "v"));
        assert!(!facts.keep("", "v"));
        for n in 1..ANNOTATIONS {
            assert!(facts.keep(&n.to_string(), "v"));
        }
        assert!(!facts.keep("one more", "v"));
        assert!(!facts.keep("1", "another"));
        assert_eq!(facts.annotations.get("1").map(String::as_str), Some("v"));
        assert!(facts.is_bounded());
        facts.annotations.insert("one more".into(), "v".into());
        assert!(!facts.is_bounded());
    }

    #[test]
    fn json_is_small_and_reads_back() {
        assert_eq!(serde_json::to_string(&ImageFacts::default()).unwrap(), "{}");
        let mut some = facts("https://git.example.com/x", "4f2c9e1");
        some.created = Some("2026-11-20T10:00:00Z".parse().unwrap());
        some.signatures.push(SignatureProof {
            signer: "release-key".into(),
            definition: "00".repeat(32),
        });
        let json = serde_json::to_value(&some).unwrap();
        assert_eq!(json["created"], "2026-11-20T10:00:00Z");
        assert_eq!(json["signatures"][0]["signer"], "release-key");
        assert_eq!(serde_json::from_value::<ImageFacts>(json).unwrap(), some);
    }

    #[test]
    fn the_schema_has_the_limits() {
        let schema = serde_json::to_value(schemars::schema_for!(ImageFacts)).unwrap();
        assert_eq!(
            schema["properties"]["annotations"]["maxProperties"],
            ANNOTATIONS
        );
        assert_eq!(schema["properties"]["signatures"]["maxItems"], PROOFS);
    }
}
