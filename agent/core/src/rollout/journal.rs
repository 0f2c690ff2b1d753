//! The journal of a Rollout: its status object, and all that survives a crash.
//!
//! One compare-and-swap carries the result of the last effect and the intent of the next (W2).

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::state::State;
use super::why::Why;
use crate::pipeline::Revision;
use crate::plan::Plan;
use crate::plugin::{CheckLine, Event, Outcome, PlanStep};

/// Moments kept for people. The record cut short says so.
pub const TIMELINE_LIMIT: usize = 100;
/// Messages that wait for their notifier. The oldest falls out: a notifier never holds a Rollout.
pub const OUTBOX_LIMIT: usize = 64;
/// Check results kept: 32 steps of 16 checks would not fit into the object's size budget (D1).
const CHECK_RECORD_LIMIT: usize = 64;
/// Handled Requests remembered.
const HANDLED_LIMIT: usize = 64;
/// Longest text of one moment or check line, in characters.
pub(crate) const TEXT_LIMIT: usize = 500;

/// The status of a Rollout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Journal {
    /// Where it is.
    pub state: State,
    /// The same as one word, for columns.
    pub phase: String,
    /// Why it is there, as a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// The same as one sentence, for kubectl.
    pub message: String,
    /// Since when it has been in this phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What the strategy proposed and the policy accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// What the strategy proposed and nobody has checked yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Vec<PlanStep>>,
    /// Why the strategy gave no answer the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The hash that votes must name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalRequest>,
    /// The revision to put back. Written before the first change (W6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable: Option<Revision>,
    /// Hash of the pod template that is being rolled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_template_hash: Option<String>,
    /// Pods of the target when it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_replicas: Option<u32>,
    /// Who paused it, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Moment>,
    /// The effects that were about to be tried when this was written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub intent: Vec<Intent>,
    /// Results of checks, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckRecord>,
    /// What happened, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Moment>,
    /// Moments that did not fit.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeline_cut: u32,
    /// Messages on their way to notifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Delivery>,
    /// Number of the next message.
    pub next_seq: u32,
    /// What each notifier answered last: its thread.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub threads: BTreeMap<String, String>,
    /// Requests that were acted on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub handled: Vec<Handled>,
    /// When the first change was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Whether the record of the ended Rollout reached the sink.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recorded: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What people are asked to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRequest {
    /// Hash over all that must not change between the vote and the change (A1).
    pub hash: String,
    /// Hash of the effective policy, shown and recorded.
    pub policy_hash: String,
    /// Plugins that are used, with the digests that were signed for.
    pub plugins: BTreeMap<String, String>,
    /// Since when it is asked.
    pub requested_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// An effect that is about to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The kind of effect.
    pub action: String,
    /// Its object.
    pub object: String,
    /// The wanted result.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckRecord {
    /// Step, from 0.
    pub step: u32,
    /// Label of the check.
    pub name: String,
    /// Which try.
    pub attempt: u32,
    /// Verdict.
    pub outcome: Outcome,
    /// One sentence.
    pub summary: String,
    /// The lines that did not pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<CheckLine>,
    /// When the answer came.
    pub at: Timestamp,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// Stable word, such as `step-started`.
    pub kind: String,
    /// One sentence.
    pub text: String,
}

/// A Request that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Handled {
    /// uid of the Request.
    pub uid: String,
    /// Why nothing was done about it, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A message and the notifiers that have not got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Number within the Rollout.
    pub seq: u32,
    /// The message.
    pub event: Event,
    /// Indices into the Rollout's `notify` list.
    pub waiting: Vec<u32>,
    /// Since when it waits.
    pub queued_at: Timestamp,
}

impl Journal {
    /// Adds a moment; past the limit the oldest but the first falls out and is counted.
    pub(crate) fn note(&mut self, now: Timestamp, kind: &str, text: &str) {
        if self.timeline.len() >= TIMELINE_LIMIT {
            self.timeline.remove(1);
            self.timeline_cut = self.timeline_cut.saturating_add(1);
        }
        let text = clip(text);
        self.timeline.push(Moment { at: now, kind: kind.to_owned(), text });
    }

    /// Keeps a check result. Past the limit results of earlier steps fall out first, then tries of
    /// this step that brought no pass: the passes of the step that is being left must stay.
    pub(crate) fn keep_check(&mut self, record: CheckRecord) {
        if self.checks.len() >= CHECK_RECORD_LIMIT {
            let dispensable = self
                .checks
                .iter()
                .position(|c| c.step != record.step)
                .or_else(|| self.checks.iter().position(|c| c.outcome != Outcome::Pass));
            self.checks.remove(dispensable.unwrap_or(0));
        }
        self.checks.push(record);
    }

    /// Marks a Request as looked at.
    pub(crate) fn handle(&mut self, uid: &str, refused: Option<String>) {
        if self.handled.len() >= HANDLED_LIMIT {
            self.handled.remove(0);
        }
        self.handled.push(Handled { uid: uid.to_owned(), refused });
    }

    /// Puts a message into the outbox for every notifier.
    pub(crate) fn send(&mut self, now: Timestamp, event: Event, notifiers: usize) {
        if notifiers == 0 {
            return;
        }
        if self.outbox.len() >= OUTBOX_LIMIT {
            self.outbox.remove(0);
        }
        let waiting = (0..u32::try_from(notifiers).unwrap_or(0)).collect();
        self.outbox.push(Delivery { seq: self.next_seq, event, waiting, queued_at: now });
        self.next_seq = self.next_seq.saturating_add(1);
    }
}

/// Cuts a text to [`TEXT_LIMIT`] and says so.
pub(crate) fn clip(text: &str) -> String {
    if text.chars().count() <= TEXT_LIMIT {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(TEXT_LIMIT - 1).collect();
    out.push('…');
    out
}
