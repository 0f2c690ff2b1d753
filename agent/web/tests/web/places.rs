//! Places: whoever holds some of one kind holds up nobody of another.

use axum::body::Body;
use axum::http::StatusCode;
use futures::FutureExt as _;
use futures::future::join_all;
use serde_json::json;
use tower::ServiceExt as _;

use crate::ask::{Ask, ORIGIN, sign_in};
use crate::sample::{self, HASH, Site};

/// A request whose body never comes.
fn endless(ask: Ask) -> axum::http::Request<Body> {
    let mut request = ask.request();
    *request.body_mut() =
        Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    request
}

#[tokio::test(start_paused = true)]
async fn slow_strangers_and_machines_hold_up_nobody_who_is_signed_in() {
    let mut site = Site::new(sample::config());
    site.rollout("awaiting", sample::spec("v1.1.0", 'b'), &sample::awaiting());
    let (cookie, csrf) = sign_in(&site.web, &site.token("alice@example.com")).await;
    let mut held: Vec<_> = (0..300)
        .map(|n| {
            let ask = match n % 3 {
                0 => Ask::form("/sign-in", &[]),
                1 => Ask::json("/v1/hooks/registry/x", &json!({})),
                _ => Ask::json("/v1/callbacks/slack-approval", &json!({})),
            };
            Box::pin(site.web.router().oneshot(endless(ask)))
        })
        .collect();
    // Each has come as far as it gets: into a place, or to being sent away.
    let mut sent_away = 0;
    held.retain_mut(|request| match request.as_mut().now_or_never() {
        Some(answer) => {
            assert_eq!(answer.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
            sent_away += 1;
            false
        }
        None => true,
    });
    assert_eq!(
        held.len(),
        64 + 32,
        "strangers and machines have places of their own"
    );
    assert_eq!(sent_away, 300 - 64 - 32);
    let busy = Ask::get("/sign-in").send(&site.web).await;
    assert_eq!(busy.code(), "busy");
    assert_eq!(
        Ask::get("/healthz").send(&site.web).await.status,
        StatusCode::OK
    );
    let vote = Ask::json(
        "/api/v1/rollouts/delivery/awaiting/approve",
        &json!({ "hash": HASH }),
    )
    .cookie(&cookie)
    .header("origin", ORIGIN)
    .header("x-sluice-csrf", &csrf)
    .send(&site.web)
    .await;
    assert_eq!(vote.status, StatusCode::CREATED, "{}", vote.text);
    // A cookie that is no session gives no place.
    let forged = Ask::get("/").cookie("sluice=0000").send(&site.web).await;
    assert_eq!(forged.code(), "busy");
    // They are given up on in time, and the places come back.
    for answer in join_all(held).await {
        let status = answer.unwrap().status();
        assert!(status.is_client_error(), "{status}");
    }
    assert_eq!(
        Ask::get("/sign-in").send(&site.web).await.status,
        StatusCode::OK
    );
}
