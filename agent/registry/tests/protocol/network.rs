//! Where requests go (reliability.md H5, H6), and what is said when they arrive nowhere.

use sluice_core::port::Registry as _;
use sluice_registry_sim::{Auth, Registry};

use super::*;

#[tokio::test]
async fn a_registry_that_is_gone_is_unavailable_and_found_again() {
    let (registry, client) = healthy().await;
    push_tags(&registry, 1);
    let repository = registry.repository("shop/a");
    client.tags(&repository).await.unwrap();
    let address = registry.address();
    drop(registry);
    eventually("the port is free", || {
        std::net::TcpListener::bind(address).is_ok()
    })
    .await;
    unavailable(client.tags(&repository).await, "cannot connect");

    let again = Registry::start_on(address).await.unwrap();
    push_tags(&again, 2);
    assert_eq!(client.tags(&repository).await.unwrap(), ["v00", "v01"]);
}

#[tokio::test]
async fn plain_http_is_spoken_only_where_configured() {
    let registry = Registry::start().await.unwrap();
    push_tags(&registry, 1);
    let mut config = with_account(registry.host());
    config.hosts.get_mut(registry.host()).unwrap().insecure = false;
    let client = client(config);
    unavailable(
        client.tags(&registry.repository("shop/a")).await,
        "set insecure: true",
    );
    assert_eq!(asked(&registry), [""; 0]);
}

/// Names from Pipelines must not lead into the node, the cluster or the cloud's metadata service.
#[tokio::test]
async fn a_host_that_is_not_configured_must_be_public() {
    let registry = Registry::start().await.unwrap();
    push_tags(&registry, 1);
    let client = client(RegistryConfig::default());
    let port = registry.address().port();
    // By address, and by a name that resolves to one.
    for host in ["127.0.0.1", "localhost"] {
        let repository = format!("{host}:{port}/shop/a");
        unavailable(client.tags(&repository).await, "add the host to hosts");
    }
    // 127.0.0.1 as one number.
    let disguised = client.tags(&format!("2130706433:{port}/shop/a")).await;
    not_found(disguised, "not the name of a repository");
    unavailable(client.tags("169.254.169.254/shop/a").await, "link-local");
    unavailable(
        client.tags("10.96.0.1/shop/a").await,
        "the private address 10.96.0.1",
    );
    assert_eq!(asked(&registry), [""; 0]);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let (registry, client) = healthy().await;
    let other = Registry::start().await.unwrap();
    other.push("shop/a", "v1", "another registry's");
    registry.behave(|b| b.redirect = Some(format!("http://{}", other.host())));
    let repository = registry.repository("shop/a");
    unavailable(
        client.tags(&repository).await,
        &format!("redirects to {}", other.host()),
    );
    unavailable(client.resolve(&repository, "v1").await, "never followed");
    assert_eq!(asked(&other), [""; 0]);
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_followed_but_not_for_ever() {
    let (registry, client) = healthy().await;
    registry.behave(|b| b.redirect = Some(format!("http://{}", registry.host())));
    unavailable(
        client.tags(&registry.repository("shop/a")).await,
        "redirects to",
    );
    // The request and three redirects.
    assert_eq!(asked(&registry).len(), 4);
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect() {
    let registry = Registry::start().await.unwrap();
    push_tags(&registry, 1);
    registry.behave(|b| {
        b.auth = Auth::Basic {
            username: USERNAME.to_owned(),
            password: PASSWORD.to_owned(),
        };
    });
    let client = client(with_account(registry.host()));
    let repository = registry.repository("shop/a");
    client.tags(&repository).await.unwrap();
    let other = Registry::start().await.unwrap();
    registry.behave(|b| b.redirect = Some(format!("http://{}", other.host())));
    unavailable(client.tags(&repository).await, "redirects to");
    assert_eq!(asked(&other), [""; 0]);
}
