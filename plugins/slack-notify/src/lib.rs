//! One Slack thread for each rollout.
//!
//! The first event posts a message. Later ones update it in place, so that it always shows where
//! the rollout stands; what somebody has to look at is also posted as a reply, because an update
//! alerts nobody.
//!
//! Slack has no idempotency key. An event that was told already (its id stands in the thread
//! reference) is not told again, and an update may be repeated without harm; only a post whose
//! answer got lost can appear twice (reliability.md D8). Its metadata carries the event's id.

mod message;
mod settings;
mod slack;
mod thread;

use sluice_sdk::slack::Mention;
use sluice_sdk::{Client, Error, Event, Severity};

use message::Message;
use settings::Settings as S;
use slack::{Answer, Slack};
use thread::Thread;

pub use settings::{Settings, validate};

/// Tells one event.
///
/// # Errors
/// The settings name a channel that Slack does not know (`invalid-config`), Slack asks for patience
/// (`rate-limited`), cannot be reached (`unavailable`), or refuses the token (`denied`).
pub fn notify(client: &Client<'_>, settings: S, event: &Event) -> Result<Option<String>, Error> {
    let slack = Slack::new(client);
    let message = Message::of(event, &client.release());
    let Some(thread) = event.thread.as_deref().and_then(Thread::read) else {
        return begin(&slack, &settings, &message, event);
    };
    if thread.last == event.id {
        return Ok(Some(thread.to_string()));
    }
    if settings.update_in_place {
        // First the update, which may be repeated, then the reply, which may not.
        match slack.update(&thread, &message)? {
            Answer::Done(_) => {}
            Answer::ThreadGone => return begin(&slack, &settings, &message, event),
        }
    }
    if !settings.update_in_place || alerts(event.severity) {
        match slack.reply(&thread, &message, mention(&settings, event))? {
            Answer::Done(_) => {}
            Answer::ThreadGone => return begin(&slack, &settings, &message, event),
        }
    }
    Ok(Some(
        Thread {
            last: event.id.clone(),
            ..thread
        }
        .to_string(),
    ))
}

fn begin(
    slack: &Slack<'_, '_>,
    settings: &S,
    message: &Message,
    event: &Event,
) -> Result<Option<String>, Error> {
    match slack.post(&settings.channel, message, mention(settings, event))? {
        Answer::Done(posted) => Ok(Some(
            Thread {
                channel: posted.channel,
                ts: posted.ts,
                last: event.id.clone(),
            }
            .to_string(),
        )),
        Answer::ThreadGone => Err(Error::Other(
            "Slack says that a thread is gone, though a new message was posted to none".into(),
        )),
    }
}

/// Whether an event is worth a reply of its own: an update of the first message alerts nobody.
fn alerts(severity: Severity) -> bool {
    match severity {
        Severity::Info => false,
        Severity::Warning | Severity::Critical => true,
    }
}

/// Who is called: only for what cannot wait.
fn mention<'s>(settings: &'s S, event: &Event) -> Option<&'s Mention> {
    match event.severity {
        Severity::Critical => settings.mention.as_ref(),
        Severity::Info | Severity::Warning => None,
    }
}

sluice_sdk::export_notifier!(notify, validate = validate);
