//! Slack's Web API, as far as it is needed here, and what its answers mean.

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_sdk::text::excerpt;
use sluice_sdk::{Client, Error, NetError, Request, Response};

use crate::message::Message;
use crate::settings::Mention;
use crate::thread::Thread;

/// Name of the target in manifest and grant.
const TARGET: &str = "slack";
/// Name of the secret in manifest and grant.
const TOKEN: &str = "slack-token";
/// How long to wait when Slack asks for patience and does not say how long, in milliseconds.
const PATIENCE_MS: u32 = 30_000;
/// Longest word of Slack in an error.
const WORD_CHARS: usize = 100;

/// The API, reached through the host.
pub(crate) struct Slack<'c, 'h> {
    client: &'c Client<'h>,
}

/// What Slack did.
pub(crate) enum Answer {
    /// It did as told.
    Done(Posted),
    /// The message that was to be updated or replied to is no longer there, or may no longer be
    /// changed.
    ThreadGone,
}

/// Where a message went.
#[derive(Deserialize)]
pub(crate) struct Posted {
    pub(crate) channel: String,
    pub(crate) ts: String,
}

impl<'c, 'h> Slack<'c, 'h> {
    pub(crate) fn new(client: &'c Client<'h>) -> Self {
        Self { client }
    }

    /// Begins a thread.
    pub(crate) fn post(
        &self,
        channel: &str,
        message: &Message,
        mention: Option<&Mention>,
    ) -> Result<Answer, Error> {
        let more = json!({"channel": channel, "unfurl_links": false, "unfurl_media": false});
        self.call("/api/chat.postMessage", message.fields(mention), more)
    }

    /// Replies in a thread.
    pub(crate) fn reply(
        &self,
        thread: &Thread,
        message: &Message,
        mention: Option<&Mention>,
    ) -> Result<Answer, Error> {
        let more = json!({
            "channel": thread.channel,
            "thread_ts": thread.ts,
            "unfurl_links": false,
            "unfurl_media": false,
        });
        self.call("/api/chat.postMessage", message.fields(mention), more)
    }

    /// Replaces the first message of a thread.
    pub(crate) fn update(&self, thread: &Thread, message: &Message) -> Result<Answer, Error> {
        let more = json!({"channel": thread.channel, "ts": thread.ts});
        self.call("/api/chat.update", message.fields(None), more)
    }

    fn call(&self, path: &str, mut fields: Value, more: Value) -> Result<Answer, Error> {
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
            fields.extend(more);
        }
        let request = Request::post(path).on(TARGET).bearer(TOKEN).json(&fields);
        let response = self
            .client
            .send(&request)
            .map_err(|error| unreachable(&error))?;
        read(&response)
    }
}

/// The part of every answer that says how it went.
#[derive(Deserialize)]
struct Outcome {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    needed: Option<String>,
}

fn read(response: &Response) -> Result<Answer, Error> {
    match response.status {
        429 => return Err(Error::RateLimited(patience(response))),
        200 => {}
        status @ 500..=599 => {
            return Err(Error::Unavailable(format!(
                "Slack answered with status {status}"
            )));
        }
        status => return Err(Error::Other(format!("Slack answered with status {status}"))),
    }
    let outcome: Outcome = serde_json::from_slice(&response.body)
        .map_err(|_| Error::Unavailable("Slack answered with something that is no JSON".into()))?;
    if !outcome.ok {
        return refusal(&outcome, response);
    }
    serde_json::from_slice(&response.body)
        .map(Answer::Done)
        .map_err(|_| Error::Other("Slack did not say where the message went".into()))
}

/// What to do about an `ok: false`. The words are those of the pages on the two methods and of the
/// page on errors that all methods share.
fn refusal(outcome: &Outcome, response: &Response) -> Result<Answer, Error> {
    let word = excerpt(&outcome.error, WORD_CHARS);
    let told = match word.as_str() {
        "message_not_found" | "cant_update_message" | "edit_window_closed" | "thread_not_found" => {
            return Ok(Answer::ThreadGone);
        }
        "channel_not_found" => Error::InvalidConfig(
            "Slack does not know the channel (channel_not_found): correct `channel`; a private \
             channel needs its id, and the app as a member"
                .into(),
        ),
        "not_in_channel" => Error::InvalidConfig(
            "the Slack app is no member of the channel (not_in_channel): type /invite in it".into(),
        ),
        "is_archived" => Error::InvalidConfig(
            "the Slack channel is archived (is_archived): name another in `channel`".into(),
        ),
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => {
            Error::RateLimited(patience(response))
        }
        "missing_scope" => {
            let needed = outcome.needed.as_deref().unwrap_or("chat:write");
            let needed = excerpt(needed, WORD_CHARS);
            Error::Denied(format!(
                "the Slack token lacks a scope (missing_scope): add {needed}"
            ))
        }
        "not_authed"
        | "invalid_auth"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "no_permission"
        | "org_login_required"
        | "ekm_access_denied"
        | "team_access_not_granted"
        | "restricted_action"
        | "access_denied"
        | "not_allowed_token_type" => Error::Denied(format!(
            "Slack refuses the token ({word}): check the secret `{TOKEN}` and the app's rights"
        )),
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org" => Error::Unavailable(format!("Slack has a fault ({word})")),
        _ => Error::Other(format!("Slack refuses the message ({word})")),
    };
    Err(told)
}

/// `Retry-After` is in seconds.
fn patience(response: &Response) -> u32 {
    response
        .header("retry-after")
        .and_then(|seconds| seconds.trim().parse::<u32>().ok())
        .map_or(PATIENCE_MS, |seconds| seconds.saturating_mul(1_000))
}

fn unreachable(error: &NetError) -> Error {
    match error {
        NetError::NotGranted(what) => Error::Denied(format!(
            "the grant does not let the plugin speak to Slack: {what}; see plugins.yaml, target \
             `{TARGET}`"
        )),
        NetError::Resolve(why) => {
            Error::Unavailable(format!("Slack's name does not resolve: {why}"))
        }
        NetError::Connect(why) => Error::Unavailable(format!("no connection to Slack: {why}")),
        NetError::Tls(why) => Error::Unavailable(format!("no TLS connection to Slack: {why}")),
        NetError::Timeout => Error::Unavailable("Slack did not answer in time".into()),
        NetError::Protocol(why) => Error::Unavailable(format!("no valid answer of Slack: {why}")),
        NetError::TooLarge(limit) => Error::Other(format!(
            "the message is larger than the limit of {limit} bytes"
        )),
        NetError::Quota => Error::Other("the call's budget of requests is used up".into()),
        NetError::Other(why) => Error::Unavailable(format!("no answer of Slack: {why}")),
    }
}
