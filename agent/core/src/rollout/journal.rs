//! The journal of a Rollout: its status object, and all that survives a crash.
//!
//! One compare-and-swap carries the result of the last effect and the intent of the next (W2). Every
//! list has a budget in bytes, so that whatever plugins and people write the whole stays below 96 KiB:
//! 64 for what any Rollout may have, 16 for hooks, 8 for a group and configuration, 4 for a route. The
//! hard limit of D1 is 256. What falls out is counted or marked; the newest stays.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::object::ObjectKind;
use super::observation::{RequestSeen, WorkloadSeen};
use super::provider::Asked;
use super::state::{CheckRun, State};
use super::why::Why;
use crate::analysis::AnalysisRun;
use crate::hook::HookRun;
use crate::pipeline::{ConfigSource, Revision};
use crate::plan::Plan;
use crate::plugin::{CheckLine, Event, Outcome, PlanStep};
use crate::router::Apart;
use crate::workload::{ConfigVersion, MemberJournal};

mod drill;
mod measured;
mod times;

pub use drill::{DRILL_CODE, DrillReport, DrillTimes};
pub use measured::{MeasurementRecord, Numbers};
pub use times::{PhaseTime, WentBack};

/// Moments kept for people. The record cut short says so.
pub const TIMELINE_LIMIT: usize = 100;
/// Messages that wait for their notifier. The oldest falls out: a notifier never holds a Rollout.
pub const OUTBOX_LIMIT: usize = 64;
/// Check results kept: 32 steps of 16 checks would not fit into the object's size budget (D1).
const CHECK_RECORD_LIMIT: usize = 64;
/// Handled Requests remembered one by one; of older ones only up to which they were handled.
const HANDLED_LIMIT: usize = 16;
/// Longest text of one moment or check line, in bytes.
const TEXT_LIMIT: usize = 500;
/// Longest text where many stand side by side, in bytes.
const SHORT_LIMIT: usize = 120;
/// Longest reason for not doing what a Request asks, in bytes.
const REFUSED_LIMIT: usize = 250;
/// Bytes of JSON that the timeline may take: about a hundred moments of the usual length.
const TIMELINE_BYTES: usize = 10 * 1024;
/// Bytes of JSON that the results of checks may take.
const CHECKS_BYTES: usize = 8 * 1024;
/// Bytes of JSON that waiting messages may take: about twenty of the usual length.
const OUTBOX_BYTES: usize = 7 * 1024;
/// Longest thread reference of a notifier, in bytes. A cut one would be of no use.
const THREAD_LIMIT: usize = 200;

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
    /// What approval providers were asked, and where that stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// Since when every gate is open but the limit of Rollouts under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot_wanted_at: Option<Timestamp>,
    /// The revision to put back. Written before the first change (W6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable: Option<Revision>,
    /// Hash of the pod template that is being rolled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_template_hash: Option<String>,
    /// Epoch of the leader that wrote this (F3). The shell sets it; no decision reads it.
    #[serde(skip_serializing_if = "crate::lease::unfenced")]
    pub epoch: u64,
    /// The autoscaler that owned the target's number of pods when it began. Sluice leaves that number
    /// alone then (W10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<String>,
    /// The last number of pods that Sluice gave the target, to tell its own from another's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaled: Option<Scaled>,
    /// Pods of the target when it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_replicas: Option<u32>,
    /// Where traffic stood before the first change, and what tells the candidate's pods apart. None
    /// under the replica router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// Partition of the StatefulSet before it was changed: it is given back in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_before: Option<u32>,
    /// Versions of configuration that go with the image. Fixed before people sign.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<ConfigVersion>,
    /// Copies of configuration that no revision needs any more, to be removed at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<ConfigSource>,
    /// The workloads that go in lockstep with the target, in the order of the Pipeline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberJournal>,
    /// Whether the claim on the target was seen to be this Rollout's. Every other write comes after,
    /// so without it nothing was changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
    /// Who paused it, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Moment>,
    /// The effects that were about to be tried when this was written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub intent: Vec<Intent>,
    /// Hooks whose turn has come, in that order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookRun>,
    /// Results of checks, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckRecord>,
    /// Results of checks that did not fit.
    #[serde(skip_serializing_if = "is_zero")]
    pub checks_cut: u32,
    /// Checks that are repeated while the step is held, or the candidate watched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<CheckRun>,
    /// Analyses as they stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub analysis: Vec<AnalysisRun>,
    /// What analyses found, one entry for each of each step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<MeasurementRecord>,
    /// Entries of analyses that did not fit.
    #[serde(skip_serializing_if = "is_zero")]
    pub measurements_cut: u32,
    /// A verdict against the candidate that waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedVerdict>,
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
    /// The newest Request that fell out of `handled`: it and all before it were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handled_until: Option<HandledUntil>,
    /// How long it was in each phase that it has left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseTime>,
    /// Why and when it turned round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub went_back: Option<WentBack>,
    /// How far a drill is, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillTimes>,
    /// Until when, after a success, a person may go back without approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_until: Option<Timestamp>,
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

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A write of the target's number of pods: either number may be found until it was seen to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scaled {
    /// The number before.
    pub from: u32,
    /// The number after.
    pub to: u32,
    /// Since when neither of them is found, but somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_since: Option<Timestamp>,
}

/// What is remembered of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The label that tells the candidate's pods from the target's.
    pub apart: Apart,
    /// What the router gives back byte for byte, where it changes what others wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_value")]
    pub original: Option<serde_json::Value>,
    /// The share that the candidate was last seen to have, in basis points.
    pub reached_bp: u16,
    /// Since when.
    pub at: Timestamp,
    /// Since when somebody else leads the traffic elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_since: Option<Timestamp>,
}

/// The schema of what others wrote.
fn any_value(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"x-kubernetes-preserve-unknown-fields": true})
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
    /// The version that would go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
    /// What would change in the pod template, a line each; values of variables are not told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// Since when it is asked.
    pub requested_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// The version that a release would replace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replaced {
    /// Its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Its digest.
    pub digest: String,
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

/// What was found to be wrong with the candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedVerdict {
    /// Stable word: `check-failed` or `analysis-failed`.
    pub code: String,
    /// One sentence with the evidence.
    pub message: String,
    /// When.
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

/// A place in the order of Requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandledUntil {
    /// When the Request was made.
    pub at: Timestamp,
    /// Its uid, which tells apart what was made in the same second.
    pub uid: String,
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
    /// Whether the number of pods of the target is not one that Sluice wrote, but an autoscaler's or
    /// a person's.
    pub(crate) fn others_number(&self, target: &WorkloadSeen) -> bool {
        self.autoscaler.is_some()
            || self
                .scaled
                .is_some_and(|s| target.replicas != s.from && target.replicas != s.to)
    }

    /// How many pods shall serve in the end: what an autoscaler or the number of nodes says, or else as many as there were
    /// when it began. What a person added meanwhile stays; what they took away may have been one of
    /// two halves, and comes back.
    pub(crate) fn total(&self, target: &WorkloadSeen) -> u32 {
        let began_with = self.total_replicas.unwrap_or(target.replicas);
        if self.autoscaler.is_some() || target.kind == ObjectKind::DaemonSet {
            target.replicas
        } else if self.others_number(target) {
            target.replicas.max(began_with)
        } else {
            began_with
        }
    }

    /// Adds a moment; past the limits the oldest but the first falls out and is counted.
    pub(crate) fn note(&mut self, now: Timestamp, kind: &str, text: &str) {
        self.timeline.push(Moment {
            at: now,
            kind: kind.to_owned(),
            text: clip(text),
        });
        let full = |list: &[Moment]| list.len() > TIMELINE_LIMIT || bytes(list) > TIMELINE_BYTES;
        while self.timeline.len() > 2 && full(&self.timeline) {
            self.timeline.remove(1);
            self.timeline_cut = self.timeline_cut.saturating_add(1);
        }
    }

    /// Keeps a check result. It takes the place of a try before it that told nothing, and a pass that
    /// of an earlier pass: a check may be repeated for days. Past the
    /// limits earlier steps fall out first, then the details of this one: the passes of the step
    /// that is being left must stay.
    pub(crate) fn keep_check(&mut self, record: CheckRecord) {
        let same = |c: &CheckRecord| c.step == record.step && c.name == record.name;
        if let Some(i) = self.checks.iter().rposition(same)
            && self
                .checks
                .get(i)
                .is_some_and(|c| c.outcome == Outcome::Inconclusive)
        {
            self.checks.remove(i);
        }
        if let Some(i) = self.checks.iter().rposition(same)
            && record.outcome == Outcome::Pass
            && self
                .checks
                .get(i)
                .is_some_and(|c| c.outcome == Outcome::Pass)
        {
            self.checks.remove(i);
        }
        let step = record.step;
        self.checks.push(record);
        while self.checks.len() > CHECK_RECORD_LIMIT || bytes(&self.checks) > CHECKS_BYTES {
            if !self.cut_check(step) {
                return;
            }
        }
    }

    /// Takes something out of the check results, the most dispensable first. False: nothing is left.
    fn cut_check(&mut self, step: u32) -> bool {
        let newest = self.checks.len().saturating_sub(1);
        let lines = self
            .checks
            .iter_mut()
            .enumerate()
            .find(|(i, c)| !c.lines.is_empty() && (c.step != step || *i != newest));
        if let Some((_, c)) = lines {
            c.lines.clear();
            c.summary = cut(&c.summary, SHORT_LIMIT);
            return true;
        }
        let old = self.checks.iter().position(|c| c.step != step).or_else(|| {
            self.checks
                .iter()
                .position(|c| c.outcome != Outcome::Pass)
                .filter(|i| *i != newest)
        });
        if let Some(i) = old {
            self.checks.remove(i);
            self.checks_cut = self.checks_cut.saturating_add(1);
            return true;
        }
        if let Some(c) = self.checks.iter_mut().find(|c| !c.lines.is_empty()) {
            c.lines.pop();
            return true;
        }
        if let Some(c) = self
            .checks
            .iter_mut()
            .find(|c| c.summary.len() > SHORT_LIMIT)
        {
            c.summary = cut(&c.summary, SHORT_LIMIT);
            return true;
        }
        false
    }

    /// Whether a Request was looked at.
    pub(crate) fn is_handled(&self, request: &RequestSeen) -> bool {
        self.handled.iter().any(|h| h.uid == request.uid)
            || self
                .handled_until
                .as_ref()
                .is_some_and(|u| (request.at, request.uid.as_str()) <= (u.at, u.uid.as_str()))
    }

    /// Marks a Request as looked at. `seen` are all Requests: when one falls out of the list, up to
    /// which they were handled must be known, or it would be acted on again.
    pub(crate) fn handle(
        &mut self,
        request: &RequestSeen,
        refused: Option<String>,
        seen: &[RequestSeen],
    ) {
        let refused = refused.map(|why| cut(&why, REFUSED_LIMIT));
        self.handled.push(Handled {
            uid: request.uid.clone(),
            refused,
        });
        while self.handled.len() > HANDLED_LIMIT {
            let gone = self.handled.remove(0);
            let until = seen
                .iter()
                .find(|r| r.uid == gone.uid)
                .map(|r| HandledUntil {
                    at: r.at,
                    uid: r.uid.clone(),
                });
            self.handled_until = self.handled_until.take().max(until);
        }
    }

    /// Whether a provider still has something open, to be taken back once the request is closed.
    pub fn has_tickets(&self) -> bool {
        self.asked.iter().any(|asked| asked.ticket.is_some())
    }

    /// Puts a message into the outbox for every notifier. Past the limits the oldest falls out and
    /// the timeline says so: a notifier never holds a Rollout.
    pub(crate) fn send(&mut self, now: Timestamp, event: Event, notifiers: usize) {
        if notifiers == 0 {
            return;
        }
        let waiting = (0..u32::try_from(notifiers).unwrap_or(0)).collect();
        self.outbox.push(Delivery {
            seq: self.next_seq,
            event,
            waiting,
            queued_at: now,
        });
        self.next_seq = self.next_seq.saturating_add(1);
        let full = |list: &[Delivery]| list.len() > OUTBOX_LIMIT || bytes(list) > OUTBOX_BYTES;
        while self.outbox.len() > 1 && full(&self.outbox) {
            let lost = self.outbox.remove(0);
            let text = format!(
                "message {} ({}) was never delivered",
                lost.seq, lost.event.kind
            );
            self.note(now, "message-dropped", &text);
        }
    }

    /// Keeps where the conversation with a notifier is.
    pub(crate) fn keep_thread(&mut self, notifier: u32, thread: &str) {
        if thread.len() <= THREAD_LIMIT {
            self.threads.insert(notifier.to_string(), thread.to_owned());
        }
    }
}

/// Bytes that a list takes in the stored object.
pub(crate) fn bytes<T: Serialize>(list: &[T]) -> usize {
    serde_json::to_vec(list).map_or(0, |v| v.len())
}

/// Cuts a text to what one place of the journal may hold, and says so.
pub(crate) fn clip(text: &str) -> String {
    cut(text, TEXT_LIMIT)
}

/// The same for places of which there are many.
pub(crate) fn clip_short(text: &str) -> String {
    cut(text, SHORT_LIMIT)
}

/// At most `limit` bytes of a text, on one or several lines but without other control characters,
/// which would take six bytes each in JSON.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    const MARK: char = '…';
    let clean = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    if text.len() <= limit {
        return text.chars().map(clean).collect();
    }
    let mut out = String::new();
    for c in text.chars().map(clean) {
        if out.len() + c.len_utf8() + MARK.len_utf8() > limit {
            break;
        }
        out.push(c);
    }
    out.push(MARK);
    out
}

#[cfg(test)]
mod tests;
