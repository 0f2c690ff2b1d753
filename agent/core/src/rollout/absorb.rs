//! Folding an answer into the journal. An answer to a question that is not open any more changes
//! nothing: late, repeated and stray answers are harmless.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::decide::{check_key, judge_key, later, place, plan_key, tell};
use super::effect::CallId;
use super::journal::{CheckRecord, Delivery, Journal, clip, clip_short};
use super::observation::RolloutView;
use super::provider;
use super::state::{BackReason, CheckRun, Stage, State, StepState};
use crate::pipeline::OutcomeKind;
use crate::plan::bounded_proposal;
use crate::plugin::{CheckLine, Judgement, Outcome, PluginAnswer, Report, Severity};

mod measured;

/// Between two questions to a plugin that could not answer, in milliseconds.
const ASK_AGAIN_MS: i64 = 10_000;
/// Longest time that a strategy may ask for at once: an hour, in milliseconds.
const HOLD_AT_MOST_MS: u64 = 3_600_000;
/// Lines of a report that are kept.
const LINE_LIMIT: usize = 8;

/// Something that the shell learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// A plugin answered.
    Answered {
        /// The question.
        call: CallId,
        /// The answer.
        answer: PluginAnswer,
    },
    /// A notifier has a message, or will never have it.
    Delivered {
        /// Number of the message.
        seq: u32,
        /// Index into the Rollout's `notify` list.
        notifier: u32,
        /// Where the conversation is, if the notifier said so.
        thread: Option<String>,
        /// Why it was given up, if it was.
        given_up: Option<String>,
    },
    /// The record of the ended Rollout is in the sink.
    Recorded,
}

/// The journal with the fact folded in.
#[must_use]
pub fn absorb(rollout: &RolloutView, journal: &Journal, fact: &Fact, now: Timestamp) -> Journal {
    let mut journal = journal.clone();
    match fact {
        Fact::Answered { call, answer } => {
            if let Some(key) = call.0.strip_prefix(&format!("{}/", rollout.uid)) {
                answered(rollout, &mut journal, key, answer, now);
            }
        }
        Fact::Delivered {
            seq,
            notifier,
            thread,
            given_up,
        } => {
            delivered(
                rollout,
                &mut journal,
                *seq,
                *notifier,
                thread,
                given_up,
                now,
            );
        }
        Fact::Recorded => journal.recorded |= journal.state.ended(),
    }
    journal
}

fn answered(
    rollout: &RolloutView,
    journal: &mut Journal,
    key: &str,
    answer: &PluginAnswer,
    now: Timestamp,
) {
    // Providers are asked in every phase: what is closed is taken back later.
    if provider::answered(rollout, journal, key, answer, now) {
        return;
    }
    if measured::answered(rollout, journal, key, answer, now) {
        return;
    }
    match &mut journal.state {
        State::Planning {
            attempt,
            not_before,
        } if key == plan_key(*attempt) => match answer {
            PluginAnswer::Plan(steps) => journal.proposal = Some(bounded_proposal(steps)),
            other => {
                *attempt = attempt.saturating_add(1);
                *not_before = again(now);
                journal.fault = Some(clip(&other.no_answer()));
            }
        },
        State::Progressing(step) | State::Promoting(step) | State::Watching(step) => {
            let (before, mut step) = (step.clone(), step.clone());
            let place = place(&journal.state, &before);
            match &mut step.stage {
                Stage::Check { runs, .. } => {
                    let keys: Vec<String> = runs
                        .iter()
                        .map(|r| check_key(&place, before.relapses, &r.name, r.attempt))
                        .collect();
                    let open = runs
                        .iter_mut()
                        .zip(keys)
                        .find(|(r, k)| !r.passed && key == k.as_str());
                    if let Some((run, _)) = open {
                        checked(rollout, journal, before.index, run, answer, now);
                        put_step(journal, step);
                    }
                }
                Stage::Judge { attempt, .. } if key == judge_key(&before, *attempt) => {
                    judged(rollout, journal, step, answer, now);
                }
                Stage::Shift | Stage::Hold { .. } | Stage::Judge { .. } => {}
            }
        }
        State::Queued
        | State::Planning { .. }
        | State::AwaitingApproval
        | State::Preparing(_)
        | State::Finishing(_)
        | State::RollingBack(_)
        | State::Recording(_)
        | State::Ended(_) => {}
    }
}

fn checked(
    rollout: &RolloutView,
    journal: &mut Journal,
    step: u32,
    run: &mut CheckRun,
    answer: &PluginAnswer,
    now: Timestamp,
) {
    let report = match answer {
        PluginAnswer::Report(r) => bounded(r),
        other => Report {
            outcome: Outcome::Inconclusive,
            summary: clip(&other.no_answer()),
            checks: Vec::new(),
        },
    };
    let optional = rollout
        .spec
        .checks
        .iter()
        .any(|c| c.label() == run.name && c.optional);
    run.passed = match report.outcome {
        Outcome::Pass => true,
        Outcome::Skipped => optional,
        Outcome::Fail | Outcome::Inconclusive => false,
    };
    journal.keep_check(CheckRecord {
        step,
        name: run.name.clone(),
        attempt: run.attempt,
        outcome: report.outcome,
        summary: report.summary.clone(),
        lines: report
            .checks
            .iter()
            .filter(|l| l.outcome != Outcome::Pass)
            .cloned()
            .collect(),
        at: now,
    });
    if !run.passed && report.outcome != Outcome::Fail {
        run.attempt = run.attempt.saturating_add(1);
        run.not_before = again(now);
    }
    // The lines stand in the record; here the verdict is enough.
    let summary = clip_short(&report.summary);
    run.report = Some(Report {
        summary,
        checks: Vec::new(),
        ..report
    });
}

/// A report cut to what the journal may hold. A pass with a failing line is a fail, whoever says so.
fn bounded(report: &Report) -> Report {
    let any_fail = report.checks.iter().any(|l| l.outcome == Outcome::Fail);
    let mut lines: Vec<CheckLine> = report.checks.clone();
    lines.sort_by_key(|l| match l.outcome {
        Outcome::Fail => 0,
        Outcome::Inconclusive => 1,
        Outcome::Skipped => 2,
        Outcome::Pass => 3,
    });
    lines.truncate(LINE_LIMIT);
    for l in &mut lines {
        l.name = clip_short(&l.name);
        l.message = clip(&l.message);
    }
    let outcome = if any_fail {
        Outcome::Fail
    } else {
        report.outcome
    };
    Report {
        outcome,
        summary: clip(&report.summary),
        checks: lines,
    }
}

fn judged(
    rollout: &RolloutView,
    journal: &mut Journal,
    mut step: StepState,
    answer: &PluginAnswer,
    now: Timestamp,
) {
    if let PluginAnswer::Judgement(Judgement::Rollback(reason)) = answer {
        let message = clip(&format!("the strategy turns round: {reason}"));
        tell(
            rollout,
            journal,
            now,
            "rolling-back",
            Severity::Critical,
            &message,
        );
        journal.state = State::RollingBack(BackReason {
            code: "strategy-rollback".into(),
            message,
            candidate_failed: false,
            step: Some(step.index),
            since: now,
            ends_as: OutcomeKind::RolledBack,
        });
        return;
    }
    if let Stage::Judge {
        attempt,
        not_before,
        faults,
        proceed,
    } = &mut step.stage
    {
        *attempt = attempt.saturating_add(1);
        match answer {
            PluginAnswer::Judgement(Judgement::Proceed) => {
                *proceed = true;
                journal.fault = None;
            }
            PluginAnswer::Judgement(Judgement::Hold(ms)) => {
                let ms = (*ms).clamp(1000, HOLD_AT_MOST_MS);
                *not_before = later(now, i64::try_from(ms).unwrap_or(ASK_AGAIN_MS));
                *faults = 0;
                journal.fault = None;
            }
            other => {
                *faults = faults.saturating_add(1);
                *not_before = again(now);
                journal.fault = Some(clip(&other.no_answer()));
            }
        }
    }
    put_step(journal, step);
}

fn delivered(
    rollout: &RolloutView,
    journal: &mut Journal,
    seq: u32,
    notifier: u32,
    thread: &Option<String>,
    given_up: &Option<String>,
    now: Timestamp,
) {
    let Some(name) = usize::try_from(notifier)
        .ok()
        .and_then(|i| rollout.spec.notify.get(i))
        .map(|u| u.plugin.clone())
    else {
        return;
    };
    let waits = |d: &Delivery| d.seq == seq && d.waiting.contains(&notifier);
    if !journal.outbox.iter().any(waits) {
        return;
    }
    for d in journal.outbox.iter_mut().filter(|d| d.seq == seq) {
        d.waiting.retain(|n| *n != notifier);
    }
    journal.outbox.retain(|d| !d.waiting.is_empty());
    if let Some(thread) = thread {
        journal.keep_thread(notifier, thread);
    }
    if let Some(why) = given_up {
        journal.note(
            now,
            "notifier-failed",
            &format!("{name} did not get message {seq}: {why}"),
        );
    }
}

fn put_step(journal: &mut Journal, step: StepState) {
    journal.state = journal.state.with_step(step);
}

fn again(now: Timestamp) -> Timestamp {
    later(now, ASK_AGAIN_MS)
}

#[cfg(test)]
mod tests;
