//! Tag lists are whole or an error (reliability.md R7).

use sluice_core::port::Registry as _;
use sluice_registry_sim::{Fault, Registry};

use super::*;

#[tokio::test]
async fn a_list_of_many_pages_is_read_whole() {
    let (registry, client) = healthy().await;
    let tags = push_tags(&registry, 10);
    registry.behave(|b| b.page_size = Some(3));
    assert_eq!(
        client.tags(&registry.repository("shop/a")).await.unwrap(),
        tags
    );
    assert_eq!(
        asked(&registry),
        [
            "GET /v2/shop/a/tags/list?n=1000",
            "GET /v2/shop/a/tags/list?last=v02&n=3",
            "GET /v2/shop/a/tags/list?last=v05&n=3",
            "GET /v2/shop/a/tags/list?last=v08&n=3",
        ]
    );
}

#[tokio::test]
async fn absolute_links_to_the_same_list_are_followed() {
    let (registry, client) = healthy().await;
    push_tags(&registry, 2);
    let link = format!(
        "<http://{}/v2/shop/a/tags/list?last=v01>; rel=\"next\"",
        registry.host()
    );
    registry.behave(|b| b.link = Some(link));
    // The second page sends the same link again, which ends as a loop: so it was followed.
    unavailable(
        client.tags(&registry.repository("shop/a")).await,
        "leads back",
    );
    assert_eq!(asked(&registry).len(), 2);
}

/// Any page, any way to fail: an error, and the whole list afterwards.
#[tokio::test]
async fn a_list_with_a_failing_page_is_an_error() {
    let registry = Registry::start().await.unwrap();
    let tags = push_tags(&registry, 10);
    let repository = registry.repository("shop/a");
    for page in 1..=4 {
        for status in [302, 400, 401, 403, 404, 429, 500, 502, 503] {
            registry.behave(|b| {
                b.page_size = Some(3);
                b.fail_page = Some((page, Fault::status(status)));
            });
            let client = client(plain(registry.host()));
            let fault = client.tags(&repository).await.unwrap_err();
            let right = match status {
                401 | 403 => matches!(fault, RegistryFault::Denied(_)),
                404 => matches!(fault, RegistryFault::NotFound(_)),
                429 => matches!(fault, RegistryFault::RateLimited { .. }),
                _ => matches!(fault, RegistryFault::Unavailable(_)),
            };
            assert!(right, "page {page}, {status}: {fault:?}");
            assert!(message(&fault).contains(&repository), "{fault}");
            registry.behave(|b| b.fail_page = None);
            if status != 429 {
                assert_eq!(client.tags(&repository).await.unwrap(), tags);
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let (registry, client) = healthy().await;
    push_tags(&registry, 10);
    registry.behave(|b| b.truncate = true);
    unavailable(
        client.tags(&registry.repository("shop/a")).await,
        "broke off",
    );
}

#[tokio::test]
async fn a_link_in_a_circle_is_an_error() {
    let (registry, client) = healthy().await;
    push_tags(&registry, 10);
    registry.behave(|b| b.link = Some("</v2/shop/a/tags/list?n=1000>; rel=\"next\"".to_owned()));
    unavailable(
        client.tags(&registry.repository("shop/a")).await,
        "leads back",
    );
    assert_eq!(asked(&registry).len(), 1);
}

#[tokio::test]
async fn a_link_to_anything_but_this_list_is_not_followed() {
    let (registry, client) = healthy().await;
    let other = Registry::start().await.unwrap();
    push_tags(&registry, 3);
    other.push("shop/a", "v99", "another registry's");
    registry.push("shop/b", "v99", "another repository's");
    for target in [
        format!("http://{}/v2/shop/a/tags/list?last=v02", other.host()),
        format!("//{}/v2/shop/a/tags/list?last=v02", other.host()),
        format!("https://{}/v2/shop/a/tags/list?last=v02", registry.host()),
        "/v2/shop/b/tags/list".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://[".to_owned(),
    ] {
        registry.behave(|b| b.link = Some(format!("<{target}>; rel=\"next\"")));
        registry.forget_requests();
        unavailable(
            client.tags(&registry.repository("shop/a")).await,
            "not this list",
        );
        assert_eq!(asked(&registry).len(), 1, "{target}");
    }
    assert_eq!(asked(&other), [""; 0]);
}

#[tokio::test]
async fn a_link_that_cannot_be_read_is_not_the_end() {
    let (registry, client) = healthy().await;
    push_tags(&registry, 3);
    registry.behave(|b| b.link = Some("/v2/shop/a/tags/list?last=v02; rel=next".to_owned()));
    unavailable(
        client.tags(&registry.repository("shop/a")).await,
        "Link header",
    );
}

#[tokio::test]
async fn pages_and_tags_are_bounded_by_errors() {
    let registry = Registry::start().await.unwrap();
    push_tags(&registry, 10);
    registry.behave(|b| b.page_size = Some(2));
    let repository = registry.repository("shop/a");
    let few_pages = client_with(plain(registry.host()), |limits| limits.pages = 4);
    unavailable(few_pages.tags(&repository).await, "more than 4 pages");
    assert_eq!(asked(&registry).len(), 4);
    let enough_pages = client_with(plain(registry.host()), |limits| limits.pages = 5);
    assert_eq!(enough_pages.tags(&repository).await.unwrap().len(), 10);

    let few_tags = client_with(plain(registry.host()), |limits| limits.tags = 9);
    unavailable(few_tags.tags(&repository).await, "more than 9 tags");
    let enough_tags = client_with(plain(registry.host()), |limits| limits.tags = 10);
    assert_eq!(enough_tags.tags(&repository).await.unwrap().len(), 10);
}

/// Announced or not.
#[tokio::test]
async fn a_page_that_is_too_large_is_an_error() {
    let registry = Registry::start().await.unwrap();
    push_tags(&registry, 1);
    let padding = " ".repeat(4096);
    registry.behave(|b| b.tags_body = Some(format!("{{\"tags\": [\"v1\"]{padding}}}")));
    let repository = registry.repository("shop/a");
    let small = client_with(plain(registry.host()), |limits| {
        limits.tags_page_bytes = 4096
    });
    for chunked in [false, true] {
        registry.behave(|b| b.chunked = chunked);
        unavailable(small.tags(&repository).await, "larger than 4096 bytes");
        let large = client_with(plain(registry.host()), |limits| {
            limits.tags_page_bytes = 5000
        });
        assert_eq!(large.tags(&repository).await.unwrap(), ["v1"]);
    }
}

#[tokio::test]
async fn a_tag_that_comes_twice_is_listed_once() {
    let (registry, client) = healthy().await;
    push_tags(&registry, 1);
    registry.behave(|b| b.tags_body = Some(r#"{"tags": ["b", "a", "b", "a", "c"]}"#.to_owned()));
    assert_eq!(
        client.tags(&registry.repository("shop/a")).await.unwrap(),
        ["b", "a", "c"]
    );
}

#[tokio::test]
async fn an_empty_list_is_a_list_and_a_broken_one_is_not() {
    let (registry, client) = healthy().await;
    push_tags(&registry, 1);
    let repository = registry.repository("shop/a");
    for empty in [r#"{"tags": []}"#, r#"{"name": "shop/a", "tags": null}"#] {
        registry.behave(|b| b.tags_body = Some(empty.to_owned()));
        assert!(
            client.tags(&repository).await.unwrap().is_empty(),
            "{empty}"
        );
    }
    for broken in [
        "",
        "{}",
        "null",
        "[]",
        "<html>sign in</html>",
        r#"{"tags": "v1"}"#,
        r#"{"tags": [1]}"#,
    ] {
        registry.behave(|b| b.tags_body = Some(broken.to_owned()));
        unavailable(client.tags(&repository).await, "not a tag list");
    }
    for odd in [
        r#"{"tags": ["v1", "../x"]}"#,
        r#"{"tags": [""]}"#,
        r#"{"tags": ["a\nb"]}"#,
    ] {
        registry.behave(|b| b.tags_body = Some(odd.to_owned()));
        unavailable(client.tags(&repository).await, "is not a tag");
    }
}

/// Older registries know no pages and answer the whole list.
#[tokio::test]
async fn a_registry_that_ignores_paging_is_read_whole() {
    let registry = Registry::start().await.unwrap();
    let tags = push_tags(&registry, 12);
    registry.behave(|b| b.ignore_paging = true);
    // 12: the list fills a page exactly, which could be the first of many without a Link.
    for (page_size, requests) in [(5, 1), (12, 2), (1000, 1)] {
        let client = client(RegistryConfig {
            page_size,
            ..plain(registry.host())
        });
        registry.forget_requests();
        assert_eq!(
            client.tags(&registry.repository("shop/a")).await.unwrap(),
            tags
        );
        assert_eq!(asked(&registry).len(), requests, "{page_size}");
    }
}

/// Some registries page but do not say so.
#[tokio::test]
async fn a_registry_without_links_is_read_whole() {
    let registry = Registry::start().await.unwrap();
    let tags = push_tags(&registry, 12);
    registry.behave(|b| b.omit_link = true);
    for page_size in [1, 4, 5, 12] {
        let client = client(RegistryConfig {
            page_size,
            ..plain(registry.host())
        });
        assert_eq!(
            client.tags(&registry.repository("shop/a")).await.unwrap(),
            tags,
            "{page_size}"
        );
    }
}

#[tokio::test]
async fn an_unknown_repository_is_not_found() {
    let (registry, client) = healthy().await;
    let repository = registry.repository("shop/nothing");
    let fault = client.tags(&repository).await.unwrap_err();
    assert_eq!(
        message(&fault),
        format!(
            "cannot list the tags of {repository}: {} answered 404 Not Found (repository name not \
             known). Check the name, and that the image was pushed; some registries answer so too \
             where the account may not see the repository",
            registry.host()
        )
    );
    not_found::<()>(Err(fault), "404");
}
