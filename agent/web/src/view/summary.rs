//! One Rollout in a few lines.

use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Serialize;
use sluice_cluster::crd::Rollout;
use sluice_core::pipeline::OutcomeKind;
use sluice_core::rollout::{Journal, State, Why};

use super::step::{Split, StepView, split, steps};
use super::time::When;
use super::{Scene, short, version};

/// What a list shows of a Rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    /// Namespace of the object.
    pub(crate) namespace: String,
    /// Its name: the deployment id.
    pub(crate) name: String,
    /// Its pipeline.
    pub(crate) pipeline: String,
    /// Its environment.
    pub(crate) environment: String,
    /// Tag, or the start of the digest.
    pub(crate) version: String,
    /// The whole digest.
    pub(crate) digest: String,
    /// Where it is, as one word.
    pub(crate) phase: &'static str,
    /// How that looks: a class of the style sheet.
    #[serde(skip)]
    pub(crate) tone: &'static str,
    /// Why it is there, as a sentence.
    pub(crate) why: String,
    /// The kind of reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why_code: Option<String>,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<String>,
    /// What is awaited of people: roles, or a gate.
    pub(crate) awaited: Vec<String>,
    /// Since when it is in its phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<When>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<When>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<When>,
    /// The plan, once there is one.
    pub(crate) steps: Vec<StepView>,
    /// How traffic is shared now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) split: Option<Split>,
}

impl Summary {
    pub(crate) fn new(scene: &Scene, rollout: &Rollout) -> Self {
        let empty = Journal::default();
        let journal = rollout.status.as_ref().unwrap_or(&empty);
        let spec = &rollout.spec.body;
        let name = rollout.name_any();
        let when = |at| When::new(at, scene.now);
        // Backticks are for terminals.
        let advice = journal.why.as_ref().and_then(|why| why.advice(&name));
        let advice = advice.map(|text| text.replace('`', ""));
        Self {
            namespace: rollout.namespace().unwrap_or_default(),
            pipeline: spec.pipeline.clone(),
            environment: spec.environment.clone(),
            version: version(spec.image.tag.as_deref(), &spec.image.digest),
            digest: spec.image.digest.clone(),
            phase: journal.state.phase(),
            tone: tone(journal),
            why: reason(journal),
            why_code: journal.why.as_ref().map(Why::code),
            advice,
            awaited: awaited(journal),
            since: journal.since.map(when),
            created_at: rollout.creation_timestamp().map(|t| when(t.0)),
            ended_at: journal.ended_at.map(when),
            steps: steps(journal),
            split: split(journal),
            name,
        }
    }

    /// Whether it is over.
    pub(crate) fn ended(&self) -> bool {
        self.ended_at.is_some()
    }

    /// Where its page is. Names of objects need no escaping, but what if one did.
    pub(crate) fn href(&self) -> String {
        href(&self.namespace, &self.name)
    }

    /// The reason with a capital, unless it begins with a name or a version.
    pub(crate) fn headline(&self) -> String {
        sentence(&self.why)
    }

    /// The phase with its words apart.
    pub(crate) fn phase_words(&self) -> String {
        let mut out = String::new();
        for c in self.phase.chars() {
            if c.is_ascii_uppercase() && !out.is_empty() {
                out.push(' ');
                out.push(c.to_ascii_lowercase());
            } else {
                out.push(c);
            }
        }
        out
    }

    /// The start of the digest.
    pub(crate) fn short_digest(&self) -> String {
        short(&self.digest)
    }
}

/// The address of a Rollout's page.
pub(crate) fn href(namespace: &str, name: &str) -> String {
    format!("/rollouts/{}/{}", segment(namespace), segment(name))
}

/// One part of a path: whatever is not a plain letter is escaped.
fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => out.push(char::from(byte)),
            // A lone dot or two would be another folder to a browser, escaped or not; names of
            // objects never are that.
            b'.' => out.push('.'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A text with a capital, unless it begins with a name or a version.
pub(super) fn sentence(text: &str) -> String {
    let word = text.split([' ', ':', ',', ';']).next().unwrap_or_default();
    if !word.chars().all(char::is_alphabetic) {
        return text.to_owned();
    }
    let mut rest = text.chars();
    rest.next()
        .map(|c| c.to_uppercase().chain(rest).collect())
        .unwrap_or_default()
}

/// The reason as people read it; before the first decision there is none.
fn reason(journal: &Journal) -> String {
    match &journal.why {
        Some(why) => why.to_string(),
        None if journal.message.is_empty() => "the agent has not looked at it yet".to_owned(),
        None => journal.message.clone(),
    }
}

/// What people have to do. Most reasons ask nothing of anybody, and a new one does not by default.
fn awaited(journal: &Journal) -> Vec<String> {
    if let Some(Why::WaitsForVotes { missing, .. }) = &journal.why {
        return missing
            .iter()
            .map(|role| format!("vote of {role}"))
            .collect();
    }
    if let Some(Why::WaitsForGate { gate }) = &journal.why {
        return vec![format!("someone to open {gate}")];
    }
    if let Some(Why::FailedHolds { .. }) = &journal.why {
        return vec!["someone to go on or back".to_owned()];
    }
    if let Some(Why::Paused { .. }) = &journal.why {
        return vec!["someone to resume".to_owned()];
    }
    Vec::new()
}

/// How a state looks: `wait`, `run`, `hold` (someone should look), `back`, `good`, `bad`, `off`.
fn tone(journal: &Journal) -> &'static str {
    match &journal.state {
        State::Ended(end) => outcome_tone(end.kind),
        State::Recording(ending) => outcome_tone(ending.kind),
        State::RollingBack(_) => "back",
        State::Queued
        | State::Planning { .. }
        | State::AwaitingApproval
        | State::Preparing(_)
        | State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_)
        | State::Finishing(_)
            if journal.why.as_ref().is_some_and(stuck) =>
        {
            "hold"
        }
        State::Preparing(_)
        | State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_)
        | State::Finishing(_) => "run",
        State::Queued | State::Planning { .. } | State::AwaitingApproval => "wait",
    }
}

/// How an end looks.
pub(crate) fn outcome_tone(kind: OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Succeeded => "good",
        OutcomeKind::RolledBack | OutcomeKind::Failed | OutcomeKind::Refused => "bad",
        OutcomeKind::Rejected
        | OutcomeKind::Expired
        | OutcomeKind::Superseded
        | OutcomeKind::Cancelled
        | OutcomeKind::Planned => "off",
    }
}

/// Whether it does not go on by itself in the ordinary way.
fn stuck(why: &Why) -> bool {
    matches!(
        why,
        Why::NoBaseline
            | Why::Closed { .. }
            | Why::StrategyUnavailable { .. }
            | Why::PluginMissing { .. }
            | Why::Claimed { .. }
            | Why::Paused { .. }
            | Why::Drifted { .. }
            | Why::Rescaled { .. }
            | Why::CannotSee { .. }
            | Why::CheckInconclusive { .. }
            | Why::AnalysisInconclusive { .. }
            | Why::NotReady { .. }
            | Why::FailedHolds { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_no_surprises() {
        assert_eq!(
            href("delivery", "storefront-1.2"),
            "/rollouts/delivery/storefront-1.2"
        );
        assert_eq!(href("a/b", "<x>?#"), "/rollouts/a%2Fb/%3Cx%3E%3F%23");
    }
}
