//! What was signed. A signature is worth what its content says: this digest, as an image, here.

use std::collections::BTreeMap;

use serde::Deserialize;
use sluice_core::image::{ImageRef, Repository};

use crate::signature::{Refused, SignedImage};

/// The predicate of an image's signature. An attestation by the same key, such as "the scan found
/// this", is a statement about the image as well, and no consent to run it.
pub(crate) const IMAGE_SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

#[derive(Deserialize)]
struct Simple {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    predicate_type: String,
    subject: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    name: String,
    digest: BTreeMap<String, String>,
}

/// `Ok` where a simple-signing payload is for this image in this repository.
pub(super) fn simple(payload: &[u8], image: SignedImage<'_>) -> Result<(), Refused> {
    let simple: Simple = serde_json::from_slice(payload)
        .map_err(|_| Refused::new("its payload is not that of an image's signature"))?;
    let critical = simple.critical;
    if critical.kind != "cosign container image signature" && critical.kind != IMAGE_SIGNATURE {
        return Err(Refused::new("its payload is of another type than an image"));
    }
    if critical.image.digest != image.digest {
        return Err(Refused::new("it is for another digest"));
    }
    here(&critical.identity.reference, image)
}

/// `Ok` where an in-toto statement signs this image.
pub(super) fn statement(payload: &[u8], image: SignedImage<'_>) -> Result<(), Refused> {
    let statement: Statement = serde_json::from_slice(payload)
        .map_err(|_| Refused::new("its payload is not an in-toto statement"))?;
    let known = [
        "https://in-toto.io/Statement/v1",
        "https://in-toto.io/Statement/v0.1",
    ];
    if !known.contains(&statement.kind.as_str()) {
        return Err(Refused::new("its statement is of an unknown version"));
    }
    if statement.predicate_type != IMAGE_SIGNATURE {
        return Err(Refused::new("it is an attestation, not a signature"));
    }
    let hex = image.digest.strip_prefix("sha256:");
    let subject = statement
        .subject
        .iter()
        .find(|subject| subject.digest.get("sha256").map(String::as_str) == hex)
        .ok_or_else(|| Refused::new("it is for another digest"))?;
    if subject.name.is_empty() {
        // As cosign writes it: wherever this content is.
        return Ok(());
    }
    here(&subject.name, image)
}

/// `Ok` where the name is that of the image's repository, with or without a tag.
fn here(name: &str, image: SignedImage<'_>) -> Result<(), Refused> {
    let named = name.parse::<ImageRef>().map(|image| image.repository);
    let asked = image.repository.parse::<Repository>();
    match (named, asked) {
        (Ok(named), Ok(asked)) if named == asked => Ok(()),
        _ => Err(Refused::new("it is for another repository")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A change of one part.
    type Change = fn(&mut Value);

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const IMAGE: SignedImage<'_> = SignedImage {
        repository: "registry.example.com/shop/storefront",
        digest: DIGEST,
    };

    fn payload(reference: &str, digest: &str, kind: &str) -> String {
        json!({"critical": {
            "identity": {"docker-reference": reference},
            "image": {"docker-manifest-digest": digest},
            "type": kind,
        }, "optional": null})
        .to_string()
    }

    fn of(payload: &str) -> Result<(), String> {
        simple(payload.as_bytes(), IMAGE).map_err(|refused| refused.to_string())
    }

    #[test]
    fn a_payload_names_digest_and_repository() {
        let kind = "cosign container image signature";
        for reference in [
            "registry.example.com/shop/storefront",
            "registry.example.com/shop/storefront:v1",
            "REGISTRY.example.com/shop/storefront",
        ] {
            assert_eq!(of(&payload(reference, DIGEST, kind)), Ok(()), "{reference}");
        }
        assert_eq!(
            of(&payload(IMAGE.repository, DIGEST, IMAGE_SIGNATURE)),
            Ok(())
        );
        let other = DIGEST.replace('e', "f");
        for (payload, why) in [
            (payload(IMAGE.repository, &other, kind), "another digest"),
            (payload(IMAGE.repository, DIGEST, "atomic"), "another type"),
            ("{}".to_owned(), "not that of an image's signature"),
            (String::new(), "not that of an image's signature"),
            (
                format!("{{\"critical\": {}", "[".repeat(50_000)),
                "not that of",
            ),
        ] {
            assert!(of(&payload).unwrap_err().contains(why), "{payload:.100}");
        }
    }

    /// Attack 4: a repository that only looks like the right one.
    #[test]
    fn a_look_alike_repository_is_another() {
        let kind = "cosign container image signature";
        for reference in [
            "registry.example.com/shop/storefront-evil",
            "registry.example.com/shop",
            "registry.example.com.evil.example/shop/storefront",
            "evil.example/registry.example.com/shop/storefront",
            "shop/storefront",
            "registry.example.com/shop/st0refront",
            "",
            "https://registry.example.com/shop/storefront",
        ] {
            let refused = of(&payload(reference, DIGEST, kind)).unwrap_err();
            assert_eq!(refused, "it is for another repository", "{reference}");
        }
    }

    #[test]
    fn a_statement_is_a_signature_of_this_digest() {
        let of = |change: Change| {
            let mut value = json!({
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [{"digest": {"sha256": &DIGEST[7..]}}],
                "predicateType": IMAGE_SIGNATURE,
                "predicate": {},
            });
            change(&mut value);
            let refused = statement(value.to_string().as_bytes(), IMAGE);
            refused.map_err(|refused| refused.to_string())
        };
        assert_eq!(of(|_| ()), Ok(()));
        assert_eq!(
            of(|v| v["subject"][0]["name"] = json!(IMAGE.repository)),
            Ok(())
        );
        let refused: [(Change, &str); 6] = [
            (
                |v| v["predicateType"] = json!("https://slsa.dev/provenance/v1"),
                "attestation",
            ),
            (
                |v| v["_type"] = json!("https://in-toto.io/Statement/v2"),
                "unknown version",
            ),
            (|v| v["subject"] = json!([]), "another digest"),
            (
                |v| v["subject"][0]["digest"] = json!({"sha512": &DIGEST[7..]}),
                "another digest",
            ),
            (
                |v| v["subject"][0]["digest"]["sha256"] = json!("00"),
                "another digest",
            ),
            (
                |v| v["subject"][0]["name"] = json!("registry.example.com/shop/x"),
                "another repository",
            ),
        ];
        for (change, why) in refused {
            assert!(of(change).unwrap_err().contains(why), "{why}");
        }
    }
}
