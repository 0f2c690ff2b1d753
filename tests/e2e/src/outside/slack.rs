//! A Slack that checks what the real one checks, and signs what the real one signs.

#[path = "../../../../plugins/slack-notify/tests/slack_checker.rs"]
mod checker;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use checker::SlackChecker;
use ring::hmac;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

pub(crate) use checker::Message;

/// The app's token.
pub(crate) const TOKEN: &str = "xoxb-1234-5678-abcdef";
/// With which Slack signs what it sends to the app.
pub(crate) const SIGNING: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// The app.
pub(crate) const APP: &str = "A0SLUICE01";
/// The workspace.
pub(crate) const TEAM: &str = "T0SHOP0001";
/// Members, as the policy's `people` name them; the last is in no policy.
pub(crate) const ALICE: &str = "U0ALICE001";
/// As [`ALICE`].
pub(crate) const BOB: &str = "U0BOB00001";
/// A member whom the policy does not know.
pub(crate) const CAROL: &str = "U0CAROL001";

/// For a message that must come: a provider that could not be reached is asked again after seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// The workspace, for whoever looks into it.
#[derive(Clone)]
pub(crate) struct Workspace(Arc<Mutex<SlackChecker>>);

impl Workspace {
    pub(super) fn new() -> Self {
        let mut checker = SlackChecker::new(TOKEN);
        checker.users = [ALICE, BOB, CAROL].map(|id| json!({"id": id})).to_vec();
        Self(Arc::new(Mutex::new(checker)))
    }

    fn lock(&self) -> MutexGuard<'_, SlackChecker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn router(&self) -> Router {
        Router::new().fallback(call).with_state(self.clone())
    }

    /// What was not as Slack wants it.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// Messages about a Rollout, oldest first.
    pub(crate) fn about(&self, rollout: &str) -> Vec<Message> {
        let all = &self.lock().messages;
        let ours = |m: &&Message| m.blocks.to_string().contains(rollout);
        all.iter().filter(ours).cloned().collect()
    }

    /// Waits until the newest message about a Rollout is as wanted.
    pub(crate) async fn message(
        &self,
        rollout: &str,
        what: &str,
        fits: impl Fn(&Message) -> bool,
    ) -> anyhow::Result<Message> {
        let start = Instant::now();
        loop {
            let newest = self.about(rollout).pop();
            match newest {
                Some(message) if fits(&message) => return Ok(message),
                found => ensure!(
                    start.elapsed() < PATIENCE,
                    "in Slack, waited in vain until {what}; the newest message is {found:?}; {:?}",
                    self.violations()
                ),
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn call(
    State(workspace): State<Workspace>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<String> {
    let headers: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let answer = workspace
        .lock()
        .handle(method.as_str(), uri.path(), &headers, &body);
    let mut reply = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        reply = reply.header(name, value);
    }
    reply.body(answer.body).unwrap_or_default()
}

/// What Slack sends when a member presses the button with this action.
pub(crate) fn press(message: &Message, action: &str, user: &str) -> anyhow::Result<Value> {
    let elements = message.blocks.as_array().into_iter().flatten();
    let buttons = elements.filter(|b| b["type"] == "actions");
    let mut buttons = buttons.flat_map(|b| b["elements"].as_array().into_iter().flatten());
    let button = buttons
        .find(|b| b["action_id"] == action)
        .with_context(|| format!("no button {action} in {}", message.blocks))?;
    Ok(json!({
        "type": "block_actions", "api_app_id": APP,
        "team": {"id": TEAM, "domain": "shop"},
        // The name is what its member likes.
        "user": {"id": user, "username": "alice", "name": "alice", "team_id": TEAM},
        "container": {"type": "message", "channel_id": message.channel, "message_ts": message.ts},
        "channel": {"id": message.channel, "name": "deploys"},
        "actions": [{"type": "button", "action_id": action, "value": button["value"]}],
    }))
}

/// The body of a callback.
pub(crate) fn form(payload: &Value) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", &payload.to_string())
        .finish()
}

/// Slack's signature: version 0, the time stamp and the body, by HMAC-SHA256 with the app's secret.
pub(crate) fn signature(secret: &str, second: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("v0:{second}:{body}").as_bytes());
    format!("v0={}", hex(tag.as_ref()))
}

/// As hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn slacks_own_example() {
        // From Slack's page "Verifying requests from Slack".
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
                    &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
                    &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F\
                    commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=\
                    398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        assert_eq!(
            signature("8f742231b10e8888abcd99yyyzzz85a5", 1_531_420_618, body),
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
        );
    }
}
