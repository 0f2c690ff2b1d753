//! What a guest sees of the network: nothing but what was granted, and never a secret.

use serde_json::json;
use sluice_core::plugin::Outcome;

use crate::server;
use crate::support::{
    Folder, invocation, operator_file, smoke, test_options, with_lines, with_token,
};

const SECRET: &str = "xoxb-very-secret-0815";

/// A folder with the hostile plugin, and what it is granted at `url`.
fn granted(url: &str, plaintext: bool) -> Folder {
    let grants = json!({
        "grants": { "http": { "echo": {
            "url": url, "methods": ["GET"], "paths": ["/*"], "secrets": ["token"],
            "allowLoopback": true, "plaintextSecrets": plaintext,
        } } },
        "secrets": { "token": { "secret": "hostile", "key": "token" } },
    });
    Folder::new().plugin("hostile", "hostile.wasm").file(
        "plugins.yaml",
        operator_file("hostile", "hostile.wasm", grants),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_13_the_secret_reaches_the_server_and_never_the_guest() {
    let echo = server::start(|seen| {
        let secret = seen.header("authorization").to_owned();
        match seen.uri.path() {
            "/echo-header" => http::Response::builder()
                .header("x-request-id", &secret)
                .header("set-cookie", &secret)
                .body(Default::default())
                .unwrap(),
            _ => server::text(&format!("you sent {secret}!")),
        }
    })
    .await;
    let (options, lines) = with_lines();
    let folder = granted(&echo.url(), true);
    let host = folder
        .host_with(with_token(options, "hostile", SECRET))
        .await;
    assert_eq!(host.problems(), []);
    let pods = [echo.url()];
    let report = smoke(
        &host,
        "hostile",
        invocation(json!({ "attack": "theft" }), &pods),
    )
    .await
    .unwrap();
    let arrived: Vec<String> = echo
        .requests()
        .iter()
        .map(|seen| seen.header("authorization").to_owned())
        .collect();
    assert_eq!(arrived, vec![format!("Bearer {SECRET}"); 3]);
    let seen = format!("{report:?} {:?}", lines.taken());
    assert!(!seen.contains(SECRET), "{seen}");
    assert!(seen.contains("[redacted:token]"), "{seen}");
    // The target that no grant gives the secret to did not get it.
    assert!(
        seen.contains(r#"other Err(NetError::NotGranted("#),
        "{seen}"
    );
    for nothing in [
        "env []",
        "root None",
        "passwd None",
        "socket false",
        r#"stdin """#,
    ] {
        assert!(
            report
                .checks
                .iter()
                .any(|check| check.message.starts_with(nothing)),
            "{nothing}: {report:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_not_sent_in_clear_unless_granted_so() {
    let echo = server::start(|_| server::text("hello")).await;
    let folder = granted(&echo.url(), false);
    let host = folder
        .host_with(with_token(test_options(), "hostile", SECRET))
        .await;
    let call = invocation(
        json!({ "attack": "theft" }),
        &["http://127.0.0.1:9".to_owned()],
    );
    let report = smoke(&host, "hostile", call).await.unwrap();
    assert!(
        format!("{report:?}").contains("plaintextSecrets"),
        "{report:?}"
    );
    assert!(echo.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_11_a_redirect_is_an_answer_not_a_journey() {
    let elsewhere = server::start(|_| server::text("metadata")).await;
    let location = format!("{}/latest/meta-data", elsewhere.url());
    let pod = server::start(move |_| {
        http::Response::builder()
            .status(302)
            .header("location", &location)
            .body(Default::default())
            .unwrap()
    })
    .await;
    let host = Folder::new().plugin("hostile", "hostile.wasm").host().await;
    let call = invocation(json!({ "attack": "fetch" }), &[pod.url()]);
    let report = smoke(&host, "hostile", call).await.unwrap();
    assert!(report.summary.starts_with("302 "), "{}", report.summary);
    assert!(
        report.summary.contains("location: http://127.0.0.1:"),
        "{}",
        report.summary
    );
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_is_taken_away_holds_for_the_next_request() {
    let echo = server::start(|_| server::text("hello")).await;
    let folder = granted(&echo.url(), true);
    let host = folder
        .host_with(with_token(test_options(), "hostile", SECRET))
        .await;
    let call = || {
        let settings = json!({ "attack": "fetch", "target": "echo" });
        invocation(settings, &["http://127.0.0.1:9".to_owned()])
    };
    assert_eq!(
        smoke(&host, "hostile", call()).await.unwrap().outcome,
        Outcome::Pass
    );
    folder.put(
        "plugins.yaml",
        operator_file("hostile", "hostile.wasm", json!({})),
    );
    host.reload().await;
    let report = smoke(&host, "hostile", call()).await.unwrap();
    assert_eq!(report.outcome, Outcome::Inconclusive);
    assert!(report.summary.contains("NotGranted"), "{}", report.summary);
    assert_eq!(echo.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pod_is_tested_and_the_worst_decides() {
    let good = server::start(|_| server::text("ok")).await;
    let host = Folder::new().plugin("hostile", "hostile.wasm").host().await;
    let pods = [good.url(), "http://127.0.0.1:9".to_owned(), good.url()];
    let call = invocation(json!({ "attack": "fetch" }), &pods);
    let report = smoke(&host, "hostile", call).await.unwrap();
    assert_eq!(report.outcome, Outcome::Inconclusive);
    assert!(
        report
            .summary
            .starts_with("2 of 3 pods passed; 127.0.0.1:9"),
        "{}",
        report.summary
    );
    assert_eq!(good.requests().len(), 2);
}
