//! The client against real sockets: the embedded registry with every fault, and the CNCF
//! distribution registry where it is installed.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping; clippy.toml excepts the test functions \
              themselves, not what they share"
)]

mod artifact;
mod auth;
mod digests;
mod distribution;
mod limits;
mod network;
mod push;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sluice_core::port::{Clock, Registry as _, RegistryFault};
use sluice_registry::{HostConfig, Limits, OciRegistry, RegistryConfig, Secret};
use sluice_registry_sim::Registry;

/// The account of every test that needs one.
const USERNAME: &str = "ci";
const PASSWORD: &str = "sesame-7f3a";

/// A clock that stands still: only HTTP dates are compared with it.
struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }
}

/// A configuration under which this host is plain HTTP.
fn plain(host: &str) -> RegistryConfig {
    let mut config = RegistryConfig::default();
    config.hosts.insert(
        host.to_owned(),
        HostConfig {
            insecure: true,
            ..HostConfig::default()
        },
    );
    config
}

/// The same with the account.
fn with_account(host: &str) -> RegistryConfig {
    let mut config = plain(host);
    let settings = config.hosts.get_mut(host).unwrap();
    settings.username = Some(USERNAME.to_owned());
    settings.password = Some(Secret::new(PASSWORD));
    config
}

fn client(config: RegistryConfig) -> OciRegistry {
    client_with(config, |_| ())
}

fn client_with(config: RegistryConfig, change: impl FnOnce(&mut Limits)) -> OciRegistry {
    install_tls();
    let mut limits = Limits::default();
    change(&mut limits);
    OciRegistry::with_limits(config, Arc::new(StillClock), limits).unwrap()
}

/// To be called before any HTTP client is built; a second test of the process finds it installed.
fn install_tls() {
    let _installed = rustls::crypto::ring::default_provider().install_default();
}

/// A healthy registry and a client that reaches it.
async fn healthy() -> (Registry, OciRegistry) {
    let registry = Registry::start().await.unwrap();
    let client = client(plain(registry.host()));
    (registry, client)
}

/// `v00`, `v01`, … in `shop/a`.
fn push_tags(registry: &Registry, count: usize) -> Vec<String> {
    let tags: Vec<_> = (0..count).map(|number| format!("v{number:02}")).collect();
    for tag in &tags {
        registry.push("shop/a", tag, tag);
    }
    tags
}

/// The message of a fault; every one is checked for what all must keep.
fn message(fault: &RegistryFault) -> String {
    let message = fault.to_string();
    assert!(message.starts_with("cannot "), "{message}");
    assert!(!message.contains(PASSWORD), "a secret is shown: {message}");
    assert!(!message.contains('\n') && message.len() < 1000, "{message}");
    message
}

#[track_caller]
fn unavailable<T: std::fmt::Debug>(result: Result<T, RegistryFault>, part: &str) {
    let fault = result.unwrap_err();
    assert!(matches!(fault, RegistryFault::Unavailable(_)), "{fault:?}");
    assert!(message(&fault).contains(part), "{fault}");
}

#[track_caller]
fn denied<T: std::fmt::Debug>(result: Result<T, RegistryFault>, part: &str) {
    let fault = result.unwrap_err();
    assert!(matches!(fault, RegistryFault::Denied(_)), "{fault:?}");
    assert!(message(&fault).contains(part), "{fault}");
}

#[track_caller]
fn not_found<T: std::fmt::Debug>(result: Result<T, RegistryFault>, part: &str) {
    let fault = result.unwrap_err();
    assert!(matches!(fault, RegistryFault::NotFound(_)), "{fault:?}");
    assert!(message(&fault).contains(part), "{fault}");
}

#[track_caller]
fn rate_limited<T: std::fmt::Debug>(result: Result<T, RegistryFault>) -> u32 {
    let fault = result.unwrap_err();
    message(&fault);
    let RegistryFault::RateLimited {
        retry_after_seconds,
        ..
    } = fault
    else {
        panic!("{fault:?}");
    };
    retry_after_seconds
}

/// Method, path and query of each request so far.
fn asked(registry: &Registry) -> Vec<String> {
    registry
        .requests()
        .iter()
        .map(|entry| format!("{} {}?{}", entry.method, entry.path, entry.query))
        .collect()
}

/// Waits until `met`, ten seconds at most.
async fn eventually(what: &str, met: impl Fn() -> bool) {
    let waiting = async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    assert!(waited.is_ok(), "not within 10 s: {what}");
}

/// Lets the tokio clock of client and registry jump.
async fn advance(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

#[tokio::test]
async fn the_port_works_as_a_trait_object() {
    let (registry, client) = healthy().await;
    let digest = registry.push("shop/a", "v1", "one");
    let port: &dyn sluice_core::port::Registry = &client;
    let repository = registry.repository("shop/a");
    assert_eq!(port.tags(&repository).await.unwrap(), ["v1"]);
    assert_eq!(port.resolve(&repository, "v1").await.unwrap(), digest);
}

#[tokio::test]
async fn what_is_no_repository_name_is_refused_without_a_request() {
    let (registry, client) = healthy().await;
    registry.push("shop/a", "v1", "one");
    for name in ["shop/a:v1", "shop/a?x=", "shop/../a", "Shop/a"] {
        let repository = registry.repository(name);
        not_found(
            client.tags(&repository).await,
            "not the name of a repository",
        );
    }
    assert_eq!(asked(&registry), [""; 0]);
}
