//! A client certificate, encoded by hand: a person's groups are several organisations in one subject,
//! which rcgen cannot write (its names are a map).

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use sha2::{Digest as _, Sha256};

use crate::Person;

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const TIME: u8 = 0x17;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// 2.5.4.3: the user name.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// 2.5.4.10: a group.
const ORGANISATION: [u8; 3] = [0x55, 0x04, 0x0a];
/// 2.5.29.37
const EXTENDED_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x25];
/// 1.3.6.1.5.5.7.3.2
const CLIENT_AUTH: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
/// 1.2.840.10045.4.3.2
const ECDSA_WITH_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// A cluster lives for minutes, and clocks differ: as long as a two-digit year can say.
const FROM: &str = "250101000000Z";
const TO: &str = "491231235959Z";

/// The certificate of a person, signed by the authority of this common name.
pub(super) fn der(
    person: &Person,
    key: &KeyPair,
    authority: &KeyPair,
    authority_name: &str,
) -> Result<Vec<u8>, rcgen::Error> {
    let public = key.subject_public_key_info();
    let algorithm = node(SEQUENCE, &[&node(OID, &[&ECDSA_WITH_SHA256])]);
    let usage = node(SEQUENCE, &[&node(OID, &[&CLIENT_AUTH])]);
    let extension = node(
        SEQUENCE,
        &[&node(OID, &[&EXTENDED_KEY_USAGE]), &node(OCTETS, &[&usage])],
    );
    let body = node(
        SEQUENCE,
        &[
            &node(VERSION, &[&node(INTEGER, &[&[2]])]),
            &node(INTEGER, &[&serial(&public)]),
            &algorithm,
            &node(SEQUENCE, &[&attribute(&COMMON_NAME, authority_name)]),
            &node(
                SEQUENCE,
                &[
                    &node(TIME, &[FROM.as_bytes()]),
                    &node(TIME, &[TO.as_bytes()]),
                ],
            ),
            &subject(person),
            &public,
            &node(EXTENSIONS, &[&node(SEQUENCE, &[&extension])]),
        ],
    );
    let signature = authority.sign(&body)?;
    let whole = node(
        SEQUENCE,
        &[&body, &algorithm, &node(BITS, &[&[0], &signature])],
    );
    Ok(whole)
}

fn subject(person: &Person) -> Vec<u8> {
    let mut names: Vec<Vec<u8>> = person
        .groups
        .iter()
        .map(|group| attribute(&ORGANISATION, group))
        .collect();
    names.push(attribute(&COMMON_NAME, &person.name));
    node(
        SEQUENCE,
        &names.iter().map(Vec::as_slice).collect::<Vec<_>>(),
    )
}

fn attribute(kind: &[u8], value: &str) -> Vec<u8> {
    let pair = node(
        SEQUENCE,
        &[&node(OID, &[kind]), &node(UTF8, &[value.as_bytes()])],
    );
    node(SET, &[&pair])
}

/// A positive number that differs where the key differs.
fn serial(public: &[u8]) -> Vec<u8> {
    // The first byte keeps it positive and without a leading zero.
    std::iter::once(0x40)
        .chain(Sha256::digest(public).iter().take(15).copied())
        .collect()
}

/// One value of DER: its tag, its length, its parts.
fn node(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let used: Vec<u8> = bytes.iter().copied().skip_while(|b| *b == 0).collect();
            // At most eight bytes of a length.
            out.push(0x80 | u8::try_from(used.len()).unwrap_or_default());
            out.extend(used);
        }
    }
    out.extend(parts.concat());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_der() {
        assert_eq!(node(OCTETS, &[&[7]]), [4, 1, 7]);
        assert_eq!(node(OCTETS, &[&[0; 127]])[..2], [4, 127]);
        assert_eq!(node(OCTETS, &[&[0; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(node(OCTETS, &[&[0; 300]])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn every_group_stands_in_the_subject() {
        let alice = Person::new("alice@example.com", &["leads", "devops", "people"]);
        let names = subject(&alice);
        let text = String::from_utf8_lossy(&names);
        for part in ["alice@example.com", "leads", "devops", "people"] {
            assert!(text.contains(part), "{part}");
        }
        let organisations = names.windows(3).filter(|w| *w == ORGANISATION).count();
        assert_eq!(organisations, 3);
    }
}
