//! A tag's digest is that of the manifest's own bytes (reliability.md S1, attacks 2 and 3).

use sluice_core::port::Registry as _;
use sluice_registry_sim::Registry;

use super::*;

#[tokio::test]
async fn a_digest_is_checked_once_and_then_costs_one_head() {
    let (registry, client) = healthy().await;
    let digest = registry.push("shop/a", "v1", "one");
    let repository = registry.repository("shop/a");
    assert_eq!(client.resolve(&repository, "v1").await.unwrap(), digest);
    assert_eq!(client.resolve(&repository, "v1").await.unwrap(), digest);
    let by_digest = format!("GET /v2/shop/a/manifests/{digest}?");
    let by_tag = "HEAD /v2/shop/a/manifests/v1?";
    assert_eq!(asked(&registry), [by_tag, &by_digest, by_tag]);
    for entry in registry.requests() {
        assert_eq!(
            entry.accept,
            "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
             application/vnd.docker.distribution.manifest.list.v2+json, \
             application/vnd.docker.distribution.manifest.v2+json"
        );
    }
}

#[tokio::test]
async fn a_moved_tag_and_an_index_have_their_own_digests() {
    let (registry, client) = healthy().await;
    let one = registry.push("shop/a", "v1", "one");
    let two = registry.push("shop/a", "v2", "two");
    let index = registry.push_index("shop/a", "multi", &["one", "two"]);
    let repository = registry.repository("shop/a");
    assert_eq!(client.resolve(&repository, "multi").await.unwrap(), index);
    assert_eq!(client.resolve(&repository, "v1").await.unwrap(), one);
    registry.retag("shop/a", "v1", &two).unwrap();
    assert_eq!(client.resolve(&repository, "v1").await.unwrap(), two);
    assert!(registry.delete_tag("shop/a", "v1"));
    not_found(client.resolve(&repository, "v1").await, "404");
    assert_eq!(client.tags(&repository).await.unwrap(), ["multi", "v2"]);
}

#[tokio::test]
async fn other_bytes_under_the_stated_digest_are_refused() {
    let (registry, client) = healthy().await;
    registry.push("shop/a", "v1", "one");
    registry.push("shop/a", "v2", "two");
    let repository = registry.repository("shop/a");
    registry.behave(|b| b.swap_manifest_from_get = Some(2));
    client.resolve(&repository, "v1").await.unwrap();
    // Not only the first time: a refused digest is not remembered as checked.
    for _ in 0..2 {
        unavailable(
            client.resolve(&repository, "v2").await,
            "but its manifest has sha256:",
        );
    }
}

#[tokio::test]
async fn a_registry_that_refuses_head_is_read_and_held_to_its_word() {
    let (registry, client) = healthy().await;
    let digest = registry.push("shop/a", "v1", "one");
    let repository = registry.repository("shop/a");
    registry.behave(|b| b.refuse_head = true);
    assert_eq!(client.resolve(&repository, "v1").await.unwrap(), digest);
    registry.behave(|b| b.swap_manifest_from_get = Some(1));
    registry.push("shop/a", "v2", "two");
    unavailable(
        client.resolve(&repository, "v2").await,
        "but its manifest has sha256:",
    );
}

#[tokio::test]
async fn without_a_stated_digest_the_bytes_are_hashed_and_not_sent_twice() {
    let (registry, client) = healthy().await;
    let one = registry.push("shop/a", "v1", "one");
    let two = registry.push("shop/a", "v2", "two");
    let repository = registry.repository("shop/a");
    registry.behave(|b| b.omit_digest_header = true);
    assert_eq!(client.resolve(&repository, "v1").await.unwrap(), one);
    assert_eq!(client.resolve(&repository, "v1").await.unwrap(), one);
    registry.retag("shop/a", "v1", &two).unwrap();
    assert_eq!(client.resolve(&repository, "v1").await.unwrap(), two);
    let gets: Vec<u16> = registry
        .requests()
        .iter()
        .filter(|entry| entry.method == "GET")
        .map(|entry| entry.status.as_u16())
        .collect();
    assert_eq!(gets, [200, 304, 200]);
}

#[tokio::test]
async fn a_stated_digest_of_another_form_or_without_content_is_refused() {
    let (registry, client) = healthy().await;
    registry.push("shop/a", "v1", "one");
    let repository = registry.repository("shop/a");
    for odd in [
        "sha256:00",
        "md5:00",
        "sha256:../../x",
        &format!("sha512:{}", "0".repeat(128)),
    ] {
        registry.behave(|b| b.digest_header = Some(odd.to_owned()));
        unavailable(
            client.resolve(&repository, "v1").await,
            "Only sha256 digests",
        );
    }
    let nothing = format!("sha256:{}", "0".repeat(64));
    registry.behave(|b| b.digest_header = Some(nothing));
    unavailable(
        client.resolve(&repository, "v1").await,
        "has no such manifest",
    );
}

/// A proxy's login page has a hash too.
#[tokio::test]
async fn what_is_no_manifest_has_no_digest() {
    let (registry, client) = healthy().await;
    registry.push("shop/a", "v1", "one");
    let repository = registry.repository("shop/a");
    registry.behave(|b| b.omit_digest_header = true);
    for body in ["<html>sign in</html>", "{}", "", r#"{"schemaVersion": 2}"#] {
        registry.behave(|b| b.manifest_body = Some(body.to_owned()));
        unavailable(
            client.resolve(&repository, "v1").await,
            "not an image manifest",
        );
    }
}

#[tokio::test]
async fn a_manifest_is_bounded_and_must_come_whole() {
    let registry = Registry::start().await.unwrap();
    registry.push("shop/a", "v1", "one");
    let repository = registry.repository("shop/a");
    let small = client_with(plain(registry.host()), |limits| limits.manifest_bytes = 100);
    for chunked in [false, true] {
        registry.behave(|b| b.chunked = chunked);
        unavailable(
            small.resolve(&repository, "v1").await,
            "larger than 100 bytes",
        );
    }
    registry.behave(|b| b.truncate = true);
    unavailable(
        client(plain(registry.host()))
            .resolve(&repository, "v1")
            .await,
        "broke off",
    );
}

#[tokio::test]
async fn what_is_no_tag_is_refused_without_a_request() {
    let (registry, client) = healthy().await;
    let repository = registry.repository("shop/a");
    for tag in ["", "../../token", "a/b", "v1?x", "sha256:00"] {
        not_found(client.resolve(&repository, tag).await, "is not a tag");
    }
    assert_eq!(asked(&registry), [""; 0]);
}
