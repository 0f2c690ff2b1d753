//! Signatures as cosign makes them, checked offline: with a public key, or by an identity in a
//! certificate of Fulcio whose use Rekor has recorded.
//!
//! The parts, each in its module: what was signed (`claim`), with which key (`key`), by whom
//! (`certificate`), known to which certificate log (`sct`), recorded when (`log`, `merkle`), and
//! whom all of that rests on (`trust`). There is no way to pass but through all of them: each is a
//! `Result`, and a step that cannot be made is a refusal (reliability.md S3, S4).
//!
//! Left out on purpose: RSA keys, signed timestamps in place of Rekor's (bundles of Rekor 2),
//! bundles before version 0.3, and bare signatures over a digest without a statement.

use sluice_core::policy::{Keyless, Signer};

use crate::signature::{Refused, Signature, SignedImage, Verifier};

mod bundle;
mod certificate;
mod claim;
mod key;
mod log;
mod merkle;
mod sct;
mod trust;

pub(crate) use claim::IMAGE_SIGNATURE;
pub(crate) use trust::{TrustError, TrustRoot};

use certificate::Leaf;
use key::Key;
use log::Entry;

/// The verifier of the shipped agent.
pub(crate) struct Sigstore {
    trust: TrustRoot,
}

/// Everything that belongs to one signature. Not yet believed, but for `message`, which says what
/// it should.
struct Evidence {
    /// The bytes that were signed.
    message: Vec<u8>,
    /// What the log calls the content: the message, or the payload within an envelope.
    content: Vec<u8>,
    signature: Vec<u8>,
    certificate: Option<Vec<u8>>,
    entry: Option<Entry>,
}

impl Sigstore {
    pub(crate) fn new(trust: TrustRoot) -> Self {
        Self { trust }
    }

    fn by_key(evidence: &Evidence, pem: &str) -> Result<(), Refused> {
        let key = Key::from_pem(pem)?;
        key.verify(&evidence.message, &evidence.signature)?;
        // Nothing rests on the log here; but one that speaks of something else is a forgery.
        match &evidence.entry {
            Some(entry) => entry.is_about(evidence, key.der()),
            None => Ok(()),
        }
    }

    fn by_identity(&self, evidence: &Evidence, keyless: &Keyless) -> Result<(), Refused> {
        let subject = keyless
            .subject()
            .map_err(|problem| Refused::new(problem.to_string()))?;
        let certificate = evidence
            .certificate
            .as_deref()
            .ok_or_else(|| Refused::new("it has no certificate, so it is of no identity"))?;
        let entry = evidence.entry.as_ref().ok_or_else(|| {
            Refused::new("no transparency log says when it was made, so its certificate is expired")
        })?;
        let leaf = Leaf::parse(certificate)?;
        // By cost: most signatures of others end here.
        leaf.is_of(&keyless.issuer, &subject)?;
        leaf.key()?.verify(&evidence.message, &evidence.signature)?;
        entry.is_about(evidence, certificate)?;
        let time = entry.time(&self.trust)?;
        leaf.verify(&self.trust, time)
    }
}

impl Verifier for Sigstore {
    fn check(
        &self,
        signature: &Signature,
        image: SignedImage<'_>,
        signer: &Signer,
    ) -> Result<(), Refused> {
        let evidence = match signature {
            Signature::Attached {
                payload,
                signature,
                certificate,
                log,
            } => {
                claim::simple(payload, image)?;
                Evidence {
                    message: payload.to_vec(),
                    content: payload.to_vec(),
                    signature: base64("the signature", signature)?,
                    certificate: certificate
                        .as_deref()
                        .map(certificate::from_pem)
                        .transpose()?,
                    entry: log.as_deref().map(Entry::from_annotation).transpose()?,
                }
            }
            Signature::Bundle(bytes) => {
                let evidence = bundle::read(bytes)?;
                claim::statement(&evidence.content, image)?;
                evidence
            }
        };
        match signer {
            Signer::PublicKey(pem) => Self::by_key(&evidence, pem),
            Signer::Keyless(keyless) => self.by_identity(&evidence, keyless),
        }
    }
}

/// Decodes base64 as Sigstore writes it.
fn base64(what: &str, text: &str) -> Result<Vec<u8>, Refused> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|_| Refused::new(format!("{what} is not base64")))
}

/// SHA-256.
fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests;
