//! The doors through which the controller reaches the world outside the cluster.
//!
//! Only signatures and plain values live here; the implementations are in the crates around `core`.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;

use crate::image::facts::{ImageFacts, SignatureProof};
use crate::plugin::{PluginAnswer, PluginCall, PluginInfo};
use crate::policy::Signer;

/// A boxed future, so that the ports can be used as trait objects without a runtime in `core`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs plugins. An error is an answer ([`PluginAnswer::Failed`]), never a panic and never a hang:
/// an implementation enforces the plugin's own deadline.
pub trait PluginHost: Send + Sync {
    /// Asks one question.
    fn call(&self, call: PluginCall) -> BoxFuture<'_, PluginAnswer>;

    /// The plugins that serve now. Cheap: read from memory.
    fn catalog(&self) -> Vec<PluginInfo>;
}

/// Reads an image registry.
pub trait Registry: Send + Sync {
    /// All tags of a repository such as `registry.example.com/shop/storefront`. A list that could
    /// not be read to its end is an error, never a shorter list.
    fn tags<'a>(&'a self, repository: &'a str)
    -> BoxFuture<'a, Result<Vec<String>, RegistryFault>>;

    /// The digest (`sha256:…`) that a tag names now.
    fn resolve<'a>(
        &'a self,
        repository: &'a str,
        tag: &'a str,
    ) -> BoxFuture<'a, Result<String, RegistryFault>>;

    /// What the image with this digest says about itself: the well-known annotations of OCI and
    /// `keys`, as far as the index, its manifest or its configuration have them, and when it was
    /// built. Everything is read by digest and hashed. No signatures: see [`Registry::verify`].
    fn describe<'a>(
        &'a self,
        repository: &'a str,
        digest: &'a str,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<ImageFacts, RegistryFault>>;

    /// Which of these signers signed exactly this digest, by name and in order. Empty: none of
    /// them did, as far as the registry shows. An error: it could not be told, which is not the
    /// same to whoever reads it, and no less a refusal.
    fn verify<'a>(
        &'a self,
        repository: &'a str,
        digest: &'a str,
        signers: &'a BTreeMap<String, Signer>,
    ) -> BoxFuture<'a, Result<Vec<SignatureProof>, RegistryFault>>;
}

/// Why the registry gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryFault {
    /// The registry knows no such repository or tag.
    #[error("{0}")]
    NotFound(String),
    /// Credentials are missing or wrong.
    #[error("{0}")]
    Denied(String),
    /// The registry asks to come back later.
    #[error("{message}")]
    RateLimited {
        /// What it said.
        message: String,
        /// Seconds to wait, as it asked (already bounded).
        retry_after_seconds: u32,
    },
    /// Network, TLS, 5xx, a broken or partial answer.
    #[error("{0}")]
    Unavailable(String),
}

/// The only clock of the agent. Virtual in tests.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// Where ended rollouts go, one JSON document each. At least once: the same id may come again.
pub trait RecordSink: Send + Sync {
    /// Stores one record durably. `id` is the Rollout's uid.
    fn store<'a>(&'a self, id: &'a str, record: &'a str) -> BoxFuture<'a, Result<(), String>>;
}
