//! Live streams and the server behind a real socket.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

use crate::ask::Ask;
use crate::sample::{self, NAMESPACE, Site};

fn site() -> Site {
    let mut config = sample::config();
    config.public_read = true;
    let mut site = Site::new(config);
    site.pipeline(
        "storefront",
        sample::pipeline_spec(),
        sample::pipeline_status(),
    );
    site.rollout("one", sample::spec("v1.1.0", 'b'), &sample::awaiting());
    site
}

async fn open(site: &Site) -> Response<Body> {
    site.web
        .router()
        .oneshot(Ask::get("/events").request())
        .await
        .unwrap()
}

/// Reads until the text has come; the caller bounds the time.
async fn until(stream: &mut Response<Body>, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        let frame = stream.frame().await.expect("the stream goes on").unwrap();
        seen.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told() {
    let mut site = site();
    let mut stream = open(&site).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let web = std::mem::replace(&mut site.web, Site::new(sample::config()).web);
    let follow = web.follow_changes();
    let told = async {
        until(&mut stream, "event: hello").await;
        // The first look finds all that there is.
        until(&mut stream, "\"name\":\"one\"").await;
        site.rollout("two", sample::spec("v1.1.0", 'b'), &sample::holding());
        let told = until(&mut stream, "\"name\":\"two\"").await;
        assert!(
            told.contains("\"kind\":\"rollout\"") && told.contains("\"phase\":\"Progressing\"")
        );
        assert!(
            !told.contains("\"name\":\"one\""),
            "only what changed: {told}"
        );
        let mut journal = sample::awaiting();
        journal.next_seq = 7;
        let rollout = site.rollout("one", sample::spec("v1.1.0", 'b'), &journal);
        until(&mut stream, "\"name\":\"one\"").await;
        site.vote("vote", &rollout, "alice@example.com", sample::HASH);
        let told = until(&mut stream, "\"name\":\"one\"").await;
        assert!(
            told.contains("AwaitingApproval"),
            "a vote is news of its rollout: {told}"
        );
        site.policy.send_replace(std::sync::Arc::default());
        until(&mut stream, "\"kind\":\"everything\"").await;
        // Much at once is told as one.
        for n in 0..40 {
            site.rollout(
                &format!("r{n}"),
                sample::spec("v1.1.0", 'b'),
                &sample::awaiting(),
            );
        }
        let told = until(&mut stream, "\"kind\":\"everything\"").await;
        assert!(!told.contains("\"name\":\"r"), "{told}");
    };
    tokio::select! {
        () = follow => unreachable!("it never ends"),
        told = tokio::time::timeout(Duration::from_secs(60), told) => told.expect("told in time"),
    }
}

#[tokio::test(start_paused = true)]
async fn streams_are_bounded_beat_and_end() {
    let site = site();
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(open(&site).await);
    }
    assert!(streams.iter().all(|s| s.status() == StatusCode::OK));
    let refused = open(&site).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "2");
    // A page that is closed gives its place back.
    streams.pop();
    assert_eq!(open(&site).await.status(), StatusCode::OK);
    let mut stream = streams.pop().unwrap();
    let began = tokio::time::Instant::now();
    until(&mut stream, "event: hello").await;
    until(&mut stream, ":").await;
    assert_eq!(
        began.elapsed().as_secs(),
        15,
        "a heartbeat without any change"
    );
    while let Some(frame) = stream.frame().await {
        assert!(frame.is_ok());
    }
    assert_eq!(
        began.elapsed().as_secs(),
        600,
        "it ends and the page comes back"
    );
}

#[tokio::test]
async fn serves_on_a_socket_until_dropped() {
    let mut config = sample::config();
    config.public_read = true;
    let (mut site, state) = Site::parts(config, std::sync::Arc::default());
    site.rollout("one", sample::spec("v1.1.0", 'b'), &sample::awaiting());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = async {
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let ask = format!(
            "GET /api/v1/rollouts/{NAMESPACE}/one HTTP/1.1\r\nHost: {address}\r\n\
             Connection: close\r\n\r\n"
        );
        socket.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("\"phase\":\"AwaitingApproval\""));
        let mut idle = tokio::net::TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        idle
    };
    let mut idle = tokio::select! {
        ended = sluice_web::serve(listener, state) => panic!("{ended:?}"),
        idle = tokio::time::timeout(Duration::from_secs(20), client) => idle.expect("in time"),
    };
    // The server is gone, and every connection with it.
    let gone = tokio::time::timeout(Duration::from_secs(5), idle.read(&mut [0; 1])).await;
    assert!(matches!(gone.expect("closed at once"), Ok(0) | Err(_)));
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn ready_once_the_watches_are() {
    let site = site();
    assert_eq!(
        Ask::get("/readyz").send(&site.web).await.status,
        StatusCode::OK
    );
    let (pipelines, _p) = kube::runtime::reflector::store();
    let (rollouts, _r) = kube::runtime::reflector::store();
    let (approvals, _a) = kube::runtime::reflector::store();
    let (requests, _q) = kube::runtime::reflector::store();
    let (_policy, policy) = tokio::sync::watch::channel(std::sync::Arc::default());
    let web = sluice_web::Web::new(sluice_web::WebState {
        world: sluice_controller::World {
            pipelines,
            rollouts,
            approvals,
            requests,
        },
        client: site.cluster.client(&site.cluster.agent()),
        policy,
        clock: site.dial.clone(),
        doors: sluice_web::Doors::default(),
        config: sample::config(),
    });
    assert_eq!(
        Ask::get("/readyz").send(&web).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(Ask::get("/healthz").send(&web).await.status, StatusCode::OK);
}
