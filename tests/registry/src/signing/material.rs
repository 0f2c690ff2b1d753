//! What is signed, and how cosign wraps it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::instance::Certified;
use super::key::{Key, pem};
use super::transparency::Entry;
use super::{base64, hex, sha256};

/// One signature under the tag `sha256-<hex>.sig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// The bytes that were signed.
    pub payload: Vec<u8>,
    /// Signature, certificate and log entry, under cosign's keys.
    pub annotations: BTreeMap<String, String>,
}

/// The payload of cosign 1 and 2.
#[must_use]
pub fn simple_signing(repository: &str, digest: &str) -> Vec<u8> {
    json!({
        "critical": {
            "identity": {"docker-reference": repository},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string()
    .into_bytes()
}

/// The statement of cosign 3, of another predicate where one is given.
#[must_use]
pub fn in_toto(digest: &str, predicate: Option<&str>) -> Vec<u8> {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest.trim_start_matches("sha256:")}}],
        "predicateType": predicate.unwrap_or("https://sigstore.dev/cosign/sign/v1"),
        "predicate": {},
    })
    .to_string()
    .into_bytes()
}

/// What the signature of an envelope is over.
#[must_use]
pub fn pre_authentication(statement: &[u8]) -> Vec<u8> {
    let kind = "application/vnd.in-toto+json";
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), statement.len());
    [head.as_bytes(), statement].concat()
}

/// A signature to attach.
#[must_use]
pub fn layer(
    payload: &[u8],
    signature: &[u8],
    certificate: Option<&[u8]>,
    entry: Option<&Entry>,
) -> Layer {
    let mut annotations = BTreeMap::new();
    let mut put = |key: &str, value: String| annotations.insert(key.to_owned(), value);
    put("dev.cosignproject.cosign/signature", base64(signature));
    if let Some(certificate) = certificate {
        put(
            "dev.sigstore.cosign/certificate",
            certificate_pem(certificate),
        );
    }
    if let Some(entry) = entry {
        put("dev.sigstore.cosign/bundle", entry.in_annotation());
    }
    Layer {
        payload: payload.to_vec(),
        annotations,
    }
}

/// A bundle, version 0.3.
#[must_use]
pub fn bundle(
    statement: &[u8],
    signature: &[u8],
    certificate: Option<&[u8]>,
    entry: Option<&Entry>,
) -> Value {
    let mut material = json!({
        "tlogEntries": entry.map(Entry::in_bundle).into_iter().collect::<Vec<_>>(),
    });
    if let Some(material) = material.as_object_mut() {
        let (name, value) = match certificate {
            Some(bytes) => ("certificate", json!({"rawBytes": base64(bytes)})),
            None => ("publicKey", json!({"hint": "release"})),
        };
        material.insert(name.to_owned(), value);
    }
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": material,
        "dsseEnvelope": {
            "payload": base64(statement),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": base64(signature)}],
        },
    })
}

/// What is recorded of an attached signature.
#[must_use]
pub fn hashedrekord_body(message: &[u8], signature: &[u8], holder_pem: &str) -> Value {
    json!({
        "apiVersion": "0.0.1", "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": hex(&sha256(&[message]))}},
            "signature": {
                "content": base64(signature),
                "publicKey": {"content": base64(holder_pem)},
            },
        },
    })
}

/// What is recorded of an envelope.
#[must_use]
pub fn dsse_body(statement: &[u8], signature: &[u8], holder_pem: &str) -> Value {
    json!({
        "apiVersion": "0.0.1", "kind": "dsse",
        "spec": {
            "payloadHash": {"algorithm": "sha256", "value": hex(&sha256(&[statement]))},
            "signatures": [{"signature": base64(signature), "verifier": base64(holder_pem)}],
        },
    })
}

/// A certificate in PEM.
#[must_use]
pub fn certificate_pem(certificate: &[u8]) -> String {
    pem("CERTIFICATE", certificate)
}

impl Key {
    /// Signs an image as `cosign sign --key` of version 1 and 2 does.
    #[must_use]
    pub fn attach(&self, repository: &str, digest: &str) -> Layer {
        let payload = simple_signing(repository, digest);
        layer(&payload, &self.sign(&payload), None, None)
    }

    /// Signs an image as `cosign sign --key` of version 3 does.
    #[must_use]
    pub fn bundle(&self, digest: &str) -> Value {
        let statement = in_toto(digest, None);
        let signature = self.sign(&pre_authentication(&statement));
        bundle(&statement, &signature, None, None)
    }
}

impl super::Instance {
    /// Signs an image as `cosign sign` of version 1 and 2 does, at this time.
    #[must_use]
    pub fn attach(&self, by: &Certified, repository: &str, digest: &str, seconds: u64) -> Layer {
        let payload = simple_signing(repository, digest);
        let signature = by.key.sign(&payload);
        let holder = certificate_pem(&by.certificate);
        let body = hashedrekord_body(&payload, &signature, &holder);
        let entry = self.transparency.record(&body, seconds);
        layer(&payload, &signature, Some(&by.certificate), Some(&entry))
    }

    /// Signs an image as `cosign sign` of version 3 does, at this time.
    #[must_use]
    pub fn bundle(&self, by: &Certified, digest: &str, seconds: u64) -> Value {
        let statement = in_toto(digest, None);
        let signature = by.key.sign(&pre_authentication(&statement));
        let holder = certificate_pem(&by.certificate);
        let body = dsse_body(&statement, &signature, &holder);
        let entry = self.transparency.record(&body, seconds);
        bundle(&statement, &signature, Some(&by.certificate), Some(&entry))
    }
}
