//! An entry of a transparency log (Rekor 1): that somebody used this key for this content, and when.
//!
//! The time is what a keyless signature stands on: its certificate was valid for ten minutes. So the
//! entry must be of a known log, signed by it, and speak of this content, this signature and this
//! certificate (reliability.md S4). Each of the three alone has been forgotten by somebody.

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::hash::{canonical_json, hex, sha256_hex, unhex};

use super::trust::TrustRoot;
use super::{Evidence, base64, merkle};
use crate::signature::Refused;

/// An entry has certificate, signature and hash: under 4 KiB.
const MOST_BODY_BYTES: usize = 32 * 1024;

/// An entry, as the signature brings it along.
pub(super) struct Entry {
    pub(super) log_id: Vec<u8>,
    pub(super) index: u64,
    pub(super) seconds: i64,
    /// The entry itself, in base64 as the log signed it.
    pub(super) body: String,
    /// The log's signature over all of the above.
    pub(super) promise: Vec<u8>,
    /// The proof that the log has it; always there in bundles.
    pub(super) proof: Option<Proof>,
}

/// The way from an entry to the root of the log's tree.
pub(super) struct Proof {
    pub(super) index: u64,
    pub(super) size: u64,
    pub(super) root: [u8; 32],
    pub(super) path: Vec<[u8; 32]>,
    pub(super) checkpoint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Annotation {
    signed_entry_timestamp: String,
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    body: String,
    integrated_time: i64,
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    kind: String,
    api_version: String,
    spec: Value,
}

#[derive(Deserialize)]
struct HashedRekord {
    data: Data,
    signature: OneSignature,
}

#[derive(Deserialize)]
struct Data {
    hash: Hash,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneSignature {
    content: String,
    public_key: Holder,
}

#[derive(Deserialize)]
struct Holder {
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse {
    payload_hash: Hash,
    signatures: Vec<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    signature: String,
    verifier: String,
}

impl Entry {
    /// As cosign 1 and 2 keep it beside a signature.
    pub(super) fn from_annotation(json: &str) -> Result<Self, Refused> {
        let unreadable = || Refused::new("its log entry cannot be read");
        let annotation: Annotation = serde_json::from_str(json).map_err(|_| unreadable())?;
        let payload = annotation.payload;
        Ok(Self {
            log_id: unhex(&payload.log_id).ok_or_else(unreadable)?,
            index: payload.log_index,
            seconds: payload.integrated_time,
            body: payload.body,
            promise: base64("the log's promise", &annotation.signed_entry_timestamp)?,
            proof: None,
        })
    }

    /// `Ok` where the entry records this signature over this content by this key or certificate
    /// (DER), and nothing else.
    pub(super) fn is_about(&self, evidence: &Evidence, holder: &[u8]) -> Result<(), Refused> {
        let unreadable = || Refused::new("its log entry cannot be read");
        let bytes = self.body()?;
        let body: Body = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
        let (hash, of, signature, by) = match (body.kind.as_str(), body.api_version.as_str()) {
            ("hashedrekord", "0.0.1") => {
                let spec: HashedRekord =
                    serde_json::from_value(body.spec).map_err(|_| unreadable())?;
                let signature = spec.signature;
                let (content, by) = (signature.content, signature.public_key.content);
                (spec.data.hash, &evidence.message, content, by)
            }
            ("dsse", "0.0.1") => {
                let spec: Dsse = serde_json::from_value(body.spec).map_err(|_| unreadable())?;
                let [signed] = <[Signed; 1]>::try_from(spec.signatures)
                    .map_err(|_| Refused::new("its log entry has not exactly one signature"))?;
                let (signature, by) = (signed.signature, signed.verifier);
                (spec.payload_hash, &evidence.content, signature, by)
            }
            _ => return Err(Refused::new("its log entry is of a kind that is not known")),
        };
        if hash.algorithm != "sha256" || hash.value != sha256_hex(of) {
            return Err(Refused::new("its log entry is about other content"));
        }
        if base64("the log entry's signature", &signature)? != evidence.signature {
            return Err(Refused::new("its log entry is about another signature"));
        }
        if der_of(&base64("the log entry's key", &by)?).as_deref() != Some(holder) {
            return Err(Refused::new("its log entry is about another key"));
        }
        Ok(())
    }

    /// When the log took the entry, by its signature.
    pub(super) fn time(&self, trust: &TrustRoot) -> Result<Timestamp, Refused> {
        let log = trust
            .log(&self.log_id)
            .ok_or_else(|| Refused::new("its log entry is of a log that is not trusted"))?;
        let time = Timestamp::from_second(self.seconds)
            .ok()
            .filter(|time| log.valid.contains(*time))
            .ok_or_else(|| Refused::new("its log entry is of a time when the log was not used"))?;
        let promised = canonical_json(&json!({
            "body": self.body,
            "integratedTime": self.seconds,
            "logID": hex(&self.log_id),
            "logIndex": self.index,
        }));
        log.key
            .verify(promised.as_bytes(), &self.promise)
            .map_err(|_| Refused::new("its log entry is not signed by the log"))?;
        if let Some(proof) = &self.proof {
            let root = merkle::root(&self.body()?, proof.index, proof.size, &proof.path)?;
            if root != proof.root {
                return Err(Refused::new("the log's proof does not fit its tree"));
            }
            merkle::checkpoint(&proof.checkpoint, log, proof.size, &root)?;
        }
        Ok(time)
    }

    fn body(&self) -> Result<Vec<u8>, Refused> {
        if self.body.len() > MOST_BODY_BYTES {
            return Err(Refused::new("its log entry is too large"));
        }
        base64("the log entry", &self.body)
    }
}

/// The bytes within PEM of a certificate or a public key.
fn der_of(pem: &[u8]) -> Option<Vec<u8>> {
    CertificateDer::from_pem_slice(pem)
        .map(|certificate| certificate.to_vec())
        .or_else(|_| SubjectPublicKeyInfoDer::from_pem_slice(pem).map(|key| key.to_vec()))
        .ok()
}
