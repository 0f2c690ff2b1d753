//! An event as a Slack message (Block Kit).

use serde_json::{Value, json};
use sluice_sdk::slack::{Mention, escape, link, plain};
use sluice_sdk::{Event, Release, Severity};

/// Slack's limit is 3000 characters for the text of a section. Room is left for the markup.
const SECTION_CHARS: usize = 2_900;
/// A title is one line; more of it is no title.
const TITLE_CHARS: usize = 250;
/// What notifications and screen readers show. Slack cuts at 4000.
const FALLBACK_CHARS: usize = 500;
/// Longest single fact below a message.
const FACT_CHARS: usize = 150;
/// Most links in one message. Slack's limit is 10 elements for a context block.
const MAX_LINKS: usize = 9;

/// The parts of a message that are the same for a post, a reply and an update.
pub(crate) struct Message {
    event_id: String,
    event_kind: String,
    title: String,
    fallback: String,
    body: String,
    links: Vec<String>,
    facts: String,
}

impl Message {
    pub(crate) fn of(event: &Event, release: &Release) -> Self {
        let workload = &release.workload;
        let facts = [
            format!("{}/{}", workload.namespace, workload.name),
            workload.cluster.clone(),
            release.id.clone(),
        ];
        let facts: Vec<String> = facts.iter().map(|fact| escape(fact, FACT_CHARS)).collect();
        let links = event
            .links
            .iter()
            .filter_map(|(label, address)| link(label, address));
        Self {
            event_id: event.id.clone(),
            event_kind: event.kind.clone(),
            title: format!("{} *{}*", sign(event), escape(&event.title, TITLE_CHARS)),
            fallback: escape(&event.title, FALLBACK_CHARS),
            body: plain(event.body.trim(), SECTION_CHARS),
            links: links.take(MAX_LINKS).collect(),
            facts: facts.join(" · "),
        }
    }

    /// The message's fields for `chat.postMessage` and `chat.update`, without the channel.
    pub(crate) fn fields(&self, mention: Option<&Mention>) -> Value {
        // Verbatim: Slack looks for no names or addresses in the text by itself.
        let mrkdwn = |text: &str| json!({"type": "mrkdwn", "text": text, "verbatim": true});
        let title = match mention {
            Some(mention) => format!("{} {}", mention.as_str(), self.title),
            None => self.title.clone(),
        };
        let mut blocks = vec![json!({"type": "section", "text": mrkdwn(&title)})];
        if !self.body.is_empty() {
            let text = json!({"type": "plain_text", "text": self.body, "emoji": false});
            blocks.push(json!({"type": "section", "text": text}));
        }
        if !self.links.is_empty() {
            let links: Vec<Value> = self.links.iter().map(|link| mrkdwn(link)).collect();
            blocks.push(json!({"type": "context", "elements": links}));
        }
        blocks.push(json!({"type": "context", "elements": [mrkdwn(&self.facts)]}));
        let payload = json!({"event_id": self.event_id, "event_kind": self.event_kind});
        json!({
            "text": self.fallback,
            "blocks": blocks,
            "metadata": {"event_type": "sluice_event", "event_payload": payload},
        })
    }
}

/// What a glance at the channel shows.
fn sign(event: &Event) -> &'static str {
    match (event.kind.as_str(), event.severity) {
        ("succeeded", Severity::Info) => ":white_check_mark:",
        ("rolled-back", _) => ":rewind:",
        (_, Severity::Info) => ":large_blue_circle:",
        (_, Severity::Warning) => ":warning:",
        (_, Severity::Critical) => ":rotating_light:",
    }
}
