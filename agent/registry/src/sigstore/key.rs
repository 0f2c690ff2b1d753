//! Public keys: ECDSA P-256 with SHA-256 and Ed25519, what cosign, Fulcio and Rekor use.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::ring::{ECDSA_P256_SHA256, ED25519};
use webpki::{Error, RawPublicKeyEntity};

use crate::signature::Refused;

/// A SubjectPublicKeyInfo. A key of another kind verifies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key(SubjectPublicKeyInfoDer<'static>);

impl Key {
    pub(super) fn from_pem(text: &str) -> Result<Self, Refused> {
        SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
            .map(Self)
            .map_err(|_| Refused::new("the signer's publicKey is not PEM of a public key"))
    }

    pub(super) fn from_der(der: Vec<u8>) -> Self {
        Self(der.into())
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.0
    }

    /// `Ok` where the signature over the message is by this key.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        let key = RawPublicKeyEntity::try_from(&self.0)
            .map_err(|_| Refused::new("a public key is no DER of one"))?;
        let by = |algorithm: &dyn SignatureVerificationAlgorithm| {
            key.verify_signature(algorithm, message, signature)
        };
        let wrong = || Refused::new("it is not by this key, or of other content");
        for algorithm in [ECDSA_P256_SHA256, ED25519] {
            match by(algorithm) {
                Ok(()) => return Ok(()),
                Err(Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
                Err(_) => return Err(wrong()),
            }
        }
        Err(Refused::new(
            "the key is neither ECDSA P-256 nor Ed25519, and no other kind is used",
        ))
    }
}
