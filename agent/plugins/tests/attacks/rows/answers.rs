//! Attacks by what a plugin answers (19 to 21).

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::json;
use sha2::Sha256;
use sluice_core::plan::{PlanLimits, Room, check};
use sluice_core::plugin::{ApprovalStatus, PlanStep, PluginAnswer, PluginCall};
use sluice_core::policy::{Identity, IdentityProvider};
use sluice_plugins::{CallbackDesk, MemorySecrets};

use super::bare;
use crate::ground::Ground;
use crate::support::invocation;

const SIGNING: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const NOW: i64 = 1_800_000_000;

pub(crate) async fn forged_text() -> String {
    let ground = bare(json!({})).await;
    let report = ground.hostile("forge").await.unwrap();
    let check = &report.checks[0];
    let told = format!("{}{}{}", report.summary, check.name, check.message);
    assert!(
        !told.chars().any(|c| c.is_control() || c == '\u{202e}'),
        "{told}"
    );
    assert!(check.message.len() <= 1024);
    "control bytes stripped, lengths capped".to_owned()
}

async fn poll(ground: &Ground, ticket: &str) -> PluginAnswer {
    let question = PluginCall::PollApproval {
        plugin: "approver".to_owned(),
        invocation: invocation(json!({}), &[]),
        ticket: ticket.to_owned(),
    };
    ground.answer(question).await
}

/// A callback as its sender signs it, or does not.
fn signed(secret: &str, time: i64, body: &[u8]) -> Vec<(String, String)> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    vec![
        ("x-signature".to_owned(), hex),
        ("x-timestamp".to_owned(), time.to_string()),
    ]
}

/// Where the agent verifies what comes back.
fn desk(ground: &Ground) -> CallbackDesk {
    let secrets = MemorySecrets::default()
        .with("hook", "key", SIGNING)
        .unwrap();
    CallbackDesk::new(ground.path(), Arc::new(secrets))
}

pub(crate) async fn approver() -> String {
    let ground = bare(json!({})).await;
    // A lie is data: the hash that it names goes on to the core, which drops any but the open one's.
    match poll(&ground, "approve-another").await {
        PluginAnswer::Approval(ApprovalStatus::Decided(decision)) => {
            assert_eq!(decision.subject_digest, "sha256:of-something-else");
        }
        other => panic!("{other:?}"),
    }
    for nonsense in ["no-hash", "long-hash", "huge-ticket", "forged-ticket"] {
        match poll(&ground, nonsense).await {
            PluginAnswer::Failed(fault) => assert_eq!(fault.code, "plugin/bad-answer"),
            other => panic!("{nonsense}: {other:?}"),
        }
        let _ = poll(&ground, "expire").await;
    }
    let body = br#"{"subject": "sha256:x", "approver": "alice"}"#;
    let now = Timestamp::from_second(NOW).unwrap();
    let desk = desk(&ground);
    let receive = |headers: Vec<(String, String)>| {
        let desk = &desk;
        async move { desk.receive("approver", &headers, body, now).await }
    };
    let heard = receive(signed(SIGNING, NOW, body)).await.unwrap();
    assert_eq!(
        heard.person,
        Identity::of(IdentityProvider::Plugin, "approver")
    );
    for headers in [
        signed("another secret of the same length", NOW, body),
        signed(SIGNING, NOW, b"another body"),
        signed(SIGNING, NOW - 301, body),
        signed(SIGNING, NOW + 301, body),
        Vec::new(),
    ] {
        assert!(receive(headers.clone()).await.is_err(), "{headers:?}");
    }
    "words are data; five forged or replayed callbacks refused before the guest".to_owned()
}

pub(crate) async fn forge(ground: &Ground) {
    let body = br#"{"subject": "sha256:x"}"#;
    let headers = signed("not the secret", NOW, body);
    let now = Timestamp::from_second(NOW).unwrap();
    let _ = desk(ground).receive("approver", &headers, body, now).await;
    let _ = poll(ground, "forge").await;
}

async fn plan(ground: &Ground, attack: &str) -> PluginAnswer {
    let question = PluginCall::Plan {
        plugin: "strategist".to_owned(),
        invocation: invocation(json!({ "attack": attack }), &[]),
    };
    ground.answer(question).await
}

async fn steps(ground: &Ground, attack: &str) -> Vec<PlanStep> {
    match plan(ground, attack).await {
        PluginAnswer::Plan(steps) => steps,
        other => panic!("{attack}: {other:?}"),
    }
}

pub(crate) async fn strategist() -> String {
    let ground = bare(json!({})).await;
    // Time stands still and lots are drawn from the key: the same question, the same plan.
    let first = steps(&ground, "unstable").await;
    for _ in 0..5 {
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        assert_eq!(steps(&ground, "unstable").await, first);
    }
    let refused = [
        "overweight",
        "weightless",
        "flapping",
        "twice",
        "unpromoted",
        "nothing",
        "endless",
        "longer-than-read",
    ];
    for attack in refused {
        let steps = steps(&ground, attack).await;
        let verdict = check(
            "strategist",
            &steps,
            Room::Within(10),
            &PlanLimits::default(),
        );
        assert!(verdict.is_err(), "{attack} became a plan");
    }
    let forged = steps(&ground, "forged").await;
    assert!(!forged[0].name.contains(char::is_control));
    for (attack, code) in [("flood", "plugin/bad-answer"), ("trap", "plugin/trap")] {
        match plan(&ground, attack).await {
            PluginAnswer::Failed(fault) => assert_eq!(fault.code, code),
            other => panic!("{attack}: {other:?}"),
        }
    }
    format!(
        "the same plan every time; {} bad plans rejected",
        refused.len() + 2
    )
}

pub(crate) async fn plan_again(ground: &Ground) {
    for attack in ["flapping", "longer-than-read", "flood", "unstable"] {
        let _ = plan(ground, attack).await;
    }
}
