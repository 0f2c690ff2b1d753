//! `webhook-notify` against a server that verifies, remembers and has moods.

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use sluice_core::plugin::{Event, PluginAnswer, PluginCall, Severity};
use sluice_plugins::{Host, HostOptions, MemorySecrets};

use crate::server::{self, Reply, Seen};
use crate::support::{Folder, call, invocation, operator_file, test_options};

const KEY: &str = "notify-key-1234567890";

/// Takes what is signed, over the time and the body.
fn incidents(seen: &Seen) -> Reply {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(format!("{}.", seen.header("x-timestamp")).as_bytes());
    mac.update(&seen.body);
    let digits: Vec<String> = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if seen.header("x-signature") != format!("sha256={}", digits.concat()) {
        return server::json(401, &json!({ "error": "signature" }));
    }
    match (seen.method.as_str(), seen.uri.path()) {
        ("POST", "/incidents") => server::json(201, &json!({ "data": { "id": "INC-7" } })),
        ("PUT", "/incidents/INC-7") => server::json(200, &json!({})),
        _ => server::json(404, &json!({})),
    }
}

async fn host(url: &str) -> Host {
    let grants = json!({
        "grants": { "http": { "webhook": {
            "url": url, "methods": ["POST", "PUT"], "paths": ["/incidents", "/incidents/*"],
            "secrets": ["webhook-key"], "allowLoopback": true, "plaintextSecrets": true,
        } } },
        "secrets": { "webhook-key": { "secret": "incidents", "key": "hmac" } },
    });
    let secrets = MemorySecrets::default()
        .with("incidents", "hmac", KEY)
        .unwrap();
    let options = HostOptions {
        secrets: Arc::new(secrets),
        ..test_options()
    };
    let file = "webhook_notify.wasm";
    Folder::new()
        .plugin("webhook_notify", file)
        .file(
            "plugins.yaml",
            operator_file("webhook-notify", file, grants),
        )
        .host_with(options)
        .await
}

async fn tell(host: &Host, id: &str, thread: Option<String>) -> PluginAnswer {
    let settings: Value = json!({
        "path": "/incidents", "format": "cloudevents",
        "sign": { "header": "x-signature", "timestampHeader": "x-timestamp" },
        "thread": { "pointer": "/data/id", "update": { "path": "/incidents/{{thread}}" } },
    });
    let question = PluginCall::Notify {
        plugin: "webhook-notify".to_owned(),
        invocation: invocation(settings, &[]),
        event: Event {
            id: id.to_owned(),
            kind: "started".to_owned(),
            severity: Severity::Info,
            title: "storefront v1.2.0".to_owned(),
            body: "ten percent".to_owned(),
            links: vec![],
            thread,
        },
    };
    call(host, question).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signed_cloudevents_arrive_and_later_ones_update_in_place() {
    let server = server::start(incidents).await;
    let host = host(&server.url()).await;
    let PluginAnswer::Notified(Some(thread)) = tell(&host, "0b7d/1", None).await else {
        panic!("{:?}", server.requests());
    };
    let again = tell(&host, "0b7d/1", Some(thread.clone())).await;
    assert_eq!(again, PluginAnswer::Notified(Some(thread.clone())));
    let later = tell(&host, "0b7d/2", Some(thread)).await;
    assert!(
        matches!(later, PluginAnswer::Notified(Some(_))),
        "{later:?}"
    );
    let seen = server.requests();
    let lines: Vec<String> = seen
        .iter()
        .map(|seen| format!("{} {}", seen.method, seen.uri))
        .collect();
    assert_eq!(lines, ["POST /incidents", "PUT /incidents/INC-7"]);
    let event = seen[0].json();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["id"], "0b7d/1");
    assert_eq!(event["type"], "dev.sluice.started");
    assert_eq!(event["source"], "/sluice/test");
    assert_eq!(
        seen[0].header("content-type"),
        "application/cloudevents+json; charset=utf-8"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_s_moods_become_faults_that_say_when_to_try_again() {
    for (status, header, code, retryable) in [
        (429, Some("7"), "plugin/said-rate-limited", true),
        (503, None, "plugin/said-unavailable", true),
        (401, None, "plugin/said-denied", false),
        (422, None, "plugin/said-invalid-config", false),
    ] {
        let server = server::start(move |_: &Seen| {
            let mut reply = server::json(status, &json!({}));
            if let Some(seconds) = header {
                let value = http::HeaderValue::from_static(seconds);
                reply.headers_mut().insert("retry-after", value);
            }
            reply
        })
        .await;
        let host = host(&server.url()).await;
        match tell(&host, "0b7d/1", None).await {
            PluginAnswer::Failed(fault) => {
                let came = (fault.code.as_str(), fault.retryable);
                assert_eq!(came, (code, retryable), "{fault:?}");
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}
