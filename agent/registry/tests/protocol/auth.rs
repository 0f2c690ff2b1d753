//! Credentials: who gets them, and who does not (reliability.md H6, attack 26).

use std::time::Duration;

use sluice_core::port::Registry as _;
use sluice_registry_sim::{Auth, Credential, Fault, Registry};

use super::*;

fn basic() -> Auth {
    Auth::Basic {
        username: USERNAME.to_owned(),
        password: PASSWORD.to_owned(),
    }
}

fn bearer() -> Auth {
    Auth::Bearer {
        username: USERNAME.to_owned(),
        password: PASSWORD.to_owned(),
        anonymous_pull: false,
        lifetime: Duration::from_secs(60),
    }
}

fn account() -> Credential {
    Credential::Basic(USERNAME.to_owned(), PASSWORD.to_owned())
}

async fn registry_with(auth: Auth) -> Registry {
    let registry = Registry::start().await.unwrap();
    registry.push("shop/a", "v1", "one");
    registry.behave(|b| b.auth = auth);
    registry
}

fn token_requests(registry: &Registry) -> usize {
    registry
        .requests()
        .iter()
        .filter(|entry| entry.path == "/token")
        .count()
}

#[tokio::test]
async fn basic_credentials_are_sent_when_asked_for_and_then_at_once() {
    let registry = registry_with(basic()).await;
    let client = client(with_account(registry.host()));
    let repository = registry.repository("shop/a");
    for _ in 0..2 {
        assert_eq!(client.tags(&repository).await.unwrap(), ["v1"]);
    }
    let sent: Vec<_> = registry
        .requests()
        .into_iter()
        .map(|entry| entry.credential)
        .collect();
    assert_eq!(sent, [Credential::None, account(), account()]);
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_a_call() {
    let registry = registry_with(basic()).await;
    let mut config = with_account(registry.host());
    config.hosts.get_mut(registry.host()).unwrap().password = Some(Secret::new("wrong"));
    let client = client(config);
    let repository = registry.repository("shop/a");
    for _ in 0..2 {
        registry.forget_requests();
        let fault = client.tags(&repository).await.unwrap_err();
        assert!(!fault.to_string().contains("wrong"), "{fault}");
        denied::<()>(Err(fault), "401 Unauthorized");
        let tried = registry
            .requests()
            .iter()
            .filter(|e| e.credential != Credential::None)
            .count();
        assert_eq!(tried, 1);
    }
}

/// Repeated failures lock accounts.
#[tokio::test]
async fn a_password_that_is_no_longer_right_is_tried_once() {
    let registry = registry_with(basic()).await;
    let client = client(with_account(registry.host()));
    let repository = registry.repository("shop/a");
    client.tags(&repository).await.unwrap();
    registry.behave(|b| {
        b.auth = Auth::Basic {
            username: USERNAME.to_owned(),
            password: "new".to_owned(),
        };
    });
    registry.forget_requests();
    denied(client.tags(&repository).await, "401 Unauthorized");
    let sent: Vec<_> = registry
        .requests()
        .into_iter()
        .map(|entry| entry.credential)
        .collect();
    assert_eq!(sent, [account()]);
}

#[tokio::test]
async fn an_open_registry_is_sent_no_credentials() {
    let registry = registry_with(Auth::Open).await;
    let client = client(with_account(registry.host()));
    client.tags(&registry.repository("shop/a")).await.unwrap();
    assert!(
        registry
            .requests()
            .iter()
            .all(|entry| entry.credential == Credential::None)
    );
}

#[tokio::test]
async fn without_credentials_the_message_says_where_to_put_them() {
    for auth in [basic(), bearer()] {
        let registry = registry_with(auth).await;
        let client = client(plain(registry.host()));
        let repository = registry.repository("shop/a");
        denied(client.tags(&repository).await, "none are configured for it");
        denied(
            client.resolve(&repository, "v1").await,
            "registry configuration",
        );
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_for_one_repository_and_pull_alone() {
    let registry = registry_with(bearer()).await;
    registry.push("shop/b", "v1", "one");
    let client = client(with_account(registry.host()));
    let repository = registry.repository("shop/a");
    for _ in 0..2 {
        assert_eq!(client.tags(&repository).await.unwrap(), ["v1"]);
        client.resolve(&repository, "v1").await.unwrap();
    }
    client.tags(&registry.repository("shop/b")).await.unwrap();
    let tokens: Vec<_> = asked(&registry)
        .into_iter()
        .filter(|line| line.contains("/token"))
        .collect();
    assert_eq!(
        tokens,
        [
            "GET /token?service=sluice-registry&scope=repository%3Ashop%2Fa%3Apull",
            "GET /token?service=sluice-registry&scope=repository%3Ashop%2Fb%3Apull",
        ]
    );
    for entry in registry.requests() {
        let right = if entry.path == "/token" {
            entry.credential == account()
        } else {
            matches!(entry.credential, Credential::None | Credential::Bearer(_))
        };
        assert!(right, "{entry:?}");
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires_and_after_it_was_revoked() {
    let registry = registry_with(bearer()).await;
    let client = client(with_account(registry.host()));
    let repository = registry.repository("shop/a");
    client.tags(&repository).await.unwrap();
    registry.forget_requests();
    // The registry would honour it for five seconds more.
    advance(Duration::from_secs(55)).await;
    client.tags(&repository).await.unwrap();
    // One unauthorised request to learn the realm; none with the old token.
    let tokens: Vec<_> = registry
        .requests()
        .into_iter()
        .map(|entry| entry.credential)
        .collect();
    assert_eq!(
        tokens,
        [
            Credential::None,
            account(),
            Credential::Bearer("token-2".to_owned())
        ]
    );

    registry.revoke_tokens();
    client.tags(&repository).await.unwrap();
    assert_eq!(token_requests(&registry), 2);
}

#[tokio::test]
async fn a_refused_account_and_a_refused_token_are_denied() {
    let registry = registry_with(bearer()).await;
    let mut config = with_account(registry.host());
    config.hosts.get_mut(registry.host()).unwrap().password = Some(Secret::new("wrong"));
    let repository = registry.repository("shop/a");
    denied(
        client(config).tags(&repository).await,
        "the configured account was refused",
    );

    // A registry that refuses every token: one is fetched, used once, and that is all.
    let other = registry_with(bearer()).await;
    let realm = format!("http://{}/token", other.host());
    registry.behave(|b| b.realm = Some(realm));
    let mut config = with_account(registry.host());
    let settings = config.hosts.get_mut(registry.host()).unwrap();
    settings.realm_hosts = vec![other.host().to_owned()];
    registry.forget_requests();
    denied(client(config).tags(&repository).await, "401 Unauthorized");
    assert_eq!(registry.requests().len(), 2);
    assert_eq!(other.requests().len(), 1);
}

#[tokio::test]
async fn public_repositories_need_no_account() {
    let Auth::Bearer {
        username,
        password,
        lifetime,
        ..
    } = bearer()
    else {
        unreachable!()
    };
    let registry = registry_with(Auth::Bearer {
        username,
        password,
        lifetime,
        anonymous_pull: true,
    })
    .await;
    let client = client(plain(registry.host()));
    assert_eq!(
        client.tags(&registry.repository("shop/a")).await.unwrap(),
        ["v1"]
    );
}

#[tokio::test]
async fn a_realm_on_another_host_is_sent_nothing_unless_it_is_listed() {
    let registry = registry_with(bearer()).await;
    let other = registry_with(bearer()).await;
    let realm = format!("http://{}/token", other.host());
    registry.behave(|b| b.realm = Some(realm));
    let repository = registry.repository("shop/a");
    // With an account and without: an anonymous request would be one into a foreign network.
    for config in [with_account(registry.host()), plain(registry.host())] {
        let fault = client(config).tags(&repository).await.unwrap_err();
        assert!(message(&fault).contains(other.host()), "{fault}");
        denied::<()>(Err(fault), "realmHosts");
    }
    assert_eq!(asked(&other), [""; 0]);

    let mut config = with_account(registry.host());
    let settings = config.hosts.get_mut(registry.host()).unwrap();
    settings.realm_hosts = vec![other.host().to_owned()];
    let _refused = client(config).tags(&repository).await;
    let sent: Vec<_> = other
        .requests()
        .into_iter()
        .map(|entry| entry.credential)
        .collect();
    assert_eq!(sent, [account()]);
}

#[tokio::test]
async fn an_explanation_that_echoes_a_credential_is_withheld() {
    let registry = registry_with(basic()).await;
    let client = client(with_account(registry.host()));
    let repository = registry.repository("shop/a");
    client.tags(&repository).await.unwrap();
    for echo in [PASSWORD, "Basic Y2k6c2VzYW1lLTdmM2E="] {
        for status in [403, 404, 429, 500] {
            let fault = Fault::status(status)
                .message(&format!("no: {echo}"))
                .retry_after("1");
            registry.behave(|b| b.fail_next = Some((1, fault)));
            let fault = client.tags(&repository).await.unwrap_err();
            assert!(message(&fault).contains("withheld"), "{fault}");
            assert!(!fault.to_string().contains("c2VzYW1l"), "{fault}");
            advance(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test]
async fn a_docker_config_is_read_and_its_rotation_counts_at_once() {
    let registry = registry_with(basic()).await;
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("docker-config-{}.json", registry.address().port()));
    let write = |password: &str| {
        let account = serde_json::json!({"username": USERNAME, "password": password});
        let file = serde_json::json!({"auths": {registry.host(): account}});
        std::fs::write(&path, file.to_string()).unwrap();
    };
    let mut config = plain(registry.host());
    config.docker_config = Some(path.clone());
    let client = client(config);
    let repository = registry.repository("shop/a");

    denied(client.tags(&repository).await, "cannot read dockerConfig");
    write("old");
    denied(client.tags(&repository).await, "401");
    write(PASSWORD);
    assert_eq!(client.tags(&repository).await.unwrap(), ["v1"]);
    std::fs::write(&path, format!("{{\"auths\": {PASSWORD}")).unwrap();
    denied(client.tags(&repository).await, "not a docker config.json");
    std::fs::remove_file(&path).unwrap();
}
