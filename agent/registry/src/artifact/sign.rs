//! Signs as `cosign sign --key` of version 1 and 2 does: a payload that names repository and digest,
//! under the tag `sha256-<hex>.sig` beside the plugin. Whoever verifies cannot tell the difference,
//! and cosign itself verifies it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sluice_core::policy::Signer;
use sluice_core::port::Registry as _;

use super::ArtifactFault;
use super::layout::MANIFEST_TYPE;
use super::push::{blob, descriptor, put_manifest};
use crate::client::OciRegistry;
use crate::content;
use crate::fault::{Ask, BROKEN};
use crate::session::{Access, Session};
use crate::signature::{SIGNATURE, SIMPLE_SIGNING};
use crate::verify::MOST_LIST_BYTES;

/// What stands before the point of a P-256 key in its `SubjectPublicKeyInfo` (RFC 5480).
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A private key to sign with.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

/// Why a key cannot be signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// cosign's own form, locked with a password.
    #[error(
        "this is cosign's own form of a key, locked with a password; sign with \
         `cosign sign --key`, whose signatures count as well"
    )]
    Cosign,
    /// Something else.
    #[error(
        "this is no unencrypted ECDSA P-256 key as PEM (BEGIN PRIVATE KEY); make one with: openssl \
         genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
    )]
    Other,
}

impl SigningKey {
    /// Reads PKCS#8 in PEM, ECDSA on P-256.
    ///
    /// # Errors
    /// Where it is anything else.
    pub fn from_pem(text: &str) -> Result<Self, SigningKeyError> {
        if text.contains("BEGIN ENCRYPTED") {
            return Err(SigningKeyError::Cosign);
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| SigningKeyError::Other)?;
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            der.secret_pkcs8_der(),
            &random,
        )
        .map_err(|_| SigningKeyError::Other)?;
        Ok(Self { pair, random })
    }

    /// The public key as PEM, to be written into `plugins.yaml`.
    #[must_use]
    pub fn public_pem(&self) -> String {
        let der = [P256_PREFIX.as_slice(), self.pair.public_key().as_ref()].concat();
        let text = STANDARD.encode(der);
        let (first, second) = text.split_at(text.len().min(64));
        format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n")
    }
}

impl OciRegistry {
    /// Signs what has this digest and stores the signature beside those that are there. Two who sign
    /// the same plugin at the same moment may lose one signature: the list is one object of the
    /// registry. What was stored is read back and verified before this answers.
    ///
    /// # Errors
    /// Where the registry refuses or breaks the protocol, or the signature is not there afterwards.
    pub async fn sign(
        &self,
        repository: &str,
        digest: &str,
        key: &SigningKey,
    ) -> Result<(), ArtifactFault> {
        let limit = self.limits.deadline;
        let ask = Ask::sign(repository, digest);
        self.call_within(limit, Access::Push, ask, repository, |session| async move {
            store(&session, digest, key).await
        })
        .await?;
        let me = BTreeMap::from([("me".to_owned(), Signer::PublicKey(key.public_pem()))]);
        let found = self.verify(repository, digest, &me).await?;
        if found.is_empty() {
            return Err(Ask::sign(repository, digest)
                .unavailable("it is not there when it is read back", "Sign again")
                .into());
        }
        Ok(())
    }
}

async fn store(session: &Session<'_>, digest: &str, key: &SigningKey) -> Result<(), ArtifactFault> {
    let named = content::named(session, digest)?;
    // What is not there must not be signed: a wrong digest would be found out much later.
    let _signed = super::manifest(session, &named).await?;
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": session.repository.name()},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    let payload = Bytes::from(payload.to_string());
    let signature = key.pair.sign(&key.random, &payload).map_err(|_| {
        session
            .ask
            .unavailable("the machine has no randomness", BROKEN)
    })?;
    let mut layer = descriptor(SIMPLE_SIGNING, &blob(session, &payload, &|_| ()).await?);
    if let Some(layer) = layer.as_object_mut() {
        let annotations = json!({SIGNATURE: STANDARD.encode(signature.as_ref())});
        layer.insert("annotations".to_owned(), annotations);
    }
    let tag = digest.replace(':', "-") + ".sig";
    let mut layers = match content::tagged(session, &tag, MOST_LIST_BYTES).await? {
        Some(list) => layers(session, &list)?,
        None => Vec::new(),
    };
    layers.push(layer);
    let digests: Vec<&Value> = layers
        .iter()
        .filter_map(|layer| layer.get("digest"))
        .collect();
    let config = json!({
        "architecture": "", "os": "", "config": {},
        "rootfs": {"type": "layers", "diff_ids": digests},
    });
    let config = blob(session, &Bytes::from(config.to_string()), &|_| ()).await?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": layers,
    });
    put_manifest(session, Some(&tag), Bytes::from(manifest.to_string())).await?;
    Ok(())
}

/// The signatures that are there already.
fn layers(session: &Session<'_>, list: &[u8]) -> Result<Vec<Value>, ArtifactFault> {
    let layers = serde_json::from_slice::<Value>(list)
        .ok()
        .and_then(|mut list| match list.get_mut("layers")?.take() {
            Value::Array(layers) => Some(layers),
            _ => None,
        });
    layers.ok_or_else(|| {
        session
            .ask
            .unavailable(
                "what is stored where signatures are is no list of signatures",
                "Look at the tag that ends in .sig and remove it",
            )
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_another_form_is_refused_with_what_to_do() {
        let of = |text: &str| SigningKey::from_pem(text).err().unwrap();
        let cosign = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n";
        assert_eq!(of(cosign), SigningKeyError::Cosign);
        let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        for text in ["", "x", public] {
            assert_eq!(of(text), SigningKeyError::Other);
        }
    }
}
