//! Signatures with a public key, in both places (requirements C3, G19).

use sluice_registry_sim::Fault;
use sluice_registry_sim::signing::{self, Key};

use super::*;

#[tokio::test]
async fn a_key_is_found_in_both_places() {
    for key in [Key::p256(), Key::ed25519()] {
        let bench = Bench::new().await;
        assert!(!bench.is_signed_by(by_key(&key)).await);
        let layer = key.attach(&bench.repository, &bench.digest);
        bench
            .registry
            .attach("shop/storefront", &bench.digest, &[layer]);
        assert!(bench.is_signed_by(by_key(&key)).await);

        let bench = Bench::new().await;
        let bundle = key.bundle(&bench.digest);
        bench
            .registry
            .refer("shop/storefront", &bench.digest, &bundle);
        assert!(bench.is_signed_by(by_key(&key)).await);
    }
}

/// Registries before OCI distribution 1.1 have a tag in place of the list.
#[tokio::test]
async fn a_bundle_is_found_by_tag_where_there_is_no_list_of_referrers() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let registry = &bench.registry;
    registry.behave(|b| b.fail_referrers = Some(Fault::status(404)));
    assert!(!bench.is_signed_by(by_key(&key)).await);
    let bundle = registry.refer("shop/storefront", &bench.digest, &key.bundle(&bench.digest));
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
            "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json", "digest": bundle,
        }],
    });
    let tag = bench.digest.replace(':', "-");
    registry.push_manifest("shop/storefront", Some(&tag), &index);
    assert!(bench.is_signed_by(by_key(&key)).await);
}

/// Attack 4: unsigned, and signed by somebody else.
#[tokio::test]
async fn an_unsigned_image_and_another_key_prove_nothing() {
    let (bench, key, other) = (Bench::new().await, Key::p256(), Key::p256());
    assert!(!bench.is_signed_by(by_key(&key)).await);
    let layer = other.attach(&bench.repository, &bench.digest);
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &[layer]);
    let bundle = other.bundle(&bench.digest);
    bench
        .registry
        .refer("shop/storefront", &bench.digest, &bundle);
    assert!(!bench.is_signed_by(by_key(&key)).await);
    assert!(bench.is_signed_by(by_key(&other)).await);
}

#[tokio::test]
async fn each_of_several_signers_is_found_among_others() {
    let (bench, stranger) = (Bench::new().await, Key::p256());
    let (alice, bob, carol) = (Key::p256(), Key::ed25519(), Key::p256());
    let layers = [&stranger, &alice].map(|key| key.attach(&bench.repository, &bench.digest));
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &layers);
    let bundle = bob.bundle(&bench.digest);
    bench
        .registry
        .refer("shop/storefront", &bench.digest, &bundle);
    let signers = [("alice", &alice), ("bob", &bob), ("carol", &carol)];
    let signers = signers.map(|(name, key)| (name, by_key(key)));
    assert_eq!(bench.signed_by(&signers).await.unwrap(), ["alice", "bob"]);
    assert_eq!(bench.signed_by(&[]).await.unwrap(), [""; 0]);
}

/// Attack 4: a signature of another image, brought along to this one.
#[tokio::test]
async fn a_signature_of_another_digest_is_not_for_this_one() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let other = bench.registry.push("shop/storefront", "v2", "two");
    let layer = key.attach(&bench.repository, &other);
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &[layer]);
    let bundle = key.bundle(&other);
    bench
        .registry
        .refer("shop/storefront", &bench.digest, &bundle);
    assert!(!bench.is_signed_by(by_key(&key)).await);
}

/// Attack 4: a look-alike repository. The same bytes have the same digest there, so that only the
/// name in the payload tells them apart.
#[tokio::test]
async fn a_payload_for_another_repository_is_not_for_this_one() {
    let (bench, key) = (Bench::new().await, Key::p256());
    for name in ["shop/st0refront", "shop/storefront-evil", "storefront"] {
        let elsewhere = bench.registry.repository(name);
        let layer = key.attach(&elsewhere, &bench.digest);
        bench
            .registry
            .attach("shop/storefront", &bench.digest, &[layer]);
        assert!(!bench.is_signed_by(by_key(&key)).await, "{name}");
    }
}

/// "The scan found this" is a statement about the image, too, by the same key.
#[tokio::test]
async fn an_attestation_is_no_signature() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let statement = signing::in_toto(&bench.digest, Some("https://slsa.dev/provenance/v1"));
    let signature = key.sign(&signing::pre_authentication(&statement));
    let bundle = signing::bundle(&statement, &signature, None, None);
    bench
        .registry
        .refer("shop/storefront", &bench.digest, &bundle);
    assert!(!bench.is_signed_by(by_key(&key)).await);
}

#[tokio::test]
async fn a_kind_of_key_that_is_not_known_proves_nothing() {
    let (bench, key) = (Bench::new().await, Key::p384());
    let layer = key.attach(&bench.repository, &bench.digest);
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &[layer]);
    assert!(!bench.is_signed_by(by_key(&key)).await);
    let nonsense = key.public_pem().replace('M', "N");
    assert!(!bench.is_signed_by(Signer::PublicKey(nonsense)).await);
}

/// Nothing of a key's proof rests on the log, but one that speaks of something else is forged.
#[tokio::test]
async fn a_log_entry_beside_a_key_must_be_about_it() {
    let (bench, key, other) = (Bench::new().await, Key::p256(), Key::p256());
    let payload = signing::simple_signing(&bench.repository, &bench.digest);
    let signature = key.sign(&payload);
    for (holder, holds) in [(&key, true), (&other, false)] {
        let body = signing::hashedrekord_body(&payload, &signature, &holder.public_pem());
        let entry = bench.instance.transparency.record(&body, NOW);
        let layer = signing::layer(&payload, &signature, None, Some(&entry));
        bench
            .registry
            .attach("shop/storefront", &bench.digest, &[layer]);
        assert_eq!(bench.is_signed_by(by_key(&key)).await, holds);
    }
}
