//! The three things that are done in Slack, and where a message went.

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_sdk::slack::{self, Mention};
use sluice_sdk::{Client, Error};

use crate::message::Message;
use crate::thread::Thread;

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
        self.call("chat.postMessage", message.fields(mention), more)
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
        self.call("chat.postMessage", message.fields(mention), more)
    }

    /// Replaces the first message of a thread.
    pub(crate) fn update(&self, thread: &Thread, message: &Message) -> Result<Answer, Error> {
        let more = json!({"channel": thread.channel, "ts": thread.ts});
        self.call("chat.update", message.fields(None), more)
    }

    fn call(&self, method: &str, mut fields: Value, more: Value) -> Result<Answer, Error> {
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
            fields.extend(more);
        }
        match slack::call(self.client, method, &fields)? {
            slack::Answer::Done(answer) => serde_json::from_value(answer)
                .map(Answer::Done)
                .map_err(|_| Error::Other("Slack did not say where the message went".into())),
            slack::Answer::MessageGone => Ok(Answer::ThreadGone),
        }
    }
}
