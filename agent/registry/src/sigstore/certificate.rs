//! Certificates of Fulcio: a key that belonged to an identity for ten minutes.

use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use sluice_core::policy::Subject;
use webpki::ring::{ECDSA_P256_SHA256, ECDSA_P256_SHA384, ECDSA_P384_SHA256, ECDSA_P384_SHA384};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, Utf8StringRef};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectAltName};

use super::key::Key;
use super::sct;
use super::trust::{Authority, TrustRoot};
use crate::signature::Refused;

/// A certificate of Fulcio has about 1 KiB, with all that GitHub tells of a run 2 KiB.
const MOST_BYTES: usize = 8 * 1024;

/// The issuer as a UTF8String, and in its first form as bare letters.
const ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");
const ISSUER_V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
/// The same in DER, without tag and length.
const CODE_SIGNING_DER: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 3];

/// The signer's certificate.
pub(super) struct Leaf {
    der: CertificateDer<'static>,
    certificate: Certificate,
}

/// The bytes of a certificate in PEM.
pub(super) fn from_pem(text: &str) -> Result<Vec<u8>, Refused> {
    CertificateDer::from_pem_slice(text.as_bytes())
        .map(|certificate| certificate.to_vec())
        .map_err(|_| unreadable())
}

fn unreadable() -> Refused {
    Refused::new("its certificate cannot be read")
}

impl Leaf {
    pub(super) fn parse(der: &[u8]) -> Result<Self, Refused> {
        if der.len() > MOST_BYTES {
            return Err(Refused::new("its certificate is too large"));
        }
        Ok(Self {
            certificate: Certificate::from_der(der).map_err(|_| unreadable())?,
            der: der.to_vec().into(),
        })
    }

    /// The key that it is for.
    pub(super) fn key(&self) -> Result<Key, Refused> {
        let info = self.certificate.tbs_certificate().subject_public_key_info();
        info.to_der().map(Key::from_der).map_err(|_| unreadable())
    }

    /// `Ok` where this issuer vouched for such a subject.
    pub(super) fn is_of(&self, issuer: &str, subject: &Subject) -> Result<(), Refused> {
        if self.issuer()? != issuer {
            return Err(Refused::new("another issuer vouched for its signer"));
        }
        if subject.matches(&self.subject()?) {
            Ok(())
        } else {
            Err(Refused::new("it is by another identity of this issuer"))
        }
    }

    /// `Ok` where an authority that is trusted issued it for signing code, all certificates between
    /// them were valid at this time, and a certificate log knew it.
    pub(super) fn verify(&self, trust: &TrustRoot, at: Timestamp) -> Result<(), Refused> {
        self.signs_code()?;
        let mut last = Refused::new("no trusted authority issued certificates when it was made");
        for authority in trust.authorities(at) {
            match self.chain(authority, at) {
                Ok(()) => return sct::check(&self.certificate, authority, trust, at),
                Err(refused) => last = refused,
            }
        }
        Err(last)
    }

    fn chain(&self, authority: &Authority, at: Timestamp) -> Result<(), Refused> {
        let seconds =
            u64::try_from(at.as_second()).map_err(|_| Refused::new("it is from before 1970"))?;
        // A trust anchor has no time of its own to webpki.
        authority.root_is_valid(at)?;
        let anchor = anchor_from_trusted_cert(&authority.root).map_err(|_| unreadable())?;
        let leaf = EndEntityCert::try_from(&self.der).map_err(|_| unreadable())?;
        leaf.verify_for_usage(
            &[
                ECDSA_P256_SHA256,
                ECDSA_P256_SHA384,
                ECDSA_P384_SHA256,
                ECDSA_P384_SHA384,
            ],
            &[anchor],
            &authority.intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            KeyUsage::required_if_present(CODE_SIGNING_DER),
            None,
            None,
        )
        .map(|_| ())
        .map_err(|error| match error {
            webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => {
                Refused::new("its certificate, or one above it, was not valid when it was signed")
            }
            other => Refused::new(format!(
                "its certificate is of no trusted authority ({other})"
            )),
        })
    }

    /// What the certificate's issuer says who vouched. Both forms must say the same.
    fn issuer(&self) -> Result<String, Refused> {
        let new = match self.extension(ISSUER)? {
            Some(der) => Some(
                Utf8StringRef::from_der(der)
                    .map_err(|_| unreadable())?
                    .to_string(),
            ),
            None => None,
        };
        let old = match self.extension(ISSUER_V1)? {
            Some(bytes) => Some(String::from_utf8(bytes.to_vec()).map_err(|_| unreadable())?),
            None => None,
        };
        match (new, old) {
            (Some(new), Some(old)) if new != old => {
                Err(Refused::new("its certificate names two different issuers"))
            }
            (Some(issuer), _) | (None, Some(issuer)) => Ok(issuer),
            (None, None) => Err(Refused::new("its certificate names no issuer")),
        }
    }

    /// The one address or e-mail address that it is for.
    fn subject(&self) -> Result<String, Refused> {
        let names = self
            .certificate
            .tbs_certificate()
            .get_extension::<SubjectAltName>()
            .map_err(|_| unreadable())?
            .map(|(_, names)| names.0)
            .unwrap_or_default();
        match names.as_slice() {
            [GeneralName::UniformResourceIdentifier(name) | GeneralName::Rfc822Name(name)] => {
                Ok(name.as_str().to_owned())
            }
            _ => Err(Refused::new(
                "its certificate is not for exactly one address or e-mail address",
            )),
        }
    }

    fn signs_code(&self) -> Result<(), Refused> {
        let usage = self
            .certificate
            .tbs_certificate()
            .get_extension::<ExtendedKeyUsage>()
            .map_err(|_| unreadable())?;
        match usage {
            Some((_, usage)) if usage.0.contains(&CODE_SIGNING) => Ok(()),
            _ => Err(Refused::new("its certificate is not for signing code")),
        }
    }

    /// The value of an extension; an error where it stands there twice.
    fn extension(&self, id: ObjectIdentifier) -> Result<Option<&[u8]>, Refused> {
        let all = self.certificate.tbs_certificate().extensions();
        let mut found = all
            .into_iter()
            .flatten()
            .filter(|extension| extension.extn_id == id);
        let first = found.next();
        if found.next().is_some() {
            return Err(Refused::new("its certificate has an extension twice"));
        }
        Ok(first.map(|extension| extension.extn_value.as_bytes()))
    }
}
