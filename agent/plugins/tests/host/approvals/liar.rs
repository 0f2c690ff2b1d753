//! An approval provider that lies, hangs and breaks off: whatever it does, nothing is approved.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::plugin::{ApprovalStatus, PluginAnswer};
use sluice_core::policy::{Identity, IdentityProvider};
use sluice_plugins::{CallbackDesk, Host, HostOptions, MemorySecrets};

use super::{NOW, SIGNING, about, ask, facts, failed, hand_over, mac, poll, subject, withdraw};
use crate::support::{Folder, operator_file, test_options};

async fn liar(limits: Value) -> Host {
    stage(limits).await.0
}

async fn stage(limits: Value) -> (Host, Folder, Arc<MemorySecrets>) {
    let folder = Folder::new().plugin("hostile_approver", "hostile_approver.wasm");
    let entry = json!({
        "grants": {
            "limits": limits,
            "callbacks": {
                "signature": { "hmac": { "secret": "hook", "header": "x-signature", "timestampHeader": "x-timestamp" } },
                "body": "json",
                "subject": { "pointer": "/subject" },
            },
        },
        "secrets": { "hook": { "secret": "hook", "key": "key" } },
    });
    folder.put(
        "plugins.yaml",
        operator_file("hostile-approver", "hostile_approver.wasm", entry),
    );
    let secrets = MemorySecrets::default()
        .with("hook", "key", SIGNING)
        .unwrap();
    let secrets = Arc::new(secrets);
    let options = HostOptions {
        secrets: secrets.clone(),
        ..test_options()
    };
    let host = folder.host_with(options).await;
    assert_eq!(host.problems(), []);
    (host, folder, secrets)
}

/// Attack 20: whatever a provider says, it is data, within bounds; and a fault is no approval.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lying_approver_gets_no_further_than_its_words() {
    let host = liar(json!({})).await;
    let told = async |which: &str| poll(&host, "hostile-approver", which, &facts()).await;
    let decision = match told("approve").await {
        PluginAnswer::Approval(ApprovalStatus::Decided(decision)) => decision,
        other => panic!("{other:?}"),
    };
    assert_eq!(decision.subject_digest, subject());
    let decision = match told("approve-another").await {
        PluginAnswer::Approval(ApprovalStatus::Decided(decision)) => decision,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        decision.subject_digest, "sha256:of-something-else",
        "passed on, for the core to drop"
    );
    let decision = match told("forge").await {
        PluginAnswer::Approval(ApprovalStatus::Decided(decision)) => decision,
        other => panic!("{other:?}"),
    };
    let words = format!("{}{}", decision.approver, decision.reason);
    assert!(
        !words.chars().any(|c| c.is_control() || c == '\u{202e}'),
        "{words}"
    );
    assert!(decision.approver.len() <= 256 && decision.reason.len() <= 1024);
    assert_eq!(
        told("largest-ticket").await,
        PluginAnswer::Approval(ApprovalStatus::Pending("t".repeat(4096)))
    );
    assert_eq!(
        told("expire").await,
        PluginAnswer::Approval(ApprovalStatus::Expired)
    );
    let refused = failed(told("refuse").await);
    assert_eq!(
        (refused.code.as_str(), refused.retryable),
        ("plugin/said-denied", false)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_kept_or_compared_is_a_fault() {
    for which in ["huge-ticket", "forged-ticket", "no-hash", "long-hash"] {
        let host = liar(json!({})).await;
        let mut asked = about(&facts());
        asked.idempotency_key = which.to_owned();
        for answer in [
            ask(&host, "hostile-approver", asked).await,
            poll(&host, "hostile-approver", which, &facts()).await,
        ] {
            assert_eq!(failed(answer).code, "plugin/bad-answer", "{which}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approver_that_hangs_breaks_off_or_spins_leaves_the_request_pending() {
    // On a busy machine 50 ms of CPU may take a second; only the sleeper is to meet its deadline.
    for (which, code, wall_ms) in [
        ("loop", "plugin/cpu-budget", 20_000),
        ("trap", "plugin/trap", 20_000),
        ("sleep", "plugin/deadline", 300),
    ] {
        let host = liar(json!({ "cpu-ms": 50, "wall-ms": wall_ms })).await;
        let mut asked = about(&facts());
        asked.idempotency_key = which.to_owned();
        assert_eq!(
            failed(ask(&host, "hostile-approver", asked).await).code,
            code
        );
        assert_eq!(
            failed(poll(&host, "hostile-approver", which, &facts()).await).code,
            code
        );
        assert_eq!(
            failed(withdraw(&host, "hostile-approver", which, &facts()).await).code,
            code
        );
    }
    // After so many faults in a row it rests, and that is a fault, too.
    let host = liar(json!({ "cpu-ms": 50, "wall-ms": 300 })).await;
    let mut last = String::new();
    for _ in 0..12 {
        last = failed(poll(&host, "hostile-approver", "trap", &facts()).await).code;
    }
    assert_eq!(last, "plugin/circuit-open");
}

/// What a plugin says about who approved is heard, and believed by nobody: the agent's person is the
/// plugin itself, for this sender vouches for nobody in particular.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_approved_is_never_the_plugins_word() {
    let (host, folder, secrets) = stage(json!({})).await;
    let desk = CallbackDesk::new(folder.path(), secrets);
    let body = br#"{"subject": "sha256:x", "approver": "alice", "subject": "sha256:y"}"#;
    let headers = [
        (
            "x-signature".to_owned(),
            mac(SIGNING, &[NOW.to_string().as_bytes(), b".", body]),
        ),
        ("x-timestamp".to_owned(), NOW.to_string()),
        ("cookie".to_owned(), "session=1".to_owned()),
    ];
    let now = Timestamp::from_second(NOW).unwrap();
    let callback = desk
        .receive("hostile-approver", &headers, body, now)
        .await
        .unwrap();
    assert_eq!(
        callback.person,
        Identity::of(IdentityProvider::Plugin, "hostile-approver")
    );
    let subject = callback.subject.clone().unwrap();
    let told = match hand_over(&host, "tell", callback.clone()).await {
        PluginAnswer::ApprovalCallback(Some(ApprovalStatus::Decided(decision))) => decision.reason,
        other => panic!("{other:?}"),
    };
    assert!(
        !told.contains("session=1") && !told.contains("x-signature"),
        "{told}"
    );
    assert!(
        told.contains(&subject),
        "plugin and host read one document: {told}"
    );
    assert_eq!(told.matches("sha256:").count(), 1, "{told}");
    assert_eq!(
        hand_over(&host, "not-mine", callback.clone()).await,
        PluginAnswer::ApprovalCallback(None)
    );
    let other_kind = poll(&host, "no-such-plugin", "x", &facts()).await;
    assert_eq!(failed(other_kind).code, "plugin/missing");
}
