//! A request as a Slack message (Block Kit).

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};
use sluice_sdk::Release;
use sluice_sdk::slack::{Mention, escape, link, plain};

use crate::facts::{Facts, State};
use crate::press::{APPROVE, PAGE, REJECT};

/// Slack's limit is 3000 characters for the text of a section. Room is left for the markup.
const SECTION_CHARS: usize = 2_900;
/// What notifications and screen readers show.
const FALLBACK_CHARS: usize = 500;
/// Slack's limit for the text of a confirmation is 300.
const CONFIRM_CHARS: usize = 280;
/// Longest address of a button, in bytes. Slack's limit is 3000.
const MAX_ADDRESS: usize = 1_000;

/// How a fact is called, and where it stands.
const LINES: [(&str, &str); 8] = [
    ("Repository", "/image/repository"),
    ("Tag", "/image/tag"),
    ("Digest", "/image/digest"),
    ("Revision", "/image/revision"),
    ("Replaces", "/replaces/tag"),
    ("Replaced digest", "/replaces/digest"),
    ("Asked by", "/requester"),
    ("Reason", "/reason"),
];

/// A message without its channel.
pub(crate) struct Message {
    text: String,
    blocks: Vec<Value>,
    metadata: Value,
}

impl Message {
    /// Everything that an approver needs, and buttons while the request is open.
    pub(crate) fn of(facts: &Facts, release: &Release) -> Self {
        let workload = &release.workload;
        let what = facts
            .what()
            .unwrap_or_else(|| escape(&format!("{}/{}", workload.namespace, workload.name), 200));
        let headline = headline(facts, &what);
        let mut blocks = vec![section(&format!("{} *{headline}*", sign(facts)))];
        blocks.push(section(&lines(facts, release).join("\n")));
        let changes: Vec<String> = facts
            .lines("/changes")
            .into_iter()
            .map(Into::into)
            .collect();
        for (title, lines) in [("Changes", changes), ("Plan", facts.plan())] {
            if !lines.is_empty() {
                // Plain text: Slack parses nothing in it.
                let text = plain(&format!("{title}\n{}", lines.join("\n")), SECTION_CHARS);
                let text = json!({"type": "plain_text", "text": text, "emoji": false});
                blocks.push(json!({"type": "section", "text": text}));
            }
        }
        if let Some(votes) = votes(facts) {
            blocks.push(section(&votes));
        }
        let page = facts.address("/link").filter(|page| is_web(page));
        let actions = match facts.state() {
            State::Open => vec![APPROVE, REJECT],
            State::Approved => vec![REJECT],
            State::Waiting | State::Begun | State::Closed | State::Superseded => Vec::new(),
        };
        if actions.is_empty() {
            let page = page.and_then(|page| link("Open the page", page));
            blocks.extend(page.map(|page| context(&[page])));
        } else {
            blocks.push(buttons(&actions, &what, &release.subject_digest, page));
        }
        blocks.push(context(&footer(release)));
        Self {
            text: cut(&headline, FALLBACK_CHARS),
            blocks,
            metadata: json!({
                "event_type": "sluice_approval",
                "event_payload": {"release": release.id, "subject": release.subject_digest},
            }),
        }
    }

    /// The fields for `chat.postMessage` and `chat.update`, without the channel.
    pub(crate) fn fields(&self, mention: Option<&Mention>) -> Value {
        let mut blocks = self.blocks.clone();
        if let Some(mention) = mention {
            blocks.insert(0, section(mention.as_str()));
        }
        json!({"text": self.text, "blocks": blocks, "metadata": self.metadata})
    }

    /// The same number for the same look. Another compiler may count anew; then a message is
    /// updated once without need.
    pub(crate) fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        Value::from(self.blocks.clone())
            .to_string()
            .hash(&mut hasher);
        hasher.finish()
    }
}

fn headline(facts: &Facts, what: &str) -> String {
    let loud = facts.emergency();
    let loud = loud.map(|loud| format!("{loud}: ")).unwrap_or_default();
    let word = match facts.state() {
        State::Waiting => "Not ready yet",
        State::Open => return format!("{loud}Approve {what}?"),
        State::Approved => "Approved",
        State::Begun => "Begun",
        State::Closed => "Closed",
        State::Superseded => "Superseded",
    };
    format!("{loud}{word}: {what}")
}

/// What a glance at the channel shows.
fn sign(facts: &Facts) -> &'static str {
    match facts.state() {
        State::Open if facts.emergency().is_some() => ":rotating_light:",
        State::Open => ":raised_hand:",
        State::Waiting => ":hourglass_flowing_sand:",
        State::Approved => ":white_check_mark:",
        State::Begun => ":arrow_forward:",
        State::Superseded => ":fast_forward:",
        State::Closed => ":white_square:",
    }
}

fn lines(facts: &Facts, release: &Release) -> Vec<String> {
    let place = match (facts.text("/namespace"), facts.text("/workload")) {
        (Some(namespace), Some(workload)) => format!("{namespace}/{workload}"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => {
            let workload = &release.workload;
            escape(&format!("{}/{}", workload.namespace, workload.name), 300)
        }
    };
    let mut lines = vec![format!("*Target* {place}")];
    for (name, at) in LINES {
        lines.extend(facts.text(at).map(|text| format!("*{name}* {text}")));
    }
    let source = facts.address("/image/sourceLink");
    lines.extend(
        source
            .and_then(|source| link("source", source))
            .map(|link| format!("*Source* {link}")),
    );
    let signers = facts.words("/image/signedBy");
    lines.extend(signers.map(|names| format!("*Signed by* {names}")));
    lines.extend(
        facts
            .words("/checks")
            .map(|names| format!("*Checks* {names}")),
    );
    lines.extend(facts.earlier().map(|text| format!("*Before* {text}")));
    lines.extend(
        facts
            .text("/expiresAt")
            .map(|text| format!("*Expires* {text}")),
    );
    lines
}

/// Who decided, who has to, and what that comes to.
fn votes(facts: &Facts) -> Option<String> {
    let lines: Vec<String> = [
        facts.given().map(|text| format!("*Given* {text}")),
        facts.missing().map(|text| format!("*Missing* {text}")),
        facts.rejected().map(|text| format!("*Rejected* {text}")),
        facts.text("/opens"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn footer(release: &Release) -> [String; 3] {
    [
        escape(&release.id, 150),
        escape(&release.workload.cluster, 150),
        escape(&release.subject_digest, 150),
    ]
    .map(|text| if text.is_empty() { "–".into() } else { text })
}

fn buttons(actions: &[&str], what: &str, subject: &str, page: Option<&str>) -> Value {
    let label = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    let button = |action: &&str| {
        let (text, style) = match *action {
            APPROVE => ("Approve", "primary"),
            _ => ("Reject", "danger"),
        };
        let question = cut(&format!("{text} {what}?"), CONFIRM_CHARS);
        json!({
            "type": "button",
            "action_id": action,
            "text": label(text),
            "style": style,
            "value": subject,
            "confirm": {
                "title": label(text),
                "text": mrkdwn(&question),
                "confirm": label(text),
                "deny": label("Not now"),
            },
        })
    };
    let mut elements: Vec<Value> = actions.iter().map(button).collect();
    elements.extend(page.map(|page| {
        json!({"type": "button", "action_id": PAGE, "text": label("Open the page"), "url": page})
    }));
    json!({"type": "actions", "elements": elements})
}

fn is_web(address: &str) -> bool {
    address.len() <= MAX_ADDRESS && link("page", address).is_some()
}

/// Verbatim: Slack looks for no names or addresses in the text by itself.
fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(&cut(text, SECTION_CHARS))})
}

fn context(elements: &[String]) -> Value {
    let elements: Vec<Value> = elements.iter().map(|text| mrkdwn(text)).collect();
    json!({"type": "context", "elements": elements})
}

/// Cuts text that is escaped already, never within an escape or a link.
fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.into();
    }
    let mut kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    let opens = kept.rfind(['&', '<']);
    if let Some(at) = opens.filter(|at| !kept[*at..].contains([';', '>'])) {
        kept.truncate(at);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_leaves_no_half_escape_and_no_half_link() {
        assert_eq!(cut("ab&lt;c", 5), "ab…");
        assert_eq!(cut("a <https://x|y> b", 9), "a …");
        assert_eq!(cut("ab&lt;cd", 7), "ab&lt;…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("äöüä", 3), "äö…");
    }
}
