//! Plugins as OCI artifacts: one uncompressed component under a manifest, in the CNCF's layout for
//! WebAssembly (plugins.md section 8).
//!
//! Read by digest only, and in three steps, so that nothing large moves for what is refused anyway:
//! the manifest, which is hashed and whose layout is judged; then, by whoever asks, the signatures
//! ([`sluice_core::port::Registry::verify`]); then the component, of which no byte more is read than
//! the manifest declares, and which is hashed again. Nothing is ever unpacked, so there is no bomb to
//! unpack (attack 17).

use bytes::Bytes;
use http::{Method, StatusCode};
use reqwest::Response;
use sluice_core::port::RegistryFault;

use crate::client::OciRegistry;
use crate::content;
use crate::digest::Digest;
use crate::fault::{Ask, BROKEN};
use crate::resolve::accept;
use crate::session::{Access, Session};
use crate::transport::{self, BodyError};

mod layout;
mod push;
mod sign;

pub use push::{NewWasm, PushProgress};
pub use sign::{SigningKey, SigningKeyError};

/// A manifest of this layout has under 2 KiB with annotations.
const MOST_MANIFEST_BYTES: usize = 64 * 1024;
/// A configuration lists the imports and exports of one component.
const MOST_CONFIG_BYTES: u64 = 256 * 1024;

/// What to do about content that is not what its digest says.
const TAMPERED: &str = "It was not used; find out who or what changes content between the registry \
                        and here";
/// What to do about another layout.
const LAYOUT: &str =
    "Push the component with sluice plugin push, and name the digest that it prints";

/// The one layer of a plugin, as its manifest declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WasmLayer {
    /// `sha256:…` of the component.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
}

/// Why a plugin was not had from a registry or not put there. Each message says what was asked, the
/// cause, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactFault {
    /// The registry refused or could not be asked.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    /// What has this digest is no plugin, and never will be.
    #[error("{0}")]
    Layout(String),
    /// It is larger than what is read, or than its manifest declares.
    #[error("{0}")]
    TooLarge(String),
    /// The bytes are not those that the digest names.
    #[error("{0}")]
    Tampered(String),
}

impl OciRegistry {
    /// Reads the manifest and the configuration with this digest and judges the layout. `most` is the
    /// largest component that would be read, in bytes.
    ///
    /// # Errors
    /// Where the registry cannot be asked, the bytes have another digest, or they are no manifest of
    /// exactly one uncompressed component of at most `most` bytes.
    pub async fn wasm_layer(
        &self,
        repository: &str,
        digest: &str,
        most: u64,
    ) -> Result<WasmLayer, ArtifactFault> {
        let limit = self.limits.deadline;
        let ask = Ask::pull(repository, digest);
        self.call_within(limit, Access::Pull, ask, repository, |session| async move {
            let digest = content::named(&session, digest)?;
            let manifest = manifest(&session, &digest).await?;
            let parts = layout::manifest(&manifest, most)
                .map_err(|unfit| unfit.into_fault(&session.ask))?;
            let config = layer(&session, &parts.config, MOST_CONFIG_BYTES).await?;
            layout::configuration(&config, &parts.layer)
                .map_err(|unfit| unfit.into_fault(&session.ask))?;
            Ok(parts.layer)
        })
        .await
    }

    /// Reads the component that a manifest declares.
    ///
    /// # Errors
    /// Where the registry cannot be asked, or what it sends is longer or shorter than declared or has
    /// another digest.
    pub async fn wasm_bytes(
        &self,
        repository: &str,
        component: &WasmLayer,
    ) -> Result<Bytes, ArtifactFault> {
        let limit = self.limits.transfer_deadline;
        let ask = Ask::pull(repository, &component.digest);
        self.call_within(limit, Access::Pull, ask, repository, |session| async move {
            layer(&session, component, component.size).await
        })
        .await
    }
}

/// The manifest with this digest.
async fn manifest(session: &Session<'_>, digest: &Digest) -> Result<Bytes, ArtifactFault> {
    let url = session.address(&format!("manifests/{digest}"))?;
    let response = session.send(Method::GET, url, accept(session)?).await?;
    let body = whole(session, response, MOST_MANIFEST_BYTES, || {
        format!("its manifest is larger than {MOST_MANIFEST_BYTES} bytes")
    })
    .await?;
    hashed(session, "manifest", digest, body)
}

/// A blob of the declared digest and size.
async fn layer(
    session: &Session<'_>,
    declared: &WasmLayer,
    most: u64,
) -> Result<Bytes, ArtifactFault> {
    let digest = content::named(session, &declared.digest)?;
    let size = declared.size;
    if size > most {
        return Err(ArtifactFault::TooLarge(session.ask.message(
            format!("{digest} has {size} bytes, and at most {most} are read"),
            LAYOUT,
        )));
    }
    let limit = usize::try_from(size).unwrap_or(usize::MAX);
    let response = content::stored(session, &digest).await?;
    let body = whole(session, response, limit, || {
        format!(
            "the registry sends more than the {size} bytes that the manifest declares of {digest}"
        )
    })
    .await?;
    hashed(session, "content", &digest, body)
}

/// A body of at most `limit` bytes.
async fn whole(
    session: &Session<'_>,
    response: Response,
    limit: usize,
    too_large: impl FnOnce() -> String,
) -> Result<Bytes, ArtifactFault> {
    if response.status() != StatusCode::OK {
        return Err(session.refusal(response).await.into());
    }
    transport::read(response, limit)
        .await
        .map_err(|error| match error {
            BodyError::TooLarge(_) => {
                ArtifactFault::TooLarge(session.ask.message(too_large(), TAMPERED))
            }
            BodyError::Broken(_) => session.ask.unavailable(error, BROKEN).into(),
        })
}

fn hashed(
    session: &Session<'_>,
    what: &str,
    digest: &Digest,
    body: Bytes,
) -> Result<Bytes, ArtifactFault> {
    let actual = Digest::of(&body);
    if actual == *digest {
        return Ok(body);
    }
    let cause = format!("the {what} that the registry sends as {digest} has the digest {actual}");
    Err(ArtifactFault::Tampered(
        session.ask.message(cause, TAMPERED),
    ))
}
