//! Hooks of registries: hints, however they are forged (attacks 23, 24).

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sluice_sim::Resource;
use sluice_web::WebConfig;
use tower::ServiceExt as _;

use crate::ask::{Answer, Ask};
use crate::machine::{self, Behind};
use crate::sample::{self, NAMESPACE, Site};

const HOOK: &str = "/v1/hooks/registry/harbor";
const WATCHED: &str = "registry.example.com/shop/storefront";

fn site(config: WebConfig) -> (Site, Arc<Behind>) {
    let behind = Arc::new(Behind {
        secrets: [("hooks/github".to_owned(), b"0123456789abcdef".to_vec())].into(),
        ..Behind::default()
    });
    (machine::site(config, &behind, sample::POLICY), behind)
}

fn looked(behind: &Behind) -> Vec<String> {
    std::mem::take(&mut *behind.looked.lock().unwrap())
}

async fn hint(site: &Site, body: &Value) -> Answer {
    Ask::json(HOOK, body).send(&site.web).await
}

#[tokio::test(start_paused = true)]
async fn a_hint_makes_the_agent_look_at_what_it_watches_and_at_nothing_else() {
    let (site, behind) = site(sample::config());
    let answer = hint(
        &site,
        &json!({ "repository": "shop/storefront", "tag": "v9" }),
    )
    .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    assert_eq!(looked(&behind), [WATCHED]);
    // Attack 24: repositories that nobody watches, and hosts to go to.
    for body in [
        json!({ "repository": "evil.example/shop/storefront" }),
        json!({ "repository": "shop/other", "digest": "sha256:0" }),
        json!({ "events": [{ "target": { "repository": "x/y",
            "url": "http://169.254.169.254/v2/shop/storefront/manifests/v9" } }] }),
    ] {
        site.dial.turn(SignedDuration::from_secs(60));
        let forged = hint(&site, &body).await;
        assert_eq!(forged.status, StatusCode::ACCEPTED);
        assert_eq!(
            forged.text, answer.text,
            "what is watched cannot be told apart"
        );
        assert_eq!(looked(&behind), Vec::<String>::new(), "{body}");
    }
    let cluster = &site.cluster;
    assert!(cluster.objects(Resource::Requests, NAMESPACE).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_repository_is_looked_at_once_in_five_seconds() {
    let (site, behind) = site(sample::config());
    let body = json!({ "repository": WATCHED });
    for _ in 0..100 {
        assert_eq!(hint(&site, &body).await.status, StatusCode::ACCEPTED);
    }
    assert_eq!(looked(&behind).len(), 1);
    site.dial.turn(SignedDuration::from_millis(4_999));
    hint(&site, &body).await;
    assert!(looked(&behind).is_empty());
    site.dial.turn(SignedDuration::from_millis(1));
    hint(&site, &body).await;
    assert_eq!(looked(&behind).len(), 1);
    // A clock that went back silences nothing.
    site.dial.turn(SignedDuration::from_hours(-1));
    hint(&site, &body).await;
    assert_eq!(looked(&behind).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sender_with_a_secret_signs_and_others_are_not_there() {
    let mut config = sample::config();
    config.registry_hooks = [
        ("github".to_owned(), Some("hooks/github".to_owned())),
        ("harbor".to_owned(), None),
        ("quay".to_owned(), Some("hooks/missing".to_owned())),
    ]
    .into();
    let (site, behind) = site(config);
    let body = json!({ "repository": WATCHED }).to_string();
    let tag = machine::tag(b"0123456789abcdef", body.as_bytes());
    let ask = |sender: &str, signature: Option<&str>| {
        let path = format!("/v1/hooks/registry/{sender}");
        let ask = Ask::json(&path, &json!(null)).raw(&body);
        match signature {
            Some(signature) => ask.header("x-hub-signature-256", signature),
            None => ask,
        }
    };
    let good = format!("sha256={tag}");
    let other = machine::tag(b"another secret!!", body.as_bytes());
    for (sender, signature, status) in [
        ("github", None, StatusCode::UNAUTHORIZED),
        ("github", Some(tag.as_str()), StatusCode::UNAUTHORIZED),
        (
            "github",
            Some(&format!("sha256={other}")),
            StatusCode::UNAUTHORIZED,
        ),
        ("quay", Some(&good), StatusCode::UNAUTHORIZED),
        ("unknown", Some(&good), StatusCode::NOT_FOUND),
    ] {
        let answer = ask(sender, signature).send(&site.web).await;
        assert_eq!(answer.status, status, "{sender} {signature:?}");
        assert!(looked(&behind).is_empty());
    }
    let answer = ask("github", Some(&good)).send(&site.web).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    assert_eq!(looked(&behind), [WATCHED]);
    assert_eq!(
        ask("harbor", None).send(&site.web).await.status,
        StatusCode::ACCEPTED
    );
}

/// Attack 23, for every door that takes a body of machines.
#[tokio::test(start_paused = true)]
async fn bodies_that_are_too_large_too_deep_or_packed() {
    let (site, behind) = site(sample::config());
    let doors = [
        HOOK,
        "/v1/hooks/ci/delivery/storefront/production",
        "/v1/callbacks/slack-approval",
    ];
    let deep = format!(
        "{{\"repository\":{}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for door in doors {
        let packed = Ask::json(door, &json!({})).header("content-encoding", "gzip");
        let answer = packed.send(&site.web).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{door}");
        let big = Ask::json(door, &json!(null)).raw(&"x".repeat(256 * 1024 + 1));
        let answer = big.send(&site.web).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{door}");
        let answer = Ask::json(door, &json!(null))
            .raw(&deep)
            .send(&site.web)
            .await;
        assert!(answer.status.is_client_error(), "{door}: {}", answer.status);
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"repository\":{}}",
        "\u{0}",
        &deep,
    ] {
        let answer = Ask::json(HOOK, &json!(null))
            .raw(body)
            .send(&site.web)
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body:.30}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let answer = Ask::json(HOOK, &json!({ "repository": WATCHED }))
            .header("content-type", kind)
            .send(&site.web)
            .await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    assert!(looked(&behind).is_empty());
}

/// 1 GiB that is never there: reading ends at the limit.
#[tokio::test(start_paused = true)]
async fn a_body_without_an_end_is_read_to_the_limit_and_no_further() {
    let (site, _) = site(sample::config());
    for door in [
        HOOK,
        "/v1/hooks/ci/delivery/storefront/production",
        "/v1/callbacks/x",
    ] {
        let taken = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let chunks = futures::stream::repeat_with(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::io::Error>(vec![b' '; 4096])
        });
        let mut request = Ask::json(door, &json!(null)).request();
        *request.body_mut() = Body::from_stream(chunks);
        let answer = site.web.router().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE, "{door}");
        let taken = taken.load(std::sync::atomic::Ordering::Relaxed);
        assert!(taken <= 256 / 4 + 2, "{door}: {taken} chunks");
    }
    // And one that never goes on.
    let mut request = Ask::json(HOOK, &json!(null)).request();
    *request.body_mut() =
        Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let answer = site.web.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
}
