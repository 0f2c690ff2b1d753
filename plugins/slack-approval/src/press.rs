//! A press of a button, as Slack calls it back.
//!
//! The host has verified the signature, the app, the workspace and who pressed. Here it is only
//! read: is it about this message, and which button was it?

use serde::Deserialize;
use sluice_sdk::{Client, Decision, Error, slack};

use crate::ticket::Ticket;

/// Action of the button that approves.
pub(crate) const APPROVE: &str = "sluice-approve";
/// Action of the button that rejects.
pub(crate) const REJECT: &str = "sluice-reject";
/// Action of the button that opens the page: Slack reports it too, and it decides nothing.
pub(crate) const PAGE: &str = "sluice-page";

/// The part of Slack's `block_actions` that matters.
#[derive(Deserialize)]
struct Press {
    user: Id,
    container: Container,
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Container {
    channel_id: String,
    message_ts: String,
}

#[derive(Deserialize)]
struct Action {
    action_id: String,
    #[serde(default)]
    value: Option<String>,
}

/// The decision in a callback, if it is one about the ticket's message.
pub(crate) fn read(body: &[u8], ticket: &Ticket) -> Option<Decision> {
    let press: Press = serde_json::from_slice(body).ok()?;
    let container = &press.container;
    if container.channel_id != ticket.channel || container.message_ts != ticket.ts {
        return None;
    }
    let [action] = press.actions.as_slice() else {
        return None;
    };
    let approved = match action.action_id.as_str() {
        APPROVE => true,
        REJECT => false,
        _ => return None,
    };
    Some(Decision {
        approved,
        approver: press.user.id,
        reason: if approved {
            "approved in Slack".into()
        } else {
            "rejected in Slack".into()
        },
        subject_digest: action.value.clone()?,
    })
}

/// The part of `users.info` that matters.
#[derive(Deserialize)]
struct Info {
    user: User,
}

#[derive(Deserialize)]
#[serde(default)]
struct User {
    id: String,
    deleted: bool,
    is_bot: bool,
    is_app_user: bool,
    is_restricted: bool,
    is_ultra_restricted: bool,
    is_stranger: bool,
}

impl Default for User {
    /// Nobody: a user about whom Slack says nothing does not decide.
    fn default() -> Self {
        Self {
            id: String::new(),
            deleted: false,
            is_bot: false,
            is_app_user: false,
            is_restricted: false,
            is_ultra_restricted: false,
            is_stranger: false,
        }
    }
}

/// Asks Slack who pressed: a callback does not tell a guest from a colleague.
///
/// # Errors
/// A bot, a guest, a stranger, somebody who left (`denied`), or no answer of Slack.
pub(crate) fn look_up(client: &Client<'_>, id: &str) -> Result<(), Error> {
    let slack::Answer::Done(answer) = slack::ask(client, "users.info", "user", id)? else {
        return Err(Error::Other("Slack answers about another thing".into()));
    };
    let info: Info = serde_json::from_value(answer)
        .map_err(|_| Error::Other("Slack does not say who pressed the button".into()))?;
    let user = info.user;
    let what = [
        (user.id != id, "another user than was asked for"),
        (user.deleted, "somebody whose account is closed"),
        (user.is_bot || user.is_app_user, "a bot"),
        (user.is_restricted || user.is_ultra_restricted, "a guest"),
        (user.is_stranger, "a stranger"),
    ];
    match what.iter().find(|(holds, _)| *holds) {
        None => Ok(()),
        Some((_, what)) => Err(Error::Denied(format!(
            "{id} is {what} in Slack, and does not decide"
        ))),
    }
}
