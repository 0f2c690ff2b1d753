//! `signed-webhook-smoke` against receivers that verify as the real ones do.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use sluice_core::plugin::{Outcome, Report};
use sluice_plugins::{HostOptions, MemorySecrets};

use crate::server::{self, Reply, Seen};
use crate::support::{Folder, invocation, operator_file, smoke, test_options};

const KEY: &str = "whsec-1234567890";

/// The HMAC-SHA-256 of some bytes, as the receiver computes it.
fn signature(bytes: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(bytes);
    let digits: Vec<String> = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digits.concat()
}

/// Whether a time is within five minutes of now.
fn recent(seconds: &str) -> bool {
    let Ok(seconds) = seconds.parse() else {
        return false;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.abs_diff(Duration::from_secs(seconds)) < Duration::from_secs(300)
}

/// What each style's documentation tells receivers to do.
fn genuine(seen: &Seen) -> bool {
    match seen.uri.path() {
        "/github" => {
            seen.header("x-hub-signature-256") == format!("sha256={}", signature(&seen.body))
        }
        "/slack" => {
            let time = seen.header("x-slack-request-timestamp");
            let text = [format!("v0:{time}:").as_bytes(), &seen.body].concat();
            recent(time) && seen.header("x-slack-signature") == format!("v0={}", signature(&text))
        }
        _ => {
            let parts = seen.header("stripe-signature").strip_prefix("t=");
            let Some((time, signed)) = parts.and_then(|rest| rest.split_once(",v1=")) else {
                return false;
            };
            let text = [format!("{time}.").as_bytes(), &seen.body].concat();
            recent(time) && signed == signature(&text)
        }
    }
}

async fn check(url: &str, key: Option<&str>, webhooks: Value) -> Report {
    let grants = json!({
        "grants": {
            "http": { "candidate": { "secrets": ["webhook-secret"], "plaintextSecrets": true } },
            "limits": { "requests": 64 },
        },
        "secrets": { "webhook-secret": { "secret": "smoke", "key": "hook" } },
    });
    let secrets = match key {
        Some(key) => MemorySecrets::default().with("smoke", "hook", key).unwrap(),
        None => MemorySecrets::default(),
    };
    let options = HostOptions {
        secrets: Arc::new(secrets),
        ..test_options()
    };
    let file = "signed_webhook_smoke.wasm";
    let host = Folder::new()
        .plugin("signed_webhook_smoke", file)
        .file(
            "plugins.yaml",
            operator_file("signed-webhook-smoke", file, grants),
        )
        .host_with(options)
        .await;
    let settings = json!({ "webhooks": webhooks });
    smoke(
        &host,
        "signed-webhook-smoke",
        invocation(settings, &[url.to_owned()]),
    )
    .await
    .unwrap()
}

fn every_style() -> Value {
    let secret = "webhook-secret";
    json!([
        { "path": "/github", "sign": { "secret": secret } },
        { "path": "/slack", "sign": { "secret": secret, "style": "slack" }, "stale": {} },
        { "path": "/stripe", "body": { "id": "{{id}}" }, "sign": { "secret": secret, "style": "stripe" }, "replay": {}, "stale": {} },
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_of_each_style_takes_what_is_genuine_and_nothing_else() {
    let seen = Mutex::new(BTreeSet::new());
    let receiver = server::start(move |request: &Seen| {
        let fresh =
            || request.uri.path() != "/stripe" || seen.lock().unwrap().insert(request.body.clone());
        let status = match genuine(request) {
            false => 401,
            true if !fresh() => 409,
            true => 202,
        };
        server::json(status, &json!({}))
    })
    .await;
    let report = check(&receiver.url(), Some(KEY), every_style()).await;
    assert_eq!(report.outcome, Outcome::Pass, "{report:?}");
    assert_eq!(report.checks.len(), 3 + 4 + 5, "{report:?}");
    let sent = format!("{:?}", receiver.requests());
    assert!(!sent.contains(KEY) && !format!("{report:?}").contains(KEY));
    // Another key than the receiver's: the good deliveries are refused, and the report says so.
    let report = check(&receiver.url(), Some("another-key-1"), every_style()).await;
    assert_eq!(report.outcome, Outcome::Fail);
    let failed = report
        .checks
        .iter()
        .filter(|line| line.outcome == Outcome::Fail);
    assert_eq!(failed.count(), 3, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_checks_nothing_fails_even_without_the_secret() {
    let careless = server::start(|_: &Seen| -> Reply { server::json(202, &json!({})) }).await;
    let report = check(&careless.url(), None, every_style()).await;
    assert_eq!(report.outcome, Outcome::Fail, "{report:?}");
    let skipped = report
        .checks
        .iter()
        .filter(|line| line.outcome == Outcome::Skipped);
    assert_eq!(skipped.count(), 6, "{report:?}");
}
