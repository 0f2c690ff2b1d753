//! A tiny Slack: checks what the real one checks, keeps channels and messages, and answers alike.
//!
//! It knows nothing of the plugin and needs no server: whoever has one hands requests in. So these
//! tests use it behind the scripted host, and the plugin host's tests behind a real HTTP server.
//! The rules are those of the pages `chat.postMessage`, `chat.update`, `users.info`, "Using the Slack
//! Web API", "Block Kit", "Rate limits" and "Message metadata" in Slack's documentation.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "a module of tests in several crates, each of which uses a part"
)]

use serde_json::{Map, Value, json};

/// Slack's limits, in characters or items.
const SECTION_TEXT: usize = 3_000;
const BLOCKS: usize = 50;
const CONTEXT_ELEMENTS: usize = 10;
const TEXT: usize = 4_000;
const ACTIONS: usize = 25;
const BUTTON_TEXT: usize = 75;
const BUTTON_VALUE: usize = 2_000;
const ACTION_ID: usize = 255;
const CONFIRM_TEXT: usize = 300;
const CONFIRM_LABEL: usize = 30;
const CONFIRM_TITLE: usize = 100;
const ADDRESS: usize = 3_000;

/// A message as Slack keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub channel: String,
    pub ts: String,
    pub thread_ts: Option<String>,
    pub text: String,
    pub blocks: Value,
    pub metadata: Value,
    pub edits: usize,
}

/// What it answers with.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// One workspace.
#[derive(Debug, Default)]
pub struct SlackChecker {
    /// The token that counts, such as `xoxb-…`.
    token: String,
    /// Name and id of each channel.
    channels: Vec<(String, String)>,
    /// Members of the workspace, as `users.info` tells them.
    pub users: Vec<Value>,
    /// All messages, oldest first.
    pub messages: Vec<Message>,
    /// What was wrong with requests: empty, if all was as Slack wants it.
    pub violations: Vec<String>,
    /// Answers that come before anything is looked at: an outage.
    pub outage: Vec<Answer>,
}

impl SlackChecker {
    /// A workspace with one channel `#deploys`, id `C024BE91L`.
    pub fn new(token: &str) -> Self {
        let channels = vec![("deploys".to_string(), "C024BE91L".to_string())];
        Self {
            token: token.into(),
            channels,
            ..Self::default()
        }
    }

    /// Takes one request. Header names in any case.
    pub fn handle(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Answer {
        if !self.outage.is_empty() {
            return self.outage.remove(0);
        }
        let header = |name: &str| {
            headers
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, v)| v.as_str())
        };
        if method != "POST" {
            return self.wrong(&format!("{method} with a body"), "invalid_post_type");
        }
        if path == "/api/users.info" {
            return self.user(header("content-type"), header("authorization"), body);
        }
        match header("content-type") {
            Some("application/json; charset=utf-8") => {}
            Some(other) => {
                let found = format!("content type {other}");
                // Slack takes it, with a warning `missing_charset`.
                self.violations.push(found);
            }
            None => return self.wrong("no content type", "invalid_post_type"),
        }
        match header("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
            None => return self.wrong("no bearer token", "not_authed"),
            Some(token) if token != self.token => return refuse("invalid_auth"),
            Some(_) => {}
        }
        let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(body) else {
            return self.wrong("the body is no JSON object", "invalid_json");
        };
        if fields.contains_key("token") {
            self.violations.push("the token stands in the body".into());
        }
        match path {
            "/api/chat.postMessage" => self.post(&fields),
            "/api/chat.update" => self.update(&fields),
            _ => self.wrong(&format!("unknown method {path}"), "unknown_method"),
        }
    }

    /// `users.info` takes a form only.
    fn user(&mut self, kind: Option<&str>, authorization: Option<&str>, body: &[u8]) -> Answer {
        if kind != Some("application/x-www-form-urlencoded") {
            return self.wrong(&format!("users.info with {kind:?}"), "invalid_form_data");
        }
        if authorization != Some(&format!("Bearer {}", self.token)) {
            return refuse("invalid_auth");
        }
        let body = String::from_utf8_lossy(body);
        let Some(id) = body.strip_prefix("user=") else {
            return self.wrong("users.info without a user", "user_not_found");
        };
        match self.users.iter().find(|user| user["id"] == *id) {
            Some(user) => accept(&json!({"ok": true, "user": user})),
            None => refuse("user_not_found"),
        }
    }

    fn post(&mut self, fields: &Map<String, Value>) -> Answer {
        let Some(channel) = text(fields, "channel") else {
            return self.wrong("no channel", "channel_not_found");
        };
        let name = channel.strip_prefix('#').unwrap_or(channel);
        let known = self
            .channels
            .iter()
            .find(|(known, id)| known == name || id == channel);
        let Some((_, channel)) = known.cloned() else {
            return refuse("channel_not_found");
        };
        let thread_ts = text(fields, "thread_ts").map(str::to_string);
        if let Some(thread) = &thread_ts
            && !self
                .messages
                .iter()
                .any(|m| m.ts == *thread && m.thread_ts.is_none())
        {
            return refuse("thread_not_found");
        }
        if let Some(refused) = self.content(fields) {
            return refused;
        }
        let ts = format!("1503435956.{:06}", self.messages.len() + 1);
        let message = Message {
            channel: channel.clone(),
            ts: ts.clone(),
            thread_ts,
            text: text(fields, "text").unwrap_or_default().into(),
            blocks: fields.get("blocks").cloned().unwrap_or_default(),
            metadata: fields.get("metadata").cloned().unwrap_or_default(),
            edits: 0,
        };
        self.messages.push(message);
        accept(&json!({"ok": true, "channel": channel, "ts": ts, "message": {"type": "message"}}))
    }

    fn update(&mut self, fields: &Map<String, Value>) -> Answer {
        let (Some(channel), Some(ts)) = (text(fields, "channel"), text(fields, "ts")) else {
            return self.wrong("an update without channel or ts", "message_not_found");
        };
        if !self.channels.iter().any(|(_, id)| id == channel) {
            // The method takes ids only.
            return self.wrong(
                &format!("an update of channel {channel}"),
                "channel_not_found",
            );
        }
        let (channel, ts) = (channel.to_string(), ts.to_string());
        if let Some(refused) = self.content(fields) {
            return refused;
        }
        let found = self
            .messages
            .iter_mut()
            .find(|m| m.channel == channel && m.ts == ts);
        let Some(message) = found else {
            return refuse("message_not_found");
        };
        message.text = text(fields, "text").unwrap_or_default().into();
        message.blocks = fields.get("blocks").cloned().unwrap_or_default();
        message.metadata = fields.get("metadata").cloned().unwrap_or_default();
        message.edits += 1;
        accept(&json!({"ok": true, "channel": channel, "ts": ts, "text": message.text}))
    }

    /// What stands in a message: fallback text, blocks, metadata.
    fn content(&mut self, fields: &Map<String, Value>) -> Option<Answer> {
        let fallback = text(fields, "text").unwrap_or_default();
        if fallback.is_empty() {
            self.violations
                .push("no fallback text: notifications would be empty".into());
        }
        if fallback.chars().count() > TEXT {
            return Some(self.wrong("fallback text too long", "msg_too_long"));
        }
        let Some(blocks) = fields.get("blocks").and_then(Value::as_array) else {
            return Some(self.wrong("blocks are no list", "invalid_blocks_format"));
        };
        if blocks.is_empty() || blocks.len() > BLOCKS {
            return Some(self.wrong(&format!("{} blocks", blocks.len()), "invalid_blocks"));
        }
        for block in blocks {
            if let Err(why) = check_block(block) {
                return Some(self.wrong(&why, "invalid_blocks"));
            }
        }
        let metadata = fields.get("metadata").unwrap_or(&Value::Null);
        let typed = metadata.get("event_type").and_then(Value::as_str).is_some();
        let flat = metadata.get("event_payload").is_some_and(Value::is_object);
        if !typed || !flat {
            return Some(self.wrong("malformed metadata", "invalid_metadata_format"));
        }
        None
    }

    fn wrong(&mut self, what: &str, word: &str) -> Answer {
        self.violations.push(what.into());
        refuse(word)
    }
}

fn check_block(block: &Value) -> Result<(), String> {
    match block.get("type").and_then(Value::as_str) {
        Some("section") => check_text(block.get("text").unwrap_or(&Value::Null), SECTION_TEXT),
        Some("context") => {
            let elements = block.get("elements").and_then(Value::as_array);
            let elements = elements.ok_or("a context without elements")?;
            if elements.is_empty() || elements.len() > CONTEXT_ELEMENTS {
                return Err(format!("{} elements in a context", elements.len()));
            }
            elements
                .iter()
                .try_for_each(|element| check_text(element, SECTION_TEXT))
        }
        Some("actions") => {
            let elements = block.get("elements").and_then(Value::as_array);
            let elements = elements.ok_or("actions without elements")?;
            if elements.is_empty() || elements.len() > ACTIONS {
                return Err(format!("{} elements in actions", elements.len()));
            }
            let mut ids: Vec<&Value> = elements.iter().map(|e| &e["action_id"]).collect();
            ids.sort_by_key(|id| id.to_string());
            ids.dedup();
            if ids.len() != elements.len() {
                return Err("two elements with one action_id".into());
            }
            elements.iter().try_for_each(check_button)
        }
        other => Err(format!("block of type {other:?}")),
    }
}

fn check_button(button: &Value) -> Result<(), String> {
    if button["type"] != "button" {
        return Err(format!("element of type {}", button["type"]));
    }
    check_plain(&button["text"], BUTTON_TEXT)?;
    let length = |name: &str| button[name].as_str().map_or(0, |text| text.chars().count());
    if length("action_id") == 0 || length("action_id") > ACTION_ID {
        return Err("action_id of a button".into());
    }
    if length("value") > BUTTON_VALUE || length("url") > ADDRESS {
        return Err("value or url of a button too long".into());
    }
    if !matches!(button["style"].as_str(), None | Some("primary" | "danger")) {
        return Err(format!("style {}", button["style"]));
    }
    match button.get("confirm") {
        None => Ok(()),
        Some(confirm) => {
            check_plain(&confirm["title"], CONFIRM_TITLE)?;
            check_text(&confirm["text"], CONFIRM_TEXT)?;
            check_plain(&confirm["confirm"], CONFIRM_LABEL)?;
            check_plain(&confirm["deny"], CONFIRM_LABEL)
        }
    }
}

fn check_plain(object: &Value, limit: usize) -> Result<(), String> {
    if object["type"] != "plain_text" {
        return Err(format!("a label of type {}", object["type"]));
    }
    check_text(object, limit)
}

fn check_text(object: &Value, limit: usize) -> Result<(), String> {
    let kind = object.get("type").and_then(Value::as_str);
    let text = object
        .get("text")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let length = text.chars().count();
    if length == 0 || length > limit {
        return Err(format!("text of {length} characters"));
    }
    match kind {
        Some("mrkdwn") if object.get("emoji").is_some() => Err("emoji in mrkdwn".into()),
        Some("plain_text") if object.get("verbatim").is_some() => Err("verbatim in plain".into()),
        Some("mrkdwn" | "plain_text") => Ok(()),
        other => Err(format!("text of type {other:?}")),
    }
}

fn text<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f str> {
    fields.get(name).and_then(Value::as_str)
}

fn accept(body: &Value) -> Answer {
    let headers = vec![(
        "content-type".into(),
        "application/json; charset=utf-8".into(),
    )];
    Answer {
        status: 200,
        headers,
        body: body.to_string(),
    }
}

/// Slack refuses with status 200.
pub fn refuse(word: &str) -> Answer {
    accept(&json!({"ok": false, "error": word}))
}

/// Too many requests.
pub fn rate_limited(seconds: u32) -> Answer {
    let mut answer = refuse("ratelimited");
    answer.status = 429;
    answer
        .headers
        .push(("retry-after".into(), seconds.to_string()));
    answer
}

/// A fault before Slack itself.
pub fn broken(status: u16) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: "<html>upstream error</html>".into(),
    }
}
