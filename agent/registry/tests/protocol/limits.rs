//! Pauses that a registry asks for, deadlines, and requests under way.

use std::time::Duration;

use sluice_core::port::Registry as _;
use sluice_registry_sim::{Auth, Fault, Registry};
use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn nobody_asks_again_before_the_pause_is_over() {
    let (registry, client) = healthy().await;
    let digest = registry.push("shop/a", "v1", "one");
    registry.push("shop/b", "v1", "one");
    let repository = registry.repository("shop/a");
    registry.behave(|b| b.fail_next = Some((1, Fault::status(429).retry_after("30"))));
    assert_eq!(rate_limited(client.tags(&repository).await), 30);
    // The pause is the host's: another repository and another question wait too.
    let left = rate_limited(client.resolve(&registry.repository("shop/b"), "v1").await);
    assert!((1..=30).contains(&left), "{left}");
    assert_eq!(asked(&registry).len(), 1);

    advance(Duration::from_secs(31)).await;
    assert_eq!(client.resolve(&repository, "v1").await.unwrap(), digest);
}

/// It was let through before the pause began, and asks nothing all the same.
#[tokio::test]
async fn a_call_that_waits_for_a_slot_heeds_the_pause() {
    let registry = Registry::start().await.unwrap();
    push_tags(&registry, 1);
    let repository = registry.repository("shop/a");
    let client = client_with(plain(registry.host()), |limits| {
        limits.requests_per_host = 1;
    });
    registry.behave(|b| b.fail_next = Some((1, Fault::status(429).retry_after("30"))));
    let (one, two) = tokio::join!(client.tags(&repository), client.tags(&repository));
    assert_eq!(rate_limited(one), 30);
    rate_limited(two);
    assert_eq!(asked(&registry).len(), 1);
}

#[tokio::test]
async fn another_host_is_asked_all_the_same() {
    let (registry, _) = healthy().await;
    let other = Registry::start().await.unwrap();
    other.push("shop/a", "v1", "one");
    let mut config = plain(registry.host());
    config.hosts.extend(plain(other.host()).hosts);
    let client = client(config);
    registry.behave(|b| b.fail_next = Some((1, Fault::status(429).retry_after("30"))));
    rate_limited(client.tags(&registry.repository("shop/a")).await);
    assert_eq!(
        client.tags(&other.repository("shop/a")).await.unwrap(),
        ["v1"]
    );
}

#[tokio::test]
async fn the_pause_is_read_in_every_form_and_bounded() {
    let registry = Registry::start().await.unwrap();
    push_tags(&registry, 1);
    let repository = registry.repository("shop/a");
    for (status, header, expected) in [
        (429, Some("0"), 1),
        (429, Some("7"), 7),
        (429, Some("999999"), 3600),
        (429, Some("Fri, 31 Dec 2100 23:59:59 GMT"), 3600),
        (429, Some("Sat, 01 Jan 2000 00:00:00 GMT"), 1),
        (429, Some("tomorrow"), 60),
        (429, None, 60),
        (503, Some("7"), 7),
    ] {
        let mut fault = Fault::status(status);
        fault.retry_after = header.map(str::to_owned);
        registry.behave(|b| b.fail_next = Some((1, fault)));
        let fresh = client(plain(registry.host()));
        assert_eq!(
            rate_limited(fresh.tags(&repository).await),
            expected,
            "{header:?}"
        );
    }
}

#[tokio::test]
async fn a_pause_in_the_middle_of_a_list_and_of_the_token_service_counts() {
    let registry = Registry::start().await.unwrap();
    push_tags(&registry, 4);
    let repository = registry.repository("shop/a");
    registry.behave(|b| {
        b.page_size = Some(2);
        b.fail_page = Some((2, Fault::status(429).retry_after("9")));
    });
    let first = client(plain(registry.host()));
    assert_eq!(rate_limited(first.tags(&repository).await), 9);
    rate_limited(first.tags(&repository).await);
    assert_eq!(asked(&registry).len(), 2);

    let tokens = Registry::start().await.unwrap();
    tokens.behave(|b| b.fail_next = Some((1, Fault::status(429).retry_after("9"))));
    let realm = format!("http://{}/token", tokens.host());
    registry.behave(|b| {
        *b = sluice_registry_sim::Behaviour::default();
        b.realm = Some(realm);
        b.auth = Auth::Bearer {
            username: USERNAME.to_owned(),
            password: PASSWORD.to_owned(),
            anonymous_pull: true,
            lifetime: Duration::from_secs(60),
        };
    });
    let mut config = plain(registry.host());
    config.hosts.get_mut(registry.host()).unwrap().realm_hosts = vec![tokens.host().to_owned()];
    let second = client(config);
    registry.forget_requests();
    assert_eq!(rate_limited(second.tags(&repository).await), 9);
    rate_limited(second.tags(&repository).await);
    assert_eq!((asked(&registry).len(), asked(&tokens).len()), (1, 1));
}

#[tokio::test]
async fn a_failing_registry_is_unavailable_and_asked_again_at_once() {
    let (registry, client) = healthy().await;
    push_tags(&registry, 1);
    let repository = registry.repository("shop/a");
    for status in [500, 502, 503, 504, 418] {
        registry.behave(|b| b.fail_next = Some((2, Fault::status(status))));
        unavailable(client.tags(&repository).await, &status.to_string());
        unavailable(
            client.resolve(&repository, "v00").await,
            &status.to_string(),
        );
        assert_eq!(client.tags(&repository).await.unwrap(), ["v00"]);
    }
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_wherever_it_hangs() {
    let registry = Registry::start().await.unwrap();
    push_tags(&registry, 1);
    let repository = registry.repository("shop/a");
    let client = client_with(plain(registry.host()), |limits| {
        limits.deadline = Duration::from_millis(300);
        limits.requests_per_host = 1;
    });
    registry.behave(|b| b.hold = true);
    let (one, two) = tokio::join!(client.tags(&repository), client.tags(&repository));
    unavailable(one, "no whole answer within 0.3 s. ");
    unavailable(
        two,
        "within 0.3 s, of which 0.3 s went by in waiting for other requests",
    );
    // The slot of the call that was given up is free again.
    registry.behave(|b| b.hold = false);
    assert_eq!(client.tags(&repository).await.unwrap(), ["v00"]);
}

#[tokio::test]
async fn requests_under_way_are_bounded_for_each_host_and_for_all() {
    let registries = [
        Registry::start().await.unwrap(),
        Registry::start().await.unwrap(),
        Registry::start().await.unwrap(),
    ];
    let mut config = RegistryConfig::default();
    for registry in &registries {
        push_tags(registry, 1);
        registry.behave(|b| b.hold = true);
        config.hosts.extend(plain(registry.host()).hosts);
    }
    let client = Arc::new(client(config));
    let mut calls = JoinSet::new();
    for registry in &registries {
        for _ in 0..10 {
            let (client, repository) = (Arc::clone(&client), registry.repository("shop/a"));
            calls.spawn(async move { client.tags(&repository).await });
        }
    }
    let open = || {
        registries
            .iter()
            .map(Registry::open_requests)
            .sum::<usize>()
    };
    eventually("eight requests are under way", || open() == 8).await;
    // Time for a ninth, were it allowed.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(open(), 8);
    assert!(
        registries
            .iter()
            .all(|registry| registry.open_requests() <= 4)
    );
    for registry in &registries {
        registry.behave(|b| b.hold = false);
    }
    let answers = calls.join_all().await;
    assert_eq!(answers.len(), 30);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    for registry in &registries {
        assert_eq!(registry.requests().len(), 10);
        assert!(registry.most_open_requests() <= 4);
    }
}

#[tokio::test]
async fn a_host_that_hangs_holds_up_no_other() {
    let (slow, _) = healthy().await;
    let quick = Registry::start().await.unwrap();
    push_tags(&quick, 1);
    slow.behave(|b| b.hold = true);
    let mut config = plain(slow.host());
    config.hosts.extend(plain(quick.host()).hosts);
    let client = Arc::new(client(config));
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (client, repository) = (Arc::clone(&client), slow.repository("shop/a"));
        calls.spawn(async move { client.tags(&repository).await });
    }
    eventually("the slow host's slots are taken", || {
        slow.open_requests() == 4
    })
    .await;
    let repository = quick.repository("shop/a");
    let answer = tokio::time::timeout(Duration::from_secs(10), client.tags(&repository)).await;
    assert_eq!(answer.unwrap().unwrap(), ["v00"]);
    calls.abort_all();
}
