//! Slack's Web API and its markup, for plugins that post there.
//!
//! The plugin's manifest and the operator's grant name the target [`TARGET`] and the secret
//! [`TOKEN`]; the plugin itself sees neither an address nor the token.

mod address;
mod mrkdwn;

use serde::Deserialize;
use serde_json::Value;

use crate::text::excerpt;
use crate::{Client, Error, Remote, Request, Response, patience_ms};

pub use address::{Mention, channel_issue};
pub use mrkdwn::{escape, link, plain};

/// Name of the target in manifest and grant.
pub const TARGET: &str = "slack";
/// Name of the secret in manifest and grant.
pub const TOKEN: &str = "slack-token";
const SLACK: Remote = Remote {
    name: "Slack",
    target: TARGET,
};
/// Longest word of Slack in an error.
const WORD_CHARS: usize = 100;

/// What Slack did.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It did as told: the whole answer.
    Done(Value),
    /// The message that was to be updated or replied to is no longer there, or may no longer be
    /// changed.
    MessageGone,
}

/// Calls a method that takes JSON, such as `chat.postMessage`.
///
/// # Errors
/// Slack asks for patience (`rate-limited`), cannot be reached (`unavailable`), refuses the token
/// (`denied`), or does not know what the settings name (`invalid-config`).
pub fn call(client: &Client<'_>, method: &str, fields: &Value) -> Result<Answer, Error> {
    send(client, request(method).json(fields))
}

/// Calls a method that takes a form of one field, such as `users.info`. The value is sent as it
/// stands: letters and digits.
///
/// # Errors
/// As [`call`], and `other` for a value that a form would have to encode.
pub fn ask(client: &Client<'_>, method: &str, name: &str, value: &str) -> Result<Answer, Error> {
    if !value.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Error::Other(format!("`{name}` is no id of Slack's")));
    }
    let form = "application/x-www-form-urlencoded";
    let request = request(method).header("content-type", form);
    send(client, request.body(format!("{name}={value}")))
}

fn request(method: &str) -> Request {
    Request::post(&format!("/api/{method}"))
        .on(TARGET)
        .bearer(TOKEN)
}

fn send(client: &Client<'_>, request: Request) -> Result<Answer, Error> {
    let response = client
        .send(&request)
        .map_err(|error| SLACK.unreached(&error))?;
    read(&response)
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
        429 => return Err(Error::RateLimited(patience_ms(response))),
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
        .map_err(|_| Error::Unavailable("Slack answered with something that is no JSON".into()))
}

/// What to do about an `ok: false`. The words are those of the pages on `chat.postMessage`,
/// `chat.update` and `users.info`, and of the page on errors that all methods share.
fn refusal(outcome: &Outcome, response: &Response) -> Result<Answer, Error> {
    let word = excerpt(&outcome.error, WORD_CHARS);
    let told = match word.as_str() {
        "message_not_found" | "cant_update_message" | "edit_window_closed" | "thread_not_found" => {
            return Ok(Answer::MessageGone);
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
            Error::RateLimited(patience_ms(response))
        }
        "missing_scope" => {
            let needed = outcome.needed.as_deref().unwrap_or("chat:write");
            let needed = excerpt(needed, WORD_CHARS);
            Error::Denied(format!(
                "the Slack token lacks a scope (missing_scope): add {needed}"
            ))
        }
        "user_not_found" | "user_not_visible" => {
            Error::Denied(format!("Slack does not know the user ({word})"))
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
        _ => Error::Other(format!("Slack refuses the call ({word})")),
    };
    Err(told)
}
