//! One callback, from the wire to what it says: signature first, then form, then sender.

use jiff::Timestamp;
use serde_json::Value;
use sluice_core::policy::{Identity, IdentityProvider};

use super::grant::{CallbackGrant, CallbackSignature, SLACK_HOME};
use super::{CallbackRefused, MAX_CALLBACK_BYTES, VerifiedCallback, document, signature};
use crate::secret::SecretValue;

/// Longest name of a person, in bytes. Slack's ids have about eleven.
const MAX_NAME_BYTES: usize = 64;
/// Longest reference to what is approved, in bytes. A hash has 71.
const MAX_SUBJECT_BYTES: usize = 128;
/// Longest header that is passed on, in bytes.
const MAX_HEADER_BYTES: usize = 256;
/// Headers that a plugin may see: none that proves or carries authority.
const HEADERS: [&str; 4] = [
    "content-type",
    "user-agent",
    "x-slack-retry-num",
    "x-slack-retry-reason",
];
/// Flags of a Slack user who is nobody's colleague, wherever Slack sends them.
const SLACK_STRANGERS: [&str; 6] = [
    "/user/is_bot",
    "/user/is_app_user",
    "/user/is_restricted",
    "/user/is_ultra_restricted",
    "/user/is_stranger",
    "/user/deleted",
];

/// Checks everything. Nothing of the body is parsed before its signature fits.
pub(super) fn verify(
    plugin: &str,
    grant: &CallbackGrant,
    secret: &SecretValue,
    headers: &[(String, String)],
    raw_body: &[u8],
    now: Timestamp,
) -> Result<VerifiedCallback, CallbackRefused> {
    if raw_body.len() > MAX_CALLBACK_BYTES {
        return Err(CallbackRefused::too_large());
    }
    let key = signature::check(&grant.signature, secret, headers, raw_body, now)?;
    let document = document::read(&grant.body, raw_body)?;
    for (place, value) in &grant.require {
        if !holds(document.pointer(place), value) {
            return Err(foreign(format!(
                "{place} is not what the grant requires: another app, workspace or kind of callback"
            )));
        }
    }
    for place in grant.forbid.iter().map(String::as_str) {
        refuse_flag(&document, place)?;
    }
    if matches!(grant.signature, CallbackSignature::Slack { .. }) {
        refuse_strangers(grant, &document)?;
    }
    let person = person(plugin, grant, &document)?;
    let subject = subject(grant, &document)?;
    Ok(VerifiedCallback {
        plugin: plugin.to_owned(),
        person,
        subject,
        headers: passed_on(headers),
        body: document.to_string().into_bytes(),
        key,
    })
}

fn foreign(sentence: impl Into<String>) -> CallbackRefused {
    CallbackRefused::new(403, sentence)
}

fn holds(found: Option<&Value>, required: &Value) -> bool {
    match found {
        Some(found) => found == required,
        None => required.is_null(),
    }
}

/// Whatever is not plainly false counts as set.
fn refuse_flag(document: &Value, place: &str) -> Result<(), CallbackRefused> {
    match document.pointer(place) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(()),
        Some(_) => Err(foreign(format!(
            "{place} is set: a bot, a guest or a stranger does not decide"
        ))),
    }
}

/// Slack shows one message to colleagues, guests, bots and, in shared channels, to people of other
/// workspaces, and signs for all of them.
fn refuse_strangers(grant: &CallbackGrant, document: &Value) -> Result<(), CallbackRefused> {
    for place in SLACK_STRANGERS {
        refuse_flag(document, place)?;
    }
    let home = document.pointer(SLACK_HOME).and_then(Value::as_str);
    if home.is_none() || home != grant.slack_home() {
        return Err(foreign(format!(
            "{SLACK_HOME} is not the granted workspace: people of other workspaces do not decide"
        )));
    }
    Ok(())
}

/// Who is believed. Names that people can choose or change are never looked at.
fn person(
    plugin: &str,
    grant: &CallbackGrant,
    document: &Value,
) -> Result<Identity, CallbackRefused> {
    match grant.person.provider {
        IdentityProvider::Slack => {
            let place = grant.person.pointer.as_deref().unwrap_or_default();
            let id = document.pointer(place).and_then(Value::as_str);
            match id.filter(|id| is_slack_id(id)) {
                Some(id) => Ok(Identity::of(IdentityProvider::Slack, id)),
                None => Err(CallbackRefused::new(
                    400,
                    format!("{place} is no id of a Slack user"),
                )),
            }
        }
        // Other providers were refused with the file.
        IdentityProvider::Plugin
        | IdentityProvider::Kubernetes
        | IdentityProvider::Oidc
        | IdentityProvider::Caller => Ok(Identity::of(IdentityProvider::Plugin, plugin)),
    }
}

/// `U…` or, in organisations, `W…`.
fn is_slack_id(id: &str) -> bool {
    id.len() <= MAX_NAME_BYTES
        && id.len() > 1
        && id.starts_with(['U', 'W'])
        && id
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// What the callback is about. Nothing there is an answer: a press of a link has no value.
fn subject(grant: &CallbackGrant, document: &Value) -> Result<Option<String>, CallbackRefused> {
    let Some(place) = grant.subject.as_ref().map(|subject| &subject.pointer) else {
        return Ok(None);
    };
    match document.pointer(place) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text))
            if (1..=MAX_SUBJECT_BYTES).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(CallbackRefused::new(
            400,
            format!("{place} holds no approval hash"),
        )),
    }
}

fn passed_on(headers: &[(String, String)]) -> Vec<(String, String)> {
    HEADERS
        .iter()
        .filter_map(|name| {
            let (_, value) = headers
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
            Some((
                (*name).to_owned(),
                crate::text::line(value, MAX_HEADER_BYTES),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests;
