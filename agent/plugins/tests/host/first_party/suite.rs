//! `suite` over several servers: services, their databases, their metrics (E8).

use serde_json::{Value, json};
use sluice_core::plugin::{Outcome, Report};

use crate::server::{self, Reply, Seen, Server};
use crate::support::{Folder, invocation, operator_file, smoke};

async fn service(database: &'static str) -> Server {
    server::start(move |seen: &Seen| -> Reply {
        match seen.uri.path() {
            "/ready" => {
                let status = if database == "ok" { 200 } else { 503 };
                let states = json!({ "database": { "status": database }, "cache": "ok" });
                server::json(status, &json!({ "dependencies": states }))
            }
            "/metrics" => server::text(
                "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} 41\n",
            ),
            "/home" => server::text("Welcome to the shop"),
            _ => server::json(404, &json!({})),
        }
    })
    .await
}

async fn check(gateway: &Server, auth: &Server) -> Report {
    let target = |server: &Server| json!({ "url": server.url(), "methods": ["GET"], "paths": ["/*"], "allowLoopback": true });
    let grants = json!({ "grants": {
        "http": { "auth": target(auth), "gateway": target(gateway) },
        "limits": { "requests": 64 },
    } });
    let host = Folder::new()
        .plugin("suite", "suite.wasm")
        .file("plugins.yaml", operator_file("suite", "suite.wasm", grants))
        .host()
        .await;
    let settings: Value = json!({ "services": [
        { "name": "web", "target": "candidate", "after": "gateway", "requests": [{ "path": "/home" }] },
        { "name": "gateway", "after": "auth", "requests": [{ "path": "/home", "expect": { "contains": "shop" } }] },
        { "name": "auth", "readiness": { "dependencies": ["database", "cache"], "retryWaitMs": 10 },
          "metrics": { "series": "http_requests_total" } },
    ] });
    smoke(&host, "suite", invocation(settings, &[gateway.url()]))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_are_tested_together_and_the_one_to_blame_is_named() {
    let (gateway, good, bad) = (
        service("ok").await,
        service("ok").await,
        service("down").await,
    );
    let report = check(&gateway, &good).await;
    assert_eq!(report.outcome, Outcome::Pass, "{report:?}");
    assert_eq!(report.summary, "3 services well; 7 of 7 checks passed");
    let before = gateway.requests().len();
    let report = check(&gateway, &bad).await;
    assert_eq!(report.outcome, Outcome::Fail, "{report:?}");
    assert!(
        report
            .summary
            .starts_with("failed: auth; not tested: web, gateway; "),
        "{report:?}"
    );
    assert_eq!(
        gateway.requests().len(),
        before,
        "nobody behind it is asked"
    );
}
