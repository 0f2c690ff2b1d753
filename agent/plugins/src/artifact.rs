//! Components from a registry: what the folder's reader needs of one, and nothing about how it speaks.
//!
//! Whoever runs a host gives it an [`ArtifactSource`]. A reference names its content by digest, so what
//! was pulled once is the same for ever: it is kept in the cache folder under its own hash and hashed
//! again each time it is read (`store`). Pulling is done beside the folder's reading and never holds it
//! up (`fetch`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sluice_core::policy::Signer;
use sluice_core::port::BoxFuture;

use crate::card::Card;
use crate::load::{self, Read};
use crate::manifest::Manifest;

pub(crate) mod fetch;
pub(crate) mod store;

/// A component in a registry, by the digest of its manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArtifactRef {
    /// Host and path, such as `oci.example.com/sluice/slack`.
    pub repository: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
}

impl ArtifactRef {
    /// Reads `host/path@sha256:…`. A tag in front of the digest is for people and left out.
    ///
    /// # Errors
    /// In words: no digest, another form of digest, no repository.
    pub fn parse(text: &str) -> Result<ArtifactRef, String> {
        let shown = crate::text::line(text, 160);
        let Some((name, digest)) = text.split_once('@') else {
            return Err(format!(
                "\"{shown}\" has no digest, and a tag may be moved by whoever may push; write \
                 host/path@sha256:…, as sluice plugin push prints it"
            ));
        };
        let valid = digest.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == 64 && hex.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
        });
        if !valid {
            return Err(format!(
                "\"{shown}\": a digest is sha256: and 64 lower-case hexadecimal digits"
            ));
        }
        // A port is a colon too, but no slash follows a tag.
        let repository = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => repository,
            Some(_) | None => name,
        };
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '?' | '#');
        if !repository.contains('/') || repository.len() > 255 || !repository.chars().all(plain) {
            return Err(format!(
                "\"{shown}\" names no repository; write host/path@sha256:…"
            ));
        }
        Ok(ArtifactRef {
            repository: repository.to_owned(),
            digest: digest.to_owned(),
        })
    }
}

impl fmt::Display for ArtifactRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

/// The component behind a reference, as its manifest declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactLayer {
    /// `sha256:…` of the component.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
}

/// Why a component cannot be had. The message says what was asked, the cause, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactFault {
    /// The registry has no such thing.
    #[error("{0}")]
    Missing(String),
    /// Credentials are missing or wrong.
    #[error("{0}")]
    Denied(String),
    /// The registry asks for a pause.
    #[error("{message}")]
    Busy {
        /// What it said.
        message: String,
        /// Seconds to wait.
        seconds: u32,
    },
    /// It cannot be reached, or breaks the protocol.
    #[error("{0}")]
    Away(String),
    /// What has this digest is no plugin.
    #[error("{0}")]
    Layout(String),
    /// It is larger than is read, or than declared.
    #[error("{0}")]
    TooLarge(String),
    /// The bytes are not those that the digest names.
    #[error("{0}")]
    Tampered(String),
}

impl ArtifactFault {
    /// The code of its card.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "plugin/artifact-missing",
            Self::Denied(_) => "plugin/registry-denied",
            Self::Busy { .. } => "plugin/registry-busy",
            Self::Away(_) => "plugin/registry-away",
            Self::Layout(_) => "plugin/artifact-layout",
            Self::TooLarge(_) => "plugin/too-large",
            Self::Tampered(_) => "plugin/artifact-tampered",
        }
    }

    /// Whether the same question can have another answer later. What has a digest never changes.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Missing(_)
            | Self::Denied(_)
            | Self::Busy { .. }
            | Self::Away(_)
            | Self::Tampered(_) => true,
            Self::Layout(_) | Self::TooLarge(_) => false,
        }
    }

    pub(crate) fn card(&self, at: &ArtifactRef) -> Card {
        let change = match self.may_pass() {
            true => "the reason says it; it is tried again by itself, more and more seldom",
            false => "the reason says it; then name the new digest",
        };
        Card::new(self.code(), at.to_string())
            .because(crate::text::line(&self.to_string(), 900))
            .change(change)
    }
}

/// The load checks that run nothing of a plugin: what fails them would be loaded nowhere. Blocking; a
/// large component takes a second. Answers the same bytes.
///
/// # Errors
/// Every card.
pub fn examine(bytes: Vec<u8>, file: &str) -> Result<(Vec<u8>, Manifest), Vec<Card>> {
    let digest = format!("sha256:{}", sluice_core::hash::sha256_hex(&bytes));
    let read = Read { bytes, digest };
    let examined = load::examine(&read, file).map_err(|card| vec![card])?;
    if examined.misfits.is_empty() {
        Ok((read.bytes, examined.manifest))
    } else {
        Err(examined.misfits)
    }
}

/// Where components come from. Asked from several tasks at once, a bounded number.
pub trait ArtifactSource: Send + Sync {
    /// Reads the manifest and judges its layout: exactly one uncompressed component of at most `most`
    /// bytes. The bytes of the manifest have the digest that the reference names.
    fn layer<'a>(
        &'a self,
        at: &'a ArtifactRef,
        most: u64,
    ) -> BoxFuture<'a, Result<ArtifactLayer, ArtifactFault>>;

    /// The names of those, of these signers, who signed it. Checked offline against what is trusted.
    fn signed_by<'a>(
        &'a self,
        at: &'a ArtifactRef,
        signers: &'a BTreeMap<String, Signer>,
    ) -> BoxFuture<'a, Result<BTreeSet<String>, ArtifactFault>>;

    /// Reads the component: no byte more than declared, and with the declared digest.
    fn component<'a>(
        &'a self,
        at: &'a ArtifactRef,
        layer: &'a ArtifactLayer,
    ) -> BoxFuture<'a, Result<Vec<u8>, ArtifactFault>>;
}

/// The source of a host that takes plugins from its folder only.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoArtifacts;

impl NoArtifacts {
    fn fault<T>(at: &ArtifactRef) -> BoxFuture<'_, Result<T, ArtifactFault>>
    where
        T: Send + 'static,
    {
        let words = format!(
            "cannot pull the plugin {at}: this host takes plugins from its folder only. Put the \
             component there and write file"
        );
        Box::pin(async move { Err(ArtifactFault::Layout(words)) })
    }
}

impl ArtifactSource for NoArtifacts {
    fn layer<'a>(
        &'a self,
        at: &'a ArtifactRef,
        _most: u64,
    ) -> BoxFuture<'a, Result<ArtifactLayer, ArtifactFault>> {
        Self::fault(at)
    }

    fn signed_by<'a>(
        &'a self,
        at: &'a ArtifactRef,
        _signers: &'a BTreeMap<String, Signer>,
    ) -> BoxFuture<'a, Result<BTreeSet<String>, ArtifactFault>> {
        Self::fault(at)
    }

    fn component<'a>(
        &'a self,
        at: &'a ArtifactRef,
        _layer: &'a ArtifactLayer,
    ) -> BoxFuture<'a, Result<Vec<u8>, ArtifactFault>> {
        Self::fault(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_repository_and_a_digest() {
        let digest = format!("sha256:{}", "9f3c".repeat(16));
        for (text, repository) in [
            (
                format!("oci.example.com/sluice/slack@{digest}"),
                "oci.example.com/sluice/slack",
            ),
            (
                format!("127.0.0.1:5000/slack:1.2.0@{digest}"),
                "127.0.0.1:5000/slack",
            ),
            (
                format!("127.0.0.1:5000/slack@{digest}"),
                "127.0.0.1:5000/slack",
            ),
        ] {
            let parsed = ArtifactRef::parse(&text).unwrap();
            assert_eq!(
                (parsed.repository.as_str(), &parsed.digest),
                (repository, &digest)
            );
            assert_eq!(ArtifactRef::parse(&parsed.to_string()), Ok(parsed));
        }
        for (text, part) in [
            ("oci.example.com/slack".to_owned(), "has no digest"),
            ("oci.example.com/slack:1.2.0".to_owned(), "has no digest"),
            (
                "oci.example.com/slack@sha256:9f3c".to_owned(),
                "64 lower-case",
            ),
            (
                format!("oci.example.com/slack@{}", digest.to_uppercase()),
                "64 lower-case",
            ),
            (format!("slack@{digest}"), "names no repository"),
            (format!("a.example/x y@{digest}"), "names no repository"),
            (format!("a.example/x?y@{digest}"), "names no repository"),
        ] {
            assert!(
                ArtifactRef::parse(&text).unwrap_err().contains(part),
                "{text}"
            );
        }
    }
}
