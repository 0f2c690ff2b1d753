//! Tells a chat what happens.

use sluice_sdk::Event;
use sluice_sdk::prelude::*;

/// What a pipeline may set.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Where to write, such as `#deploys`.
    channel: String,
}

fn notify(client: &Client, on: Settings, event: &Event) -> Result<Option<String>, Error> {
    let mut text = event.title.clone();
    if !event.body.is_empty() {
        text += &format!("\n{}", event.body);
    }
    for (label, address) in &event.links {
        text += &format!("\n{label}: {address}");
    }
    let mut message = serde_json::json!({"channel": on.channel, "text": text});
    if let Some(thread) = &event.thread {
        message["thread"] = thread.as_str().into();
    }
    let request = Request::post("/api/messages")
        .on("chat")
        .bearer("chat-token")
        // Comes again with the same key after a failure: one message, not two.
        .header("idempotency-key", &event.id)
        .json(&message);
    let answer = client.ask(&request)?.json().map_err(Error::Unavailable)?;
    Ok(answer["thread"].as_str().map(str::to_owned))
}

sluice_sdk::export_notifier!(notify);
sluice_sdk::test_cases!(notifier(notify), settings = Settings);
