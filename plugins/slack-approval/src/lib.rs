//! Asks in Slack: one message for each request, with everything that an approver needs and two
//! buttons. The message follows the request until it is decided, superseded or withdrawn.
//!
//! Who pressed a button is not this plugin's to say: the host takes the person from the callback
//! that Slack signed. This plugin only tells whether a callback is about its message, and which
//! button it was.
//!
//! Slack has no idempotency key that it documents. A request whose ticket the agent has recorded is
//! never asked twice; if the agent dies after Slack took the post and before it recorded the ticket,
//! a second message appears. The first one is then an orphan: its buttons are not about the ticket's
//! message and decide nothing.

mod facts;
mod message;
mod press;
mod settings;
mod ticket;

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_sdk::slack::{self, Answer};
use sluice_sdk::{Client, Error, Level, Status};

use facts::Facts;
use message::Message;
use settings::Settings as S;
use ticket::Ticket;

pub use settings::{Settings, validate};

/// Where the agent says what an approver has to see.
const ATTRIBUTE: &str = "approval-request";

/// Posts the request.
///
/// # Errors
/// The settings name a channel that Slack does not know (`invalid-config`), Slack asks for patience
/// (`rate-limited`), cannot be reached (`unavailable`), or refuses the token (`denied`).
pub fn ask(client: &Client<'_>, settings: S) -> Result<Status, Error> {
    let facts = facts(client).unwrap_or_else(Facts::none);
    post(client, &settings, &message(client, &facts))
}

/// Brings the message up to date, where it shows something else than it should.
///
/// # Errors
/// As [`ask`].
pub fn poll(client: &Client<'_>, settings: S, ticket: &str) -> Result<Status, Error> {
    let ticket = Ticket::read(ticket)?;
    let Some(facts) = facts(client) else {
        return Ok(Status::Pending(ticket.to_string()));
    };
    let message = message(client, &facts);
    let shown = message.number();
    if shown == ticket.shown {
        return Ok(Status::Pending(ticket.to_string()));
    }
    match update(client, &ticket, &message)? {
        Answer::Done(_) => Ok(Status::Pending(Ticket { shown, ..ticket }.to_string())),
        // Somebody deleted it: people still have to be asked.
        Answer::MessageGone => post(client, &settings, &message),
    }
}

/// Takes the buttons away and says what became of the request. May be repeated without harm.
///
/// # Errors
/// As [`ask`].
pub fn withdraw(client: &Client<'_>, _: S, ticket: &str) -> Result<(), Error> {
    let ticket = Ticket::read(ticket)?;
    let facts = facts(client).unwrap_or_else(Facts::none).closed();
    match update(client, &ticket, &message(client, &facts))? {
        Answer::Done(_) | Answer::MessageGone => Ok(()),
    }
}

/// Reads a press of a button.
///
/// # Errors
/// Slack says that a bot, a guest or a stranger pressed (`denied`), or does not say who did.
pub fn on_callback(
    client: &Client<'_>,
    settings: S,
    ticket: &str,
    _headers: &[(String, String)],
    body: &[u8],
) -> Result<Option<Status>, Error> {
    let ticket = Ticket::read(ticket)?;
    let Some(decision) = press::read(body, &ticket) else {
        return Ok(None);
    };
    if settings.look_up_user {
        press::look_up(client, &decision.approver)?;
    }
    Ok(Some(Status::Decided(decision)))
}

fn facts(client: &Client<'_>) -> Option<Facts> {
    let facts = Facts::read(client.attribute(ATTRIBUTE).as_deref());
    if facts.is_none() {
        client.log(Level::Warn, "the agent sent no facts to show", &[]);
    }
    facts
}

fn message(client: &Client<'_>, facts: &Facts) -> Message {
    Message::of(facts, &client.release())
}

/// Where a message went.
#[derive(Deserialize)]
struct Posted {
    channel: String,
    ts: String,
}

fn post(client: &Client<'_>, settings: &S, message: &Message) -> Result<Status, Error> {
    let fields = with(
        message.fields(settings.mention.as_ref()),
        json!({"channel": settings.channel, "unfurl_links": false, "unfurl_media": false}),
    );
    let Answer::Done(answer) = slack::call(client, "chat.postMessage", &fields)? else {
        return Err(Error::Other(
            "Slack says that a message is gone, though a new one was posted".into(),
        ));
    };
    let posted: Posted = serde_json::from_value(answer)
        .map_err(|_| Error::Other("Slack did not say where the message went".into()))?;
    let ticket = Ticket {
        channel: posted.channel,
        ts: posted.ts,
        shown: message.number(),
    };
    Ok(Status::Pending(ticket.to_string()))
}

fn update(client: &Client<'_>, ticket: &Ticket, message: &Message) -> Result<Answer, Error> {
    let more = json!({"channel": ticket.channel, "ts": ticket.ts});
    slack::call(client, "chat.update", &with(message.fields(None), more))
}

fn with(mut fields: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}

sluice_sdk::export_approval_provider!(ask, poll, withdraw, on_callback, validate = validate);
