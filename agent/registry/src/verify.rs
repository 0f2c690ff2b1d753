//! Which of some signers signed an image (reliability.md S1 to S6).
//!
//! Signatures are looked for in both places where they may be: under the tag `sha256-<hex>.sig` and
//! among what refers to the digest. They are gone through one by one, so that no more than one is
//! in memory, and up to a limit, so that whoever may push cannot keep the agent busy (attack 5).
//!
//! Three answers: these signed; none of them did; or it could not be told, which is an error. A
//! signature that is broken or somebody else's is the second. A registry that fails, that gives
//! other bytes than it names, or that has more signatures than are looked at, is the third.

use std::collections::BTreeMap;

use sluice_core::image::facts::{PROOFS, SignatureProof};
use sluice_core::policy::Signer;
use sluice_core::port::RegistryFault;

use crate::content;
use crate::digest::Digest;
use crate::session::Session;
use crate::signature::{Refused, Signature, SignedImage, Verifier};

mod attached;
mod referrers;

/// Signatures that are looked at in each of the two places. An image is signed once or twice;
/// signed anew each week, it reaches this in half a year.
pub(crate) const MOST_SIGNATURES: usize = 32;
/// A list of signatures: 32 with certificate and log entry take 300 KiB.
pub(crate) const MOST_LIST_BYTES: usize = 1024 * 1024;
/// One payload or bundle. Payloads have under 1 KiB, bundles of image signatures about 10 KiB.
pub(crate) const MOST_SIGNATURE_BYTES: usize = 128 * 1024;

/// Goes through signatures until every signer is found, or there are no more.
pub(crate) struct Search<'a> {
    session: &'a Session<'a>,
    image: SignedImage<'a>,
    digest: Digest,
    missing: BTreeMap<&'a str, &'a Signer>,
    proofs: Vec<SignatureProof>,
    /// Why the answer is not known, where it is not.
    untold: Option<String>,
}

/// The signers, of those given, who signed the image with this digest.
pub(crate) async fn verify(
    session: &Session<'_>,
    digest: &str,
    signers: &BTreeMap<String, Signer>,
) -> Result<Vec<SignatureProof>, RegistryFault> {
    let parsed = content::named(session, digest)?;
    let mut search = Search {
        session,
        image: SignedImage {
            repository: session.repository.name(),
            digest,
        },
        digest: parsed,
        missing: signers
            .iter()
            .map(|(name, signer)| (name.as_str(), signer))
            .collect(),
        proofs: Vec::new(),
        untold: None,
    };
    attached::search(&mut search).await?;
    if !search.is_over() {
        referrers::search(&mut search).await?;
    }
    search.answer()
}

impl Search<'_> {
    /// Whether nothing more can be found.
    fn is_over(&self) -> bool {
        self.missing.is_empty() || self.proofs.len() >= PROOFS
    }

    /// Notes why an answer would not be the whole truth.
    fn cannot_tell(&mut self, why: impl Into<String>) {
        self.untold.get_or_insert_with(|| why.into());
    }

    /// Tries one signature for every signer that is still missing.
    fn try_one(&mut self, signature: &Signature) {
        let verifier: &dyn Verifier = self.session.registry.verifier.as_ref();
        let image = self.image;
        let mut found = Vec::new();
        for (name, signer) in &self.missing {
            match verifier.check(signature, image, signer) {
                Ok(()) => found.push((*name, signer.definition())),
                // For whoever asks why; the refusal itself is that no proof is there.
                Err(refused) => self.note(name, &refused),
            }
        }
        for (name, definition) in found {
            self.missing.remove(name);
            self.proofs.push(SignatureProof {
                signer: name.to_owned(),
                definition,
            });
        }
    }

    fn note(&self, signer: &str, refused: &Refused) {
        let (repository, digest) = (self.image.repository, self.image.digest);
        tracing::debug!(
            repository,
            digest,
            signer,
            "a signature does not count: {refused}"
        );
    }

    fn answer(mut self) -> Result<Vec<SignatureProof>, RegistryFault> {
        if let Some(why) = self.untold.filter(|_| self.proofs.is_empty()) {
            return Err(self.session.ask.unavailable(
                why,
                "The image counts as unsigned until this is put right in the registry",
            ));
        }
        self.proofs.sort();
        self.proofs.truncate(PROOFS);
        Ok(self.proofs)
    }
}
