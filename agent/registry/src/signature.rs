//! Signatures as they are found, and who can tell whether one holds.

use bytes::Bytes;
use sluice_core::policy::Signer;

/// Media type of what cosign 1 and 2 sign.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Annotation of its layer with the signature.
pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// The image that a signature must be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedImage<'a> {
    /// Host and path, such as `registry.example.com/shop/storefront`.
    pub repository: &'a str,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: &'a str,
}

/// A signature as a registry has it. Nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// One layer under the tag `sha256-<hex>.sig`, with its annotations: cosign 1 and 2.
    Attached {
        /// The bytes that were signed.
        payload: Bytes,
        /// The signature, in base64.
        signature: String,
        /// The certificate of a keyless signer, as PEM.
        certificate: Option<String>,
        /// The transparency log's word, as JSON.
        log: Option<String>,
    },
    /// A Sigstore bundle that refers to the image, as JSON: cosign 3.
    Bundle(Bytes),
}

/// Why a signature does not prove that this signer signed this image: one clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Refused {
    /// With this reason, without a full stop.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Tells whether a signature holds. Pure and offline: everything it needs was given to it before.
pub trait Verifier: Send + Sync {
    /// `Ok` only where this signer signed this very image.
    ///
    /// # Errors
    /// In every other case, also where the signature cannot be read or understood.
    fn check(
        &self,
        signature: &Signature,
        image: SignedImage<'_>,
        signer: &Signer,
    ) -> Result<(), Refused>;
}
