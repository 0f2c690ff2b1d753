//! A Sigstore instance: an authority that certifies identities, and the logs that watch it.

use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType, SerialNumber, date_time_ymd,
};
use serde_json::{Value, json};

use super::key::Key;
use super::transparency::Transparency;
use super::{base64, sha256};

/// From when to when, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: u64,
    /// The last second.
    pub to: u64,
}

/// A key with the certificate that says whose it is.
pub struct Certified {
    /// The key.
    pub key: Key,
    /// The certificate, in DER.
    pub certificate: Vec<u8>,
}

/// An instance with a root, an intermediate authority, a certificate log and a transparency log.
pub struct Instance {
    root: (Key, Certificate),
    intermediate: (Key, Certificate),
    certificate_log: Key,
    /// The transparency log.
    pub transparency: Transparency,
}

impl Instance {
    /// An instance whose certificates are valid at these times.
    #[must_use]
    pub fn new(root: Validity, intermediate: Validity) -> Self {
        let (root_key, intermediate_key) = (Key::p384(), Key::p384());
        let root = authority("root", root)
            .self_signed(&root_key.0)
            .expect("a root certificate");
        let issuer_params = authority("root", Validity { from: 0, to: 1 });
        let issuer = Issuer::from_params(&issuer_params, &root_key.0);
        let intermediate = authority("intermediate", intermediate)
            .signed_by(&intermediate_key.0, &issuer)
            .expect("an intermediate certificate");
        Self {
            root: (root_key, root),
            intermediate: (intermediate_key, intermediate),
            certificate_log: Key::p256(),
            transparency: Transparency::new(),
        }
    }

    /// What a client must be told to trust this instance, as `trusted_root.json`.
    #[must_use]
    pub fn trusted_root(&self) -> Value {
        let start = json!({"start": "2020-01-01T00:00:00Z"});
        let log = |key: &Key| {
            json!({
                "baseUrl": "https://log.example.com", "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": base64(key.public_der()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": start,
                },
                "logId": {"keyId": base64(sha256(&[&key.public_der()]))},
            })
        };
        let certificate = |one: &Certificate| json!({"rawBytes": base64(one.der())});
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.transparency.key())],
            "certificateAuthorities": [{
                "subject": {"organization": "example.com", "commonName": "root"},
                "uri": "https://fulcio.example.com",
                "certChain": {"certificates": [
                    certificate(&self.intermediate.1), certificate(&self.root.1),
                ]},
                "validFor": start,
            }],
            "ctlogs": [log(&self.certificate_log)],
        })
    }

    /// A new key, certified for a subject that this issuer vouched for, as Fulcio does it.
    #[must_use]
    pub fn certify(&self, subject: &str, issuer: &str, valid: Validity) -> Certified {
        self.certify_with(subject, issuer, valid, |_| ())
    }

    /// The same, with a change of what is certified.
    #[must_use]
    pub fn certify_with(
        &self,
        subject: &str,
        issuer: &str,
        valid: Validity,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certified {
        let key = Key::p256();
        let mut params = leaf(subject, issuer, valid);
        change(&mut params);
        let without = self.issue(&params, &key);
        let list = self.certificate_timestamp(without.der());
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2],
                list,
            ));
        let certificate = self.issue(&params, &key).der().to_vec();
        Certified { key, certificate }
    }

    /// The same, kept secret from the certificate log.
    #[must_use]
    pub fn certify_in_secret(&self, subject: &str, issuer: &str, valid: Validity) -> Certified {
        let key = Key::p256();
        let certificate = self.issue(&leaf(subject, issuer, valid), &key);
        Certified {
            key,
            certificate: certificate.der().to_vec(),
        }
    }

    fn issue(&self, params: &CertificateParams, key: &Key) -> Certificate {
        let of = authority("intermediate", Validity { from: 0, to: 1 });
        let issuer = Issuer::from_params(&of, &self.intermediate.0.0);
        params.signed_by(&key.0, &issuer).expect("a certificate")
    }

    /// The extension in which the certificate log says that it knows a certificate.
    fn certificate_timestamp(&self, certificate: &[u8]) -> Vec<u8> {
        let milliseconds = 1_700_000_000_000_u64.to_be_bytes();
        let body = first_element(contents(certificate));
        let mut signed = vec![0, 0];
        signed.extend(milliseconds);
        signed.extend([0, 1]);
        signed.extend(sha256(&[&self.intermediate.0.public_der()]));
        signed.extend(body.len().to_be_bytes().iter().skip(5));
        signed.extend(body);
        signed.extend([0, 0]);
        let mut sct = vec![0];
        sct.extend(sha256(&[&self.certificate_log.public_der()]));
        sct.extend(milliseconds);
        sct.extend([0, 0, 4, 3]);
        sct.extend(sized(&self.certificate_log.sign(&signed)));
        let list = sized(&sized(&sct));
        // An octet string within the extension's own.
        let length = u8::try_from(list.len()).expect("one timestamp is short");
        let head = if length < 128 {
            vec![4, length]
        } else {
            vec![4, 0x81, length]
        };
        [head, list].concat()
    }
}

/// With a length of two bytes before it.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("under 64 KiB");
    [&length.to_be_bytes(), bytes].concat()
}

/// What is within a DER element, and how long the whole of it is.
fn split(der: &[u8]) -> (&[u8], usize) {
    let (head, length) = match der {
        [_, short, ..] if *short < 128 => (2, usize::from(*short)),
        [_, 0x81, length, ..] => (3, usize::from(*length)),
        [_, 0x82, high, low, ..] => (4, usize::from(*high) * 256 + usize::from(*low)),
        _ => (0, 0),
    };
    let inner = der.get(head..head + length).expect("a DER element");
    (inner, head + length)
}

fn contents(der: &[u8]) -> &[u8] {
    split(der).0
}

fn first_element(der: &[u8]) -> &[u8] {
    der.get(..split(der).1).expect("a DER element")
}

fn authority(name: &str, valid: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(name.as_bytes()));
    set(&mut params, valid);
    params
}

fn leaf(subject: &str, issuer: &str, valid: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(&[1]));
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    let subject = subject.try_into().expect("ASCII");
    params.subject_alt_names = vec![SanType::URI(subject)];
    let length = u8::try_from(issuer.len()).expect("a short issuer");
    let text = [&[12, length], issuer.as_bytes()].concat();
    for (id, content) in [(1, issuer.as_bytes().to_vec()), (8, text)] {
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 4, 1, 57264, 1, id],
                content,
            ));
    }
    set(&mut params, valid);
    params
}

fn set(params: &mut CertificateParams, valid: Validity) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(valid.from);
    params.not_after = epoch + Duration::from_secs(valid.to);
}
