//! What is signed here counts like what cosign signs.

use sluice_registry::{ArtifactFault, SigningKey};

use super::*;

#[tokio::test]
async fn a_signature_of_our_own_is_found_beside_those_of_others() {
    let (bench, cosign, own) = (Bench::new().await, Key::p256(), Key::p256());
    let theirs = cosign.attach(&bench.repository, &bench.digest);
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &[theirs]);
    assert!(!bench.is_signed_by(by_key(&own)).await);
    let key = SigningKey::from_pem(&own.private_pem()).unwrap();
    assert_eq!(key.public_pem(), own.public_pem());
    bench
        .client
        .sign(&bench.repository, &bench.digest, &key)
        .await
        .unwrap();
    let signers = [("cosign", by_key(&cosign)), ("own", by_key(&own))];
    assert_eq!(bench.signed_by(&signers).await.unwrap(), ["cosign", "own"]);
}

#[tokio::test]
async fn what_is_not_there_is_not_signed() {
    let (bench, own) = (Bench::new().await, Key::p256());
    let key = SigningKey::from_pem(&own.private_pem()).unwrap();
    let other = format!("sha256:{}", "0".repeat(64));
    let signed = bench.client.sign(&bench.repository, &other, &key).await;
    assert!(matches!(
        signed,
        Err(ArtifactFault::Registry(RegistryFault::NotFound(_)))
    ));
    let writes = |method: &str| bench.registry.requests().iter().any(|r| r.method == method);
    assert!(!writes("PUT") && !writes("POST"));
    for pem in [Key::p384().private_pem(), Key::ed25519().private_pem()] {
        assert!(SigningKey::from_pem(&pem).is_err());
    }
}
