//! Blobs that a registry keeps elsewhere, and registries that fail or lie.

use sluice_registry::{HostConfig, Secret};
use sluice_registry_sim::signing::Key;
use sluice_registry_sim::{Auth, Credential, Fault};

use super::*;

/// Attack 26: the host that a `Location` names gets neither credentials nor belief.
#[tokio::test]
async fn a_host_of_blobs_is_sent_no_credentials() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let layer = key.attach(&bench.repository, &bench.digest);
    let layers = [layer];
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &layers);
    bench.registry.behave(|b| {
        b.auth = Auth::Basic {
            username: "ci".to_owned(),
            password: "sesame".to_owned(),
        };
    });
    let storage = Registry::start().await.unwrap();
    storage.push("shop/storefront", "v1", "one");
    storage.attach("shop/storefront", &bench.digest, &layers);
    let elsewhere = format!("http://{}", storage.host());
    bench
        .registry
        .behave(|b| b.redirect_blobs = Some(elsewhere));

    let mut config = plain(bench.registry.host());
    let account = config.hosts.get_mut(bench.registry.host()).unwrap();
    account.username = Some("ci".to_owned());
    account.password = Some(Secret::new("sesame"));
    // The storage is on loopback here, which only a listed host may be.
    let listed = HostConfig::default();
    config.hosts.insert(storage.host().to_owned(), listed);
    let client = client(config);

    let signers = BTreeMap::from([("it".to_owned(), by_key(&key))]);
    let proofs = client
        .verify(&bench.repository, &bench.digest, &signers)
        .await;
    assert_eq!(proofs.unwrap().len(), 1);
    client
        .describe(&bench.repository, &bench.digest, &[])
        .await
        .unwrap();
    let told = storage.requests();
    assert_eq!(told.len(), 2);
    for entry in told {
        assert_eq!(entry.credential, Credential::None, "{}", entry.path);
    }
    // What it serves counts by its hash alone.
    storage.behave(|b| b.blob_body = Some("{}".to_owned()));
    let told = client.describe(&bench.repository, &bench.digest, &[]).await;
    unavailable(told, "has sha256:");
}

/// Attack 25: no `Location` leads into the cluster's own network, or round in a circle.
#[tokio::test]
async fn a_location_does_not_lead_into_the_network_of_the_cluster() {
    let bench = Bench::new().await;
    for target in [
        "http://169.254.169.254",
        "http://10.0.0.1:443",
        "http://[::1]:1",
    ] {
        bench
            .registry
            .behave(|b| b.redirect_blobs = Some(target.to_owned()));
        let told = bench.client.describe(&bench.repository, &bench.digest, &[]);
        let fault = told.await.unwrap_err();
        assert!(
            fault.to_string().contains("private") || fault.to_string().contains("address"),
            "{fault}"
        );
    }
    let storage = Registry::start().await.unwrap();
    let circle = format!("http://{}", storage.host());
    storage.behave(|b| b.redirect_blobs = Some(circle.clone()));
    bench
        .registry
        .behave(|b| b.redirect_blobs = Some(circle.clone()));
    let told = bench.client.describe(&bench.repository, &bench.digest, &[]);
    assert!(told.await.is_err());
    assert!(
        storage.requests().len() < 20,
        "{}",
        storage.requests().len()
    );
}

/// "It could not be told" is an error, and no shorter list of signers.
#[tokio::test]
async fn a_registry_that_fails_is_not_one_without_signatures() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let signer = [("it", by_key(&key))];
    bench
        .registry
        .behave(|b| b.fail_next = Some((1, Fault::status(500))));
    unavailable(bench.signed_by(&signer).await, "500");
    for status in [500, 502, 302, 418] {
        bench.registry.behave(|b| {
            b.fail_next = None;
            b.fail_referrers = Some(Fault::status(status));
        });
        unavailable(bench.signed_by(&signer).await, &status.to_string());
    }
    bench.registry.behave(|b| {
        b.fail_referrers = None;
        b.truncate = true;
    });
    unavailable(bench.signed_by(&signer).await, "broke off");
    bench.registry.behave(|b| b.truncate = false);
    assert_eq!(bench.signed_by(&signer).await.unwrap(), [""; 0]);
}

/// Attack 2, for signatures: other bytes than the digest says are not looked at.
#[tokio::test]
async fn a_swapped_payload_is_refused() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let layer = key.attach(&bench.repository, &bench.digest);
    let payload = String::from_utf8(layer.payload.clone()).unwrap();
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &[layer]);
    bench
        .registry
        .behave(|b| b.blob_body = Some(format!("{payload} ")));
    let signer = [("it", by_key(&key))];
    unavailable(bench.signed_by(&signer).await, "has sha256:");
}

#[tokio::test]
async fn what_stands_in_a_signatures_place_and_is_none_is_an_error() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let tag = format!("{}.sig", bench.digest.replace(':', "-"));
    let signer = [("it", by_key(&key))];
    bench.registry.push("shop/storefront", &tag, "an image");
    unavailable(bench.signed_by(&signer).await, "no signature of at most");
    let list = serde_json::json!(["no manifest"]);
    bench
        .registry
        .push_manifest("shop/storefront", Some(&tag), &list);
    unavailable(bench.signed_by(&signer).await, "no list of signatures");
    // One that holds is enough, whatever lies beside it.
    let bundle = key.bundle(&bench.digest);
    bench
        .registry
        .refer("shop/storefront", &bench.digest, &bundle);
    assert_eq!(bench.signed_by(&signer).await.unwrap(), ["it"]);
}

#[tokio::test]
async fn a_trust_root_that_cannot_be_used_stops_the_agent_when_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trusted_root.json");
    let error = || {
        let mut config = RegistryConfig::default();
        config.trust.root = Some(file.clone());
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let made = OciRegistry::new(config, Arc::new(StillClock));
        made.err().unwrap().to_string()
    };
    assert!(error().contains("cannot be read"), "{}", error());
    std::fs::write(&file, "{}").unwrap();
    assert!(error().contains("trusted_root.json"), "{}", error());
    std::fs::write(&file, vec![b' '; 1024 * 1024 + 1]).unwrap();
    assert!(error().contains("larger than"), "{}", error());
}
