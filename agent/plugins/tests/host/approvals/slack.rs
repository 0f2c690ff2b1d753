//! `slack-approval` against a Slack that checks what the real one checks.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::plugin::{ApprovalDecision, ApprovalStatus, PluginAnswer};
use sluice_core::policy::{Identity, IdentityProvider};
use sluice_core::port::BoxFuture;
use sluice_plugins::{
    CallbackDesk, CallbackRefused, Host, HostOptions, MemorySecrets, SecretFault, SecretRef,
    SecretSource, SecretValue, VerifiedCallback,
};

use super::{
    NOW, SIGNING, about, ask, facts, failed, hand_over, mac, pending, poll, subject, withdraw,
};
use crate::server::{self, Seen, Server};
use crate::slack_checker::SlackChecker;
use crate::support::{Folder, operator_file, test_options};

const TOKEN: &str = "xoxb-1234-5678-abcdef";

/// Values that a test may change.
#[derive(Default)]
struct Vault(Mutex<MemorySecrets>);

impl Vault {
    fn put(&self, secret: &str, key: &str, value: &str) {
        let mut values = self.0.lock().unwrap();
        *values = values.clone().with(secret, key, value).unwrap();
    }
}

impl SecretSource for Vault {
    fn read<'a>(&'a self, at: &'a SecretRef) -> BoxFuture<'a, Result<SecretValue, SecretFault>> {
        let values = self.0.lock().unwrap().clone();
        let at = at.clone();
        Box::pin(async move { values.read(&at).await })
    }
}

struct Stage {
    host: Host,
    desk: CallbackDesk,
    folder: Folder,
    vault: Arc<Vault>,
    slack: Arc<Mutex<SlackChecker>>,
    server: Server,
}

fn slack_entry(url: &str) -> Value {
    json!({
        "grants": {
            "http": { "slack": {
                "url": url, "methods": ["POST"],
                "paths": ["/api/chat.postMessage", "/api/chat.update", "/api/users.info"],
                "secrets": ["slack-token"], "allowLoopback": true, "plaintextSecrets": true,
            } },
            "limits": { "wall-ms": 15000 },
            "callbacks": {
                "signature": { "slack": { "secret": "slack-signing-secret" } },
                "body": { "form": "payload" },
                "person": { "provider": "slack", "pointer": "/user/id" },
                "subject": { "pointer": "/actions/0/value" },
                "require": { "/api_app_id": "A123", "/team/id": "T123", "/type": "block_actions" },
                "forbid": ["/user/is_bot"],
            },
        },
        "secrets": {
            "slack-token": { "secret": "slack", "key": "token" },
            "slack-signing-secret": { "secret": "slack", "key": "signing" },
        },
        "settings": { "channel": "#deploys" },
    })
}

async fn slack() -> Stage {
    let mut checker = SlackChecker::new(TOKEN);
    checker.users = vec![
        json!({"id": "U024BE7LH", "name": "alice"}),
        json!({"id": "U0GUEST01", "is_restricted": true}),
    ];
    let slack = Arc::new(Mutex::new(checker));
    let behind = slack.clone();
    let server = server::start(move |seen: &Seen| {
        let headers: Vec<(String, String)> = seen
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let answer = behind.lock().unwrap().handle(
            seen.method.as_str(),
            seen.uri.path(),
            &headers,
            &seen.body,
        );
        let mut reply = http::Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            reply = reply.header(name, value);
        }
        reply.body(Full::new(Bytes::from(answer.body))).unwrap()
    })
    .await;
    let folder = Folder::new()
        .plugin("slack_approval", "slack_approval.wasm")
        .file(
            "plugins.yaml",
            operator_file(
                "slack-approval",
                "slack_approval.wasm",
                slack_entry(&server.url()),
            ),
        );
    let vault = Arc::new(Vault::default());
    vault.put("slack", "token", TOKEN);
    vault.put("slack", "signing", SIGNING);
    let options = HostOptions {
        secrets: vault.clone(),
        ..test_options()
    };
    let host = folder.host_with(options).await;
    assert_eq!(host.problems(), []);
    let desk = CallbackDesk::new(folder.path(), vault.clone());
    Stage {
        host,
        desk,
        folder,
        vault,
        slack,
        server,
    }
}

impl Stage {
    fn message(&self) -> crate::slack_checker::Message {
        let slack = self.slack.lock().unwrap();
        assert_eq!(slack.violations, Vec::<String>::new());
        assert_eq!(slack.messages.len(), 1);
        slack.messages[0].clone()
    }

    /// What Slack sends when somebody presses the button at this place.
    fn press(&self, button: usize, user: &str) -> Value {
        let message = self.message();
        let blocks = message.blocks.as_array().unwrap();
        let actions = blocks
            .iter()
            .find(|block| block["type"] == "actions")
            .unwrap();
        let button = &actions["elements"][button];
        json!({
            "type": "block_actions",
            "api_app_id": "A123",
            "team": {"id": "T123"},
            "user": {"id": user, "name": "mallory", "team_id": "T123"},
            "container": {"channel_id": message.channel, "message_ts": message.ts},
            "actions": [{"action_id": button["action_id"], "value": button["value"]}],
        })
    }

    async fn receive(
        &self,
        body: &[u8],
        secret: &str,
        second: i64,
    ) -> Result<VerifiedCallback, CallbackRefused> {
        let headers = signed(secret, second, body);
        let now = Timestamp::from_second(NOW).unwrap();
        self.desk
            .receive("slack-approval", &headers, body, now)
            .await
    }
}

fn form(document: &Value) -> Vec<u8> {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", &document.to_string())
        .finish()
        .into_bytes()
}

fn signed(secret: &str, second: i64, body: &[u8]) -> Vec<(String, String)> {
    let signature = mac(secret, &[format!("v0:{second}:").as_bytes(), body]);
    vec![
        ("x-slack-request-timestamp".to_owned(), second.to_string()),
        ("x-slack-signature".to_owned(), format!("v0={signature}")),
        ("x-forwarded-user".to_owned(), "alice".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_slack_is_asked_followed_pressed_and_withdrawn() {
    let stage = slack().await;
    let ticket = pending(ask(&stage.host, "slack-approval", about(&facts())).await);
    let message = stage.message();
    assert_eq!(
        message.text,
        "Approve storefront v1.2.0 &lt;!channel&gt; to production?"
    );
    assert_eq!(
        pending(poll(&stage.host, "slack-approval", &ticket, &facts()).await),
        ticket
    );
    assert_eq!(stage.server.requests().len(), 1, "nothing new is not told");

    let body = form(&stage.press(0, "U024BE7LH"));
    let callback = stage.receive(&body, SIGNING, NOW).await.unwrap();
    assert_eq!(
        callback.person,
        Identity::of(IdentityProvider::Slack, "U024BE7LH")
    );
    assert_eq!(callback.subject, Some(subject()));
    let again = stage.receive(&body, SIGNING, NOW).await.unwrap();
    assert_eq!(again.key, callback.key, "a replay is known by its key");
    let decision = ApprovalDecision {
        approved: true,
        approver: "U024BE7LH".to_owned(),
        reason: "approved in Slack".to_owned(),
        subject_digest: subject(),
    };
    assert_eq!(
        hand_over(&stage.host, &ticket, callback).await,
        PluginAnswer::ApprovalCallback(Some(ApprovalStatus::Decided(decision)))
    );

    let mut later = facts();
    later["given"] = json!([{"role": "devops-lead", "person": "alice"}]);
    let newer = pending(poll(&stage.host, "slack-approval", &ticket, &later).await);
    assert_ne!(newer, ticket);
    assert_eq!(stage.message().edits, 1);

    later["state"] = json!("superseded");
    assert_eq!(
        withdraw(&stage.host, "slack-approval", &newer, &later).await,
        PluginAnswer::Withdrawn
    );
    let last = stage.message();
    assert!(
        last.text.starts_with("Superseded: storefront"),
        "{}",
        last.text
    );
    assert!(!last.blocks.to_string().contains("sluice-approve"));
}

/// Attacks 7 to 9 and 14, with the grant as it is read from the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_slack_did_not_sign_for_us_does_not_reach_the_plugin() {
    let stage = slack().await;
    let ticket = pending(ask(&stage.host, "slack-approval", about(&facts())).await);
    let good = stage.press(0, "U024BE7LH");
    let body = form(&good);
    let status = async |body: &[u8], secret: &str, second| {
        stage
            .receive(body, secret, second)
            .await
            .unwrap_err()
            .status
    };
    assert_eq!(status(&body, "another-secret", NOW).await, 401);
    assert_eq!(status(&body, SIGNING, NOW - 301).await, 401);
    assert_eq!(status(&body, SIGNING, NOW + 301).await, 401);
    for (place, value) in [
        ("/api_app_id", json!("A999")),
        ("/team/id", json!("T999")),
        ("/user/team_id", json!("T999")),
        ("/type", json!("shortcut")),
    ] {
        let mut other = good.clone();
        *other.pointer_mut(place).unwrap() = value;
        assert_eq!(status(&form(&other), SIGNING, NOW).await, 403, "{place}");
    }
    let now = Timestamp::from_second(NOW).unwrap();
    let headers = signed(SIGNING, NOW, &body);
    for name in ["slack-notify", "", "../slack-approval"] {
        let answer = stage.desk.receive(name, &headers, &body, now).await;
        assert_eq!(answer.unwrap_err().status, 404, "{name}");
    }
    // A guest is not told from a colleague by the callback; the plugin asks Slack.
    let guest = form(&stage.press(0, "U0GUEST01"));
    let callback = stage.receive(&guest, SIGNING, NOW).await.unwrap();
    let fault = failed(hand_over(&stage.host, &ticket, callback).await);
    assert_eq!(fault.code, "plugin/said-denied");
    // Another message of the same app and channel.
    let mut elsewhere = good.clone();
    elsewhere["container"]["message_ts"] = json!("1503435956.000999");
    let callback = stage
        .receive(&form(&elsewhere), SIGNING, NOW)
        .await
        .unwrap();
    assert_eq!(
        hand_over(&stage.host, &ticket, callback).await,
        PluginAnswer::ApprovalCallback(None)
    );
}

/// After a rotation the old value counts for nothing, and neither does a grant that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_and_grants_count_as_they_are_now() {
    let stage = slack().await;
    let _ = pending(ask(&stage.host, "slack-approval", about(&facts())).await);
    let body = form(&stage.press(0, "U024BE7LH"));
    assert!(stage.receive(&body, SIGNING, NOW).await.is_ok());
    stage.vault.put("slack", "signing", "a-new-signing-secret");
    assert_eq!(
        stage.receive(&body, SIGNING, NOW).await.unwrap_err().status,
        401
    );
    assert!(
        stage
            .receive(&body, "a-new-signing-secret", NOW)
            .await
            .is_ok()
    );
    *stage.vault.0.lock().unwrap() = MemorySecrets::default();
    assert_eq!(
        stage.receive(&body, SIGNING, NOW).await.unwrap_err().status,
        503
    );
    stage.vault.put("slack", "signing", SIGNING);
    let mut entry = slack_entry(&stage.server.url());
    entry["grants"].as_object_mut().unwrap().remove("callbacks");
    stage.folder.put(
        "plugins.yaml",
        operator_file("slack-approval", "slack_approval.wasm", entry),
    );
    assert_eq!(stage.host.reload().await, []);
    let refusal = stage.receive(&body, SIGNING, NOW).await.unwrap_err();
    assert_eq!(refusal.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_of_callbacks_that_cannot_be_meant_is_refused() {
    let code = async |plugin: &str, file: &str, entry: Value| {
        let folder = Folder::new().plugin(plugin, file);
        let name = file.trim_end_matches(".wasm").replace('_', "-");
        folder.put("plugins.yaml", operator_file(&name, file, entry));
        let problems = folder.host().await.problems();
        let cards: Vec<_> = problems.iter().map(|card| card.code.clone()).collect();
        (cards, format!("{problems:?}"))
    };
    let callbacks = slack_entry("https://slack.com:443")["grants"]["callbacks"].clone();
    let secrets = json!({ "slack-signing-secret": { "secret": "slack", "key": "signing" } });
    let entry = json!({ "grants": { "callbacks": callbacks }, "secrets": secrets });
    let (codes, _) = code("rolling", "rolling.wasm", entry).await;
    assert_eq!(
        codes,
        ["plugin/callbacks-unfit"],
        "a strategy is not called back"
    );
    let entry = json!({ "grants": { "callbacks": callbacks } });
    let (codes, _) = code("hostile_approver", "hostile_approver.wasm", entry).await;
    assert_eq!(codes, ["plugin/secret-missing"]);
    let mut entry = slack_entry("https://slack.com:443");
    entry["grants"]["http"]["slack"]["secrets"] = json!(["slack-token", "slack-signing-secret"]);
    let (codes, cards) = code("slack_approval", "slack_approval.wasm", entry).await;
    assert_eq!(codes[0], "plugin/config-invalid");
    assert!(cards.contains("could sign callbacks to itself"), "{cards}");
    let mut entry = slack_entry("https://slack.com:443");
    entry["grants"]["callbacks"]["require"] = json!({});
    let (codes, cards) = code("slack_approval", "slack_approval.wasm", entry).await;
    assert_eq!(codes[0], "plugin/config-invalid");
    for pin in ["/api_app_id", "/type", "/team/id"] {
        assert!(cards.contains(pin), "{pin}: {cards}");
    }
}
