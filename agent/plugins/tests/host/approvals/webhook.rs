//! `webhook-approval` against a change board.

use std::sync::Arc;

use serde_json::json;
use sluice_core::plugin::{ApprovalDecision, ApprovalStatus, PluginAnswer};
use sluice_plugins::{HostOptions, MemorySecrets};

use super::{SIGNING, about, ask, facts, mac, pending, poll, subject, withdraw};
use crate::server::{self, Seen};
use crate::support::{Folder, operator_file, test_options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_asked_with_a_signature_that_the_plugin_cannot_make() {
    let answered = format!(
        r#"{{"id": "CHG-7", "status": "approved", "approver": "erin", "subject": "{}"}}"#,
        subject()
    );
    let board = server::start(move |seen: &Seen| match seen.method.as_str() {
        "POST" => server::json(202, &json!({"id": "CHG-7", "status": "pending"})),
        "GET" => server::text(&answered),
        _ => server::json(200, &json!({})),
    })
    .await;
    let entry = json!({
        "grants": { "http": { "approvals": {
            "url": board.url(), "methods": ["GET", "POST", "DELETE"], "paths": ["/v1/approvals", "/v1/approvals/*"],
            "secrets": ["approval-key"], "allowLoopback": true, "plaintextSecrets": true,
        } }, "limits": { "wall-ms": 15000 } },
        "secrets": { "approval-key": { "secret": "board", "key": "key" } },
        "settings": { "path": "/v1/approvals" },
    });
    let folder = Folder::new().plugin("webhook_approval", "webhook_approval.wasm");
    folder.put(
        "plugins.yaml",
        operator_file("webhook-approval", "webhook_approval.wasm", entry),
    );
    let options = HostOptions {
        secrets: Arc::new(
            MemorySecrets::default()
                .with("board", "key", SIGNING)
                .unwrap(),
        ),
        ..test_options()
    };
    let host = folder.host_with(options).await;
    assert_eq!(host.problems(), []);
    let ticket = pending(ask(&host, "webhook-approval", about(&facts())).await);
    assert_eq!(ticket, "CHG-7");
    let decided = poll(&host, "webhook-approval", &ticket, &facts()).await;
    assert_eq!(
        decided,
        PluginAnswer::Approval(ApprovalStatus::Decided(ApprovalDecision {
            approved: true,
            approver: "erin".to_owned(),
            reason: String::new(),
            subject_digest: subject(),
        }))
    );
    assert_eq!(
        withdraw(&host, "webhook-approval", &ticket, &facts()).await,
        PluginAnswer::Withdrawn
    );
    let seen = board.requests();
    let signature = format!("sha256={}", mac(SIGNING, &[&seen[0].body]));
    assert_eq!(seen[0].header("x-sluice-signature"), signature);
    assert_eq!(seen[0].json()["facts"]["requester"], "carol");
    let asked: Vec<_> = seen
        .iter()
        .map(|seen| format!("{} {}", seen.method, seen.uri.path()))
        .collect();
    assert_eq!(
        asked,
        [
            "POST /v1/approvals",
            "GET /v1/approvals/CHG-7",
            "DELETE /v1/approvals/CHG-7"
        ]
    );
}
