//! What the first-party plugins use of what they ask for: an ordinary call must leave room for a
//! larger one.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sluice_core::plugin::{Event, PluginAnswer, PluginCall, Severity};
use sluice_plugins::{CallUsage, HostOptions, UsageSink};

use crate::server::{self, Reply, Seen};
use crate::support::{Folder, call, invocation, test_options};

/// Most of a budget that an ordinary call may use, in hundredths.
const MOST: u128 = 50;

#[derive(Default)]
struct Used(Mutex<Vec<CallUsage>>);

impl UsageSink for Used {
    fn used(&self, usage: CallUsage) {
        self.0.lock().unwrap().push(usage);
    }
}

/// Healthy in every way that is asked about.
fn everything(seen: &Seen) -> Reply {
    match seen.uri.path() {
        "/api/v1/query" => server::json(
            200,
            &json!({ "status": "success", "data": { "resultType": "scalar", "result": [1, "7"] } }),
        ),
        "/metrics" => server::text(&"http_requests_total{code=\"200\"} 4\n".repeat(2_000)),
        _ => server::json(
            200,
            &json!({ "status": "ok", "dependencies": { "database": "ok" } }),
        ),
    }
}

/// The grants of the pages, at loopback.
fn operators(url: &str) -> Value {
    let entry = |name: &str, target: &str, limits: Value| {
        let file = format!("{}.wasm", name.replace('-', "_"));
        let target = json!({ (target): { "url": url, "methods": ["GET", "POST"], "paths": ["/*"], "allowLoopback": true } });
        json!({ "name": name, "source": { "file": file }, "grants": { "http": target, "limits": limits } })
    };
    let long = |cpu: u32| json!({ "cpu-ms": cpu, "wall-ms": 120000, "requests": 64 });
    json!({ "plugins": [
        entry("http-smoke", "public", long(500)),
        entry("suite", "auth", long(1000)),
        entry("signed-webhook-smoke", "public", long(200)),
        entry("webhook-notify", "webhook", long(100)),
        entry("prometheus", "prometheus", long(500)),
    ] })
}

fn questions(url: &str) -> Vec<PluginCall> {
    let smoke = |plugin: &str, settings: Value| PluginCall::RunSmokeTest {
        plugin: plugin.to_owned(),
        invocation: invocation(settings, &[url.to_owned()]),
    };
    let health = json!({ "path": "/health", "expect": { "json": { "status": "ok" } } });
    let hook = json!({ "path": "/hook", "sign": { "secret": "webhook-secret" }, "badStatus": 200 });
    let service = json!({ "name": "auth", "readiness": { "dependencies": "database" },
        "metrics": { "series": "http_requests_total" }, "requests": vec![health.clone(); 8] });
    vec![
        smoke("http-smoke", json!({ "requests": vec![health; 16] })),
        smoke("suite", json!({ "services": [service] })),
        smoke("signed-webhook-smoke", json!({ "webhooks": [hook] })),
        PluginCall::Notify {
            plugin: "webhook-notify".to_owned(),
            invocation: invocation(json!({ "path": "/", "format": "cloudevents" }), &[]),
            event: Event {
                id: "0b7d/1".to_owned(),
                kind: "started".to_owned(),
                severity: Severity::Info,
                title: "storefront v1.2.0".to_owned(),
                body: "x".repeat(4_000),
                links: vec![],
                thread: None,
            },
        },
        PluginCall::EvaluateMetrics {
            plugin: "prometheus".to_owned(),
            invocation: invocation(json!({ "events": "a", "total": "b" }), &[]),
            from_unix_ms: 0,
            to_unix_ms: 300_000,
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_call_leaves_half_of_its_budget() {
    let server = server::start(everything).await;
    let used = Arc::new(Used::default());
    let options = HostOptions {
        usage: used.clone(),
        ..test_options()
    };
    let mut folder = Folder::new().file("plugins.yaml", operators(&server.url()).to_string());
    for name in [
        "http_smoke",
        "suite",
        "signed_webhook_smoke",
        "webhook_notify",
        "prometheus",
    ] {
        folder = folder.plugin(name, &format!("{name}.wasm"));
    }
    let host = folder.host_with(options).await;
    assert_eq!(host.problems(), []);
    for question in questions(&server.url()) {
        let answer = call(&host, question).await;
        assert!(!matches!(answer, PluginAnswer::Failed(_)), "{answer:?}");
    }
    let used = used.0.lock().unwrap();
    assert_eq!(used.len(), 5);
    for call in used.iter() {
        println!(
            "{} {}: {:?} of {} ms CPU, {} KiB, {} requests",
            call.plugin,
            call.export,
            call.cpu,
            call.limits.cpu_ms,
            call.memory_bytes >> 10,
            call.requests
        );
        let allowed = u128::from(call.limits.cpu_ms) * MOST / 100;
        assert!(call.cpu.as_millis() <= allowed, "{call:?}");
        let memory = u64::from(call.limits.memory_mib) << 20;
        assert!(call.memory_bytes <= memory / 2, "{call:?}");
    }
}
