//! Whether a certificate log knew the certificate (RFC 6962): an authority that issued one in secret
//! would have no such word to put into it.

use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{ContextSpecific, ObjectIdentifier, OctetStringRef};
use x509_cert::der::{Decode as _, Encode as _, TagMode, TagNumber};
use x509_cert::ext::Extension;

use super::sha256;
use super::trust::{Authority, TrustRoot};
use crate::signature::Refused;

const SCT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
/// Fulcio puts one in.
const MOST_SCTS: usize = 4;

/// A signed certificate timestamp.
struct Sct<'a> {
    log_id: &'a [u8],
    milliseconds: [u8; 8],
    extensions: &'a [u8],
    signature: &'a [u8],
}

/// `Ok` where a trusted certificate log signed for this certificate, issued by this authority at
/// about this time; also where the trust root names no such log at all.
pub(super) fn check(
    certificate: &Certificate,
    authority: &Authority,
    trust: &TrustRoot,
    at: Timestamp,
) -> Result<(), Refused> {
    if !trust.has_certificate_logs() {
        return Ok(());
    }
    let unreadable = || Refused::new("its certificate has a list of timestamps that is none");
    let tbs = certificate.tbs_certificate();
    let value = tbs
        .extensions()
        .into_iter()
        .flatten()
        .find(|extension| extension.extn_id == SCT_LIST)
        .ok_or_else(|| Refused::new("no certificate log knew its certificate"))?
        .extn_value
        .as_bytes();
    let list = <&OctetStringRef>::from_der(value).map_err(|_| unreadable())?;
    let scts = read(list.as_bytes()).ok_or_else(unreadable)?;
    let body = without_list(tbs).map_err(|_| unreadable())?;
    let issuers = authority.key_hashes_of(tbs.issuer());
    let known = scts.iter().any(|sct| {
        let log = trust.certificate_log(sct.log_id, at);
        issuers.iter().any(|issuer| {
            let signed = signed(sct, issuer, &body);
            log.is_some_and(|log| log.key.verify(&signed, sct.signature).is_ok())
        })
    });
    if known {
        Ok(())
    } else {
        Err(Refused::new(
            "no trusted certificate log knew its certificate",
        ))
    }
}

/// What a log signs: the certificate as it was before the log's word was put into it.
fn signed(sct: &Sct<'_>, issuer: &[u8; 32], body: &[u8]) -> Vec<u8> {
    // Version 1; a certificate's timestamp; an entry of the kind "to be issued".
    let mut signed = vec![0, 0];
    signed.extend(sct.milliseconds);
    signed.extend([0, 1]);
    signed.extend(issuer);
    // Under 8 KiB: the length fits three bytes, and the extensions' fits two.
    signed.extend((body.len() as u32).to_be_bytes().iter().skip(1));
    signed.extend(body);
    signed.extend((sct.extensions.len() as u16).to_be_bytes());
    signed.extend(sct.extensions);
    signed
}

/// The part of the certificate that is signed, without the list of timestamps.
fn without_list(tbs: &TbsCertificate) -> x509_cert::der::Result<Vec<u8>> {
    let extensions: Vec<Extension> = tbs
        .extensions()
        .into_iter()
        .flatten()
        .filter(|extension| extension.extn_id != SCT_LIST)
        .cloned()
        .collect();
    let explicit = |number| TagNumber(number);
    let mut content = Vec::new();
    let version = ContextSpecific {
        tag_number: explicit(0),
        tag_mode: TagMode::Explicit,
        value: tbs.version(),
    };
    version.encode_to_vec(&mut content)?;
    tbs.serial_number().encode_to_vec(&mut content)?;
    tbs.signature().encode_to_vec(&mut content)?;
    tbs.issuer().encode_to_vec(&mut content)?;
    tbs.validity().encode_to_vec(&mut content)?;
    tbs.subject().encode_to_vec(&mut content)?;
    tbs.subject_public_key_info().encode_to_vec(&mut content)?;
    let extensions = ContextSpecific {
        tag_number: explicit(3),
        tag_mode: TagMode::Explicit,
        value: extensions,
    };
    extensions.encode_to_vec(&mut content)?;
    x509_cert::der::asn1::AnyRef::new(x509_cert::der::Tag::Sequence, &content)?.to_der()
}

/// A list as TLS writes it: everything with its length before it.
fn read(list: &[u8]) -> Option<Vec<Sct<'_>>> {
    let mut rest = Reader(list);
    let mut inner = Reader(rest.sized()?);
    if !rest.0.is_empty() {
        return None;
    }
    let mut scts = Vec::new();
    while !inner.0.is_empty() {
        if scts.len() == MOST_SCTS {
            return None;
        }
        scts.push(one(inner.sized()?)?);
    }
    Some(scts)
}

fn one(bytes: &[u8]) -> Option<Sct<'_>> {
    let mut from = Reader(bytes);
    let version = from.take(1)?;
    let sct = Sct {
        log_id: from.take(32)?,
        milliseconds: from.take(8)?.try_into().ok()?,
        extensions: from.sized()?,
        signature: {
            // SHA-256 with ECDSA, the only pair that logs use.
            if from.take(2)? != [4, 3] {
                return None;
            }
            from.sized()?
        },
    };
    (version == [0] && from.0.is_empty()).then_some(sct)
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// What stands behind a length of two bytes.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length: [u8; 2] = self.take(2)?.try_into().ok()?;
        self.take(usize::from(u16::from_be_bytes(length)))
    }
}

/// The hash by which a log names an authority's key.
pub(super) fn key_hash(authority: &Certificate) -> Option<[u8; 32]> {
    let info = authority.tbs_certificate().subject_public_key_info();
    Some(sha256(&[&info.to_der().ok()?]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list_of(count: usize) -> Vec<u8> {
        let sct = [&[0][..], &[7; 32], &[1; 8], &[0, 0, 4, 3, 0, 2, 9, 9]].concat();
        let one = [&[0, u8::try_from(sct.len()).unwrap()][..], &sct].concat();
        let all = one.repeat(count);
        [&u16::try_from(all.len()).unwrap().to_be_bytes()[..], &all].concat()
    }

    #[test]
    fn a_list_is_read_whole_and_up_to_a_limit() {
        let list = list_of(2);
        let scts = read(&list).unwrap();
        assert_eq!(scts.len(), 2);
        assert_eq!(
            (scts[1].log_id, scts[1].signature),
            (&[7; 32][..], &[9, 9][..])
        );
        assert!(read(&list_of(MOST_SCTS)).is_some());
        assert!(read(&list_of(MOST_SCTS + 1)).is_none());
        for end in 0..list.len() {
            assert!(read(&list[..end]).is_none(), "{end}");
        }
        assert!(read(&[&list[..], &[0]].concat()).is_none());
    }

    proptest! {
        #[test]
        fn no_list_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = read(&bytes);
        }
    }
}
