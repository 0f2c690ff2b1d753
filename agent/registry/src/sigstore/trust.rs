//! Whom keyless signatures rest on: certificate authorities, transparency logs and certificate logs,
//! with the times in which each was used. The form is Sigstore's `trusted_root.json`.
//!
//! The public good instance's is built in. It changes by a new release of Sluice, or by a file that
//! the operator names; never by itself (reliability.md S6).

use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::name::Name;

use super::key::Key;
use super::{base64, sct};
use crate::signature::Refused;

/// The public good instance, as of 2026-11.
pub(super) const PUBLIC_GOOD: &str = include_str!("../../trust/public-good.json");
/// The public one has 7 KiB, that of GitHub 31 KiB.
const MOST_BYTES: u64 = 1024 * 1024;
/// Authorities, logs and certificates of one chain. Each is tried in turn.
const MOST: usize = 32;

/// A trust root that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    #[error("cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("is larger than {MOST_BYTES} bytes")]
    TooLarge,
    #[error("is not a trusted_root.json of Sigstore: {0}")]
    Json(#[from] serde_json::Error),
    #[error("has {0}")]
    Content(String),
}

/// What is trusted.
#[derive(Debug)]
pub(crate) struct TrustRoot {
    logs: Vec<Log>,
    certificate_logs: Vec<Log>,
    authorities: Vec<Authority>,
}

/// A log that signs what it has recorded.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) id: Vec<u8>,
    pub(super) key: Key,
    pub(super) valid: Period,
}

/// A certificate authority with its chain.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) root: CertificateDer<'static>,
    pub(super) intermediates: Vec<CertificateDer<'static>>,
    parsed: Vec<Certificate>,
    valid: Period,
}

/// From when to when something was used; without an end, it still is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Period {
    start: Timestamp,
    #[serde(default)]
    end: Option<Timestamp>,
}

impl Period {
    pub(super) fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && self.end.is_none_or(|end| at <= end)
    }
}

// Every field of the form is named, so that a new one is an error and not a silent hole (S3).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    media_type: String,
    #[serde(default)]
    tlogs: Vec<LogForm>,
    #[serde(default)]
    certificate_authorities: Vec<AuthorityForm>,
    #[serde(default)]
    ctlogs: Vec<LogForm>,
    #[serde(default)]
    #[expect(dead_code, reason = "named so that it is no unknown field; not used")]
    timestamp_authorities: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "named so that they are no unknown fields")]
struct LogForm {
    #[serde(default)]
    base_url: String,
    #[serde(default)]
    hash_algorithm: String,
    public_key: KeyForm,
    log_id: IdForm,
    #[serde(default)]
    checkpoint_key_id: Option<IdForm>,
    #[serde(default)]
    operator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyForm {
    raw_bytes: String,
    key_details: String,
    valid_for: Period,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IdForm {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "named so that they are no unknown fields")]
struct AuthorityForm {
    #[serde(default)]
    subject: serde_json::Value,
    #[serde(default)]
    uri: String,
    cert_chain: ChainForm,
    valid_for: Period,
    #[serde(default)]
    operator: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChainForm {
    certificates: Vec<CertificateForm>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CertificateForm {
    raw_bytes: String,
}

impl TrustRoot {
    /// Sigstore's public good instance.
    pub(crate) fn public_good() -> Result<Self, TrustError> {
        Self::parse(PUBLIC_GOOD)
    }

    /// The operator's own.
    pub(crate) fn from_file(path: &Path) -> Result<Self, TrustError> {
        if std::fs::metadata(path)?.len() > MOST_BYTES {
            return Err(TrustError::TooLarge);
        }
        Self::parse(&std::fs::read_to_string(path)?)
    }

    pub(super) fn parse(json: &str) -> Result<Self, TrustError> {
        let document: Document = serde_json::from_str(json)?;
        let kind = "application/vnd.dev.sigstore.trustedroot";
        if !document.media_type.starts_with(kind) {
            return Err(TrustError::Content("another mediaType".to_owned()));
        }
        let root = Self {
            logs: logs(document.tlogs, "tlogs")?,
            certificate_logs: logs(document.ctlogs, "ctlogs")?,
            authorities: authorities(document.certificate_authorities)?,
        };
        if root.logs.is_empty() || root.authorities.is_empty() {
            let none = "no transparency log or no certificate authority, so that no keyless \
                        signature could hold";
            return Err(TrustError::Content(none.to_owned()));
        }
        Ok(root)
    }

    /// The transparency log with this id.
    pub(super) fn log(&self, id: &[u8]) -> Option<&Log> {
        self.logs.iter().find(|log| log.id == id)
    }

    pub(super) fn has_certificate_logs(&self) -> bool {
        !self.certificate_logs.is_empty()
    }

    /// The certificate log with this id, if it was used at this time.
    pub(super) fn certificate_log(&self, id: &[u8], at: Timestamp) -> Option<&Log> {
        self.certificate_logs
            .iter()
            .find(|log| log.id == id && log.valid.contains(at))
    }

    /// The authorities that issued certificates at this time.
    pub(super) fn authorities(&self, at: Timestamp) -> impl Iterator<Item = &Authority> {
        self.authorities
            .iter()
            .filter(move |authority| authority.valid.contains(at))
    }
}

impl Authority {
    /// `Ok` where the root itself was valid at this time.
    pub(super) fn root_is_valid(&self, at: Timestamp) -> Result<(), Refused> {
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        let now = u64::try_from(at.as_second()).unwrap_or_default();
        let valid = self.parsed.last().is_some_and(|root| {
            let validity = root.tbs_certificate().validity();
            seconds(validity.not_before) <= now && now <= seconds(validity.not_after)
        });
        if valid {
            Ok(())
        } else {
            Err(Refused::new(
                "the root of its certificate was not valid when it was signed",
            ))
        }
    }

    /// The hashed keys of the certificates with this subject.
    pub(super) fn key_hashes_of(&self, subject: &Name) -> Vec<[u8; 32]> {
        self.parsed
            .iter()
            .filter(|one| one.tbs_certificate().subject() == subject)
            .filter_map(sct::key_hash)
            .collect()
    }
}

fn logs(forms: Vec<LogForm>, field: &str) -> Result<Vec<Log>, TrustError> {
    within(forms.len(), field)?;
    forms
        .into_iter()
        // Keys of another kind verify nothing; a log that is not known is not trusted.
        .filter(|form| {
            form.public_key.key_details.contains("P256")
                || form.public_key.key_details.contains("ED25519")
        })
        .map(|form| {
            Ok(Log {
                id: decoded(field, &form.log_id.key_id)?,
                key: Key::from_der(decoded(field, &form.public_key.raw_bytes)?),
                valid: form.public_key.valid_for,
            })
        })
        .collect()
}

fn authorities(forms: Vec<AuthorityForm>) -> Result<Vec<Authority>, TrustError> {
    let field = "certificateAuthorities";
    within(forms.len(), field)?;
    forms
        .into_iter()
        .map(|form| authority(form, field))
        .collect()
}

fn authority(form: AuthorityForm, field: &str) -> Result<Authority, TrustError> {
    within(form.cert_chain.certificates.len(), field)?;
    let mut chain = Vec::new();
    let mut parsed = Vec::new();
    for certificate in form.cert_chain.certificates {
        let der = decoded(field, &certificate.raw_bytes)?;
        parsed.push(Certificate::from_der(&der).map_err(|error| {
            TrustError::Content(format!("a certificate in {field} that is none: {error}"))
        })?);
        chain.push(CertificateDer::from(der));
    }
    // From the issuing certificate up to the root, which is last.
    let root = chain
        .pop()
        .ok_or_else(|| TrustError::Content(format!("an entry in {field} without certificates")))?;
    Ok(Authority {
        root,
        intermediates: chain,
        parsed,
        valid: form.valid_for,
    })
}

fn within(count: usize, field: &str) -> Result<(), TrustError> {
    if count <= MOST {
        Ok(())
    } else {
        Err(TrustError::Content(format!(
            "more than {MOST} entries in {field}"
        )))
    }
}

fn decoded(field: &str, text: &str) -> Result<Vec<u8>, TrustError> {
    base64("a value", text)
        .map_err(|_| TrustError::Content(format!("a value in {field} that is not base64")))
}
