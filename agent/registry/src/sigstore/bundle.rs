//! Sigstore bundles, version 0.3: a signed envelope, its certificate, its log entry, in one JSON.

use serde::{Deserialize, Deserializer};
use sluice_core::problem::quoted;

use super::log::{Entry, Proof};
use super::{Evidence, base64};
use crate::signature::Refused;

const IN_TOTO: &str = "application/vnd.in-toto+json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    #[serde(default)]
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default)]
    certificate: Option<Certificate>,
    #[serde(default)]
    tlog_entries: Vec<LogEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEntry {
    #[serde(deserialize_with = "integer")]
    log_index: u64,
    log_id: LogId,
    #[serde(default, deserialize_with = "integer")]
    integrated_time: u64,
    #[serde(default)]
    inclusion_promise: Option<Promise>,
    inclusion_proof: InclusionProof,
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    /// Left out where it is 0, as protobuf does.
    #[serde(default, deserialize_with = "integer")]
    log_index: u64,
    root_hash: String,
    #[serde(deserialize_with = "integer")]
    tree_size: u64,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Deserialize)]
struct Checkpoint {
    envelope: String,
}

/// What a bundle has. Its payload is not looked at.
pub(super) fn read(bytes: &[u8]) -> Result<Evidence, Refused> {
    let bundle: Bundle = serde_json::from_slice(bytes)
        .map_err(|error| Refused::new(format!("its bundle cannot be read: {error}")))?;
    let known = [
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
    ];
    if !known.contains(&bundle.media_type.as_str()) {
        let kind = quoted(&bundle.media_type);
        return Err(Refused::new(format!(
            "its bundle is a {kind}, not a bundle of version 0.3"
        )));
    }
    let envelope = bundle
        .dsse_envelope
        .ok_or_else(|| Refused::new("its bundle has no statement that says what was signed"))?;
    if envelope.payload_type != IN_TOTO {
        return Err(Refused::new("its envelope holds no in-toto statement"));
    }
    let [signature] = <[EnvelopeSignature; 1]>::try_from(envelope.signatures)
        .map_err(|_| Refused::new("its envelope has not exactly one signature"))?;
    let content = base64("the statement", &envelope.payload)?;
    let material = bundle.verification_material;
    let entry = match <[LogEntry; 1]>::try_from(material.tlog_entries) {
        Ok([entry]) => Some(log_entry(entry)?),
        Err(none) if none.is_empty() => None,
        Err(_) => return Err(Refused::new("its bundle has more than one log entry")),
    };
    let certificate = |certificate: Certificate| base64("the certificate", &certificate.raw_bytes);
    Ok(Evidence {
        message: pre_authentication(&envelope.payload_type, &content),
        content,
        signature: base64("the signature", &signature.sig)?,
        certificate: material.certificate.map(certificate).transpose()?,
        entry,
    })
}

/// What an envelope's signature is over: type and payload, each with its length (DSSE).
fn pre_authentication(kind: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

fn log_entry(entry: LogEntry) -> Result<Entry, Refused> {
    let promise = entry.inclusion_promise.ok_or_else(|| {
        Refused::new(
            "its log entry has no signed time; timestamps of other authorities are not used",
        )
    })?;
    let proof = entry.inclusion_proof;
    Ok(Entry {
        log_id: base64("the log's id", &entry.log_id.key_id)?,
        index: entry.log_index,
        seconds: i64::try_from(entry.integrated_time)
            .map_err(|_| Refused::new("its log entry is of no time"))?,
        body: entry.canonicalized_body,
        promise: base64("the log's promise", &promise.signed_entry_timestamp)?,
        proof: Some(Proof {
            index: proof.log_index,
            size: proof.tree_size,
            root: hash(&proof.root_hash)?,
            path: proof
                .hashes
                .iter()
                .map(|text| hash(text))
                .collect::<Result<_, _>>()?,
            checkpoint: proof.checkpoint.envelope,
        }),
    })
}

fn hash(text: &str) -> Result<[u8; 32], Refused> {
    base64("a hash of the log", text)?
        .try_into()
        .map_err(|_| Refused::new("a hash of the log has another length"))
}

/// Integers of 64 bits are strings in the JSON of protobuf; some write them as numbers.
fn integer<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(from)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}
