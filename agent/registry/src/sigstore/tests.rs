//! A bundle of the real public good instance (of Sigstore's conformance suite, Apache-2.0), and the
//! same with every part changed in turn. What only keys of our own can make is in
//! `tests/signatures`.

use serde_json::{Value, json};
use sluice_core::policy::Keyless;

use super::*;

const BUNDLE: &str = include_str!("tests/public-good-bundle.json");
const ISSUER: &str = "https://token.actions.githubusercontent.com";
const WORKFLOW: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";

/// A change of one part.
type Change = fn(&mut Value);

fn signer(issuer: &str, identity: &str) -> Keyless {
    Keyless {
        issuer: issuer.into(),
        identity: Some(identity.into()),
        identity_pattern: None,
    }
}

/// Checks a bundle by a trust root, both as JSON; what the statement says is left aside.
fn with_trust(bundle: &Value, trust: &Value, signer: &Keyless) -> Result<(), String> {
    let trust = TrustRoot::parse(&trust.to_string()).unwrap();
    let verifier = Sigstore::new(trust);
    bundle::read(bundle.to_string().as_bytes())
        .and_then(|evidence| verifier.by_identity(&evidence, signer))
        .map_err(|refused| refused.to_string())
}

fn check(bundle: &Value) -> Result<(), String> {
    with_trust(bundle, &trusted(), &signer(ISSUER, WORKFLOW))
}

fn real() -> Value {
    serde_json::from_str(BUNDLE).unwrap()
}

fn trusted() -> Value {
    serde_json::from_str(trust::PUBLIC_GOOD).unwrap()
}

#[test]
fn a_bundle_of_the_public_good_instance_holds() {
    assert_eq!(check(&real()), Ok(()));
}

/// Attack 4: the issuer letter by letter, the subject as a whole.
#[test]
fn another_identity_is_another() {
    let refused = |issuer: &str, identity: &str| {
        with_trust(&real(), &trusted(), &signer(issuer, identity)).unwrap_err()
    };
    for identity in [
        &WORKFLOW[..WORKFLOW.len() - 1],
        &format!("{WORKFLOW}-evil"),
        &WORKFLOW.replace("main", "Main"),
        "https://github.com/",
    ] {
        assert!(
            refused(ISSUER, identity).contains("another identity"),
            "{identity}"
        );
    }
    for issuer in [
        "https://token.actions.githubusercontent.co",
        "https://accounts.google.com",
    ] {
        assert!(
            refused(issuer, WORKFLOW).contains("another issuer"),
            "{issuer}"
        );
    }
}

/// Flips a bit in a value that is base64.
fn flip(text: &mut Value) {
    use ::base64::Engine as _;
    let engine = ::base64::engine::general_purpose::STANDARD;
    let mut bytes = engine.decode(text.as_str().unwrap()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    *text = json!(engine.encode(bytes));
}

/// Attack 5: no part of a bundle may be another.
#[test]
fn every_part_is_bound_to_the_others() {
    const ENTRY: &str = "/verificationMaterial/tlogEntries/0";
    let parts: [(&str, &str, Change); 20] = [
        ("", "version 0.3", |v| {
            v["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.2")
        }),
        ("", "no statement", |v| v["dsseEnvelope"] = Value::Null),
        ("/dsseEnvelope/payload", "not by this key", flip),
        ("/dsseEnvelope/payloadType", "no in-toto", |v| {
            *v = json!("text/plain")
        }),
        ("/dsseEnvelope/signatures/0/sig", "not by this key", flip),
        ("/dsseEnvelope/signatures", "exactly one signature", |v| {
            *v = json!([v[0], v[0]])
        }),
        ("/dsseEnvelope/signatures", "exactly one signature", |v| {
            *v = json!([])
        }),
        ("/verificationMaterial/certificate", "no certificate", |v| {
            *v = Value::Null
        }),
        (
            "/verificationMaterial/tlogEntries",
            "no transparency log",
            |v| *v = json!([]),
        ),
        ("/verificationMaterial/tlogEntries", "more than one", |v| {
            *v = json!([v[0], v[0]])
        }),
        ("/canonicalizedBody", "log entry", flip),
        ("/integratedTime", "not signed by the log", |v| {
            *v = json!("1734374577")
        }),
        ("/logIndex", "not signed by the log", |v| *v = json!("1")),
        ("/logId/keyId", "not trusted", flip),
        ("/inclusionPromise", "no signed time", |v| *v = Value::Null),
        (
            "/inclusionPromise/signedEntryTimestamp",
            "not signed by the log",
            flip,
        ),
        ("/inclusionProof/logIndex", "does not fit its tree", |v| {
            *v = json!("7")
        }),
        ("/inclusionProof/hashes/3", "does not fit its tree", flip),
        ("/inclusionProof/rootHash", "does not fit its tree", flip),
        ("/inclusionProof/checkpoint/envelope", "another tree", |v| {
            *v = json!(v.as_str().unwrap().replacen("\n3", "\n2", 1));
        }),
    ];
    for (place, why, change) in parts {
        let mut bundle = real();
        let inside = ["/log", "/inc", "/int", "/can"]
            .iter()
            .any(|part| place.starts_with(part));
        let place = if inside {
            format!("{ENTRY}{place}")
        } else {
            place.to_owned()
        };
        change(bundle.pointer_mut(&place).unwrap());
        let refused = check(&bundle).unwrap_err();
        assert!(refused.contains(why), "{place}: {refused}");
    }
    let mut bundle = real();
    let checkpoint = bundle
        .pointer_mut(&format!("{ENTRY}/inclusionProof/checkpoint/envelope"))
        .unwrap();
    *checkpoint = json!(checkpoint.as_str().unwrap().replacen("rekor", "r3kor", 1));
    assert!(check(&bundle).unwrap_err().contains("not by this key"));
}

/// The certificate is bound, too: one that differs in any bit is issued by nobody. Nor does it make
/// anything panic.
#[test]
fn a_certificate_with_any_byte_changed_is_refused() {
    let evidence = bundle::read(BUNDLE.as_bytes()).unwrap();
    let certificate = evidence.certificate.unwrap();
    let trust = TrustRoot::public_good().unwrap();
    let at = evidence.entry.unwrap().time(&trust).unwrap();
    let verify = |der: &[u8]| Leaf::parse(der).and_then(|leaf| leaf.verify(&trust, at));
    assert_eq!(verify(&certificate), Ok(()));
    for place in 0..certificate.len() {
        let mut changed = certificate.clone();
        changed[place] ^= 1 << (place % 8);
        assert!(verify(&changed).is_err(), "{place}");
        assert!(verify(&certificate[..place]).is_err(), "{place}");
    }
}

#[test]
fn what_the_trust_root_does_not_name_is_not_trusted() {
    let cases: [(&str, &str, Change); 9] = [
        ("/tlogs/0/publicKey/validFor", "log was not used", |v| {
            v["end"] = json!("2024-12-16T00:00:00Z")
        }),
        (
            "/tlogs/0/publicKey/rawBytes",
            "not signed by the log",
            |v| {
                // The key of one of the certificate logs.
                *v = trusted()["ctlogs"][0]["publicKey"]["rawBytes"].clone();
            },
        ),
        ("/tlogs/0/publicKey/keyDetails", "not trusted", |v| {
            *v = json!("PKCS1_RSA_PKCS1V5")
        }),
        ("/certificateAuthorities", "no trusted authority", |v| {
            *v = json!([v[0]])
        }),
        (
            "/certificateAuthorities/1/validFor",
            "no trusted authority",
            |v| v["end"] = json!("2024-12-16T00:00:00Z"),
        ),
        (
            "/certificateAuthorities/1/certChain/certificates",
            "no trusted authority",
            |v| *v = json!([v[1]]),
        ),
        ("/ctlogs/1/publicKey/validFor", "certificate log", |v| {
            v["end"] = json!("2024-12-16T00:00:00Z")
        }),
        ("/ctlogs/1/publicKey/rawBytes", "certificate log", |v| {
            *v = trusted()["tlogs"][0]["publicKey"]["rawBytes"].clone();
        }),
        ("/ctlogs", "certificate log", |v| *v = json!([v[0]])),
    ];
    for (place, why, change) in cases {
        let mut trust = trusted();
        change(trust.pointer_mut(place).unwrap());
        let refused = with_trust(&real(), &trust, &signer(ISSUER, WORKFLOW)).unwrap_err();
        assert!(refused.contains(why), "{place}: {refused}");
    }
}

/// S3: what is not understood in the trust root is not passed over.
#[test]
fn a_trust_root_is_read_whole_or_not_at_all() {
    let cases: [(Change, &str); 7] = [
        (|v| v["witnesses"] = json!([]), "unknown field"),
        (
            |v| v["tlogs"][0]["publicKey"]["revoked"] = json!(true),
            "unknown field",
        ),
        (|v| v["tlogs"] = json!([]), "no transparency log"),
        (
            |v| v["certificateAuthorities"] = json!([]),
            "no transparency log or no",
        ),
        (
            |v| v["mediaType"] = json!("application/json"),
            "another mediaType",
        ),
        (
            |v| v["tlogs"][0]["publicKey"]["rawBytes"] = json!("?"),
            "not base64",
        ),
        (
            |v| v["ctlogs"] = json!(vec![v["ctlogs"][0].clone(); 33]),
            "more than 32",
        ),
    ];
    for (change, why) in cases {
        let mut trust = trusted();
        change(&mut trust);
        let error = TrustRoot::parse(&trust.to_string())
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
}
