//! The JSON document of a Rollout: who asked, who approved, what was decided, what every step, check,
//! analysis and hook came to, how long it all took, and how to go back. `docs/record.md` explains one;
//! `docs/record.schema.json` is its schema, made of these types.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::approval::Vote;
use crate::hook::{HookRun, HookState, HookWhen};
use crate::pipeline::{Revision, TargetSpec};
use crate::plan::Plan;
use crate::rollout::{
    ApprovalRequest, CandidateImage, Cause, CheckRecord, Emergency, Journal, MeasurementRecord,
    Moment, RolloutView, Route, WentBack,
};

/// Version of the document's shape. Raised when a field changes its meaning; new fields may come.
const RECORD_VERSION: u32 = 1;

/// The record of a Rollout.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Version of the document's shape.
    pub record_version: u32,
    /// The deployment id: name of the Rollout.
    pub id: String,
    /// uid of the Rollout: tells two records of the same Rollout from those of two.
    pub uid: String,
    /// Namespace of the Rollout and its Pipeline.
    pub namespace: String,
    /// The Pipeline.
    pub pipeline: String,
    /// The environment.
    pub environment: String,
    /// The workload.
    pub target: TargetSpec,
    /// What was to go there.
    pub image: CandidateImage,
    /// What served before. None where it never began.
    pub replaces: Option<Revision>,
    /// The revision that it went back to, for a way back.
    pub returns_to: Option<Revision>,
    /// Who or what asked for it.
    pub cause: Cause,
    /// What of the usual way was left out.
    pub emergency: Option<Emergency>,
    /// Whether it was an exercise.
    pub drill: bool,
    /// Where it is or how it ended.
    pub phase: String,
    /// The same as one sentence.
    pub message: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the first change was decided.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// How long it all took.
    pub seconds: Seconds,
    /// What people were asked to sign.
    pub approval: Option<ApprovalRequest>,
    /// All votes, counted or not.
    pub votes: Vec<Vote>,
    /// What was to be done.
    pub plan: Option<Plan>,
    /// Results of checks, oldest first.
    pub checks: Vec<CheckRecord>,
    /// Results that did not fit.
    pub checks_cut: u32,
    /// What analyses found, one entry for each of each step.
    pub analyses: Vec<MeasurementRecord>,
    /// Entries of analyses that did not fit.
    pub analyses_cut: u32,
    /// Hooks whose turn came.
    pub hooks: Vec<HookRecord>,
    /// The command by which a hook says that what it saved is put back.
    pub restore_command: Option<String>,
    /// Where traffic stood before, for a router that shares it by an object of its own.
    pub route: Option<Route>,
    /// Why and how fast it went back, where it did.
    pub rollback: Option<Rollback>,
    /// Until when a person may go back to what served before without anybody's approval. None where it
    /// did not succeed, or where the policy sets no end.
    pub going_back_until: Option<Timestamp>,
    /// What happened, oldest first.
    pub timeline: Vec<Moment>,
    /// Moments that did not fit.
    pub timeline_cut: u32,
}

/// How long it all took.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seconds {
    /// From the wish to the first change.
    pub waiting: Option<f64>,
    /// From the first change to the end.
    pub rolling_out: Option<f64>,
    /// By phase, in the order in which each was left first.
    pub phases: Vec<PhaseSeconds>,
}

/// Time in one phase.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseSeconds {
    /// The phase.
    pub phase: String,
    /// How long it took.
    pub seconds: f64,
}

/// One hook.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookRecord {
    /// Its name.
    pub name: String,
    /// When it ran.
    pub when: HookWhen,
    /// The CronJob whose template its Job had.
    pub cron_job: Option<String>,
    /// Its Job.
    pub job: String,
    /// What came of it.
    pub state: HookState,
    /// One sentence.
    pub message: String,
    /// When its Job was started.
    pub started_at: Option<Timestamp>,
    /// When its end was seen.
    pub ended_at: Option<Timestamp>,
    /// From the start to the end.
    pub seconds: Option<f64>,
    /// Its termination message: a JSON object, or text.
    #[schemars(schema_with = "object_or_text")]
    pub result: Option<Value>,
    /// Whether it said that what it did was verified.
    pub verified: bool,
    /// The command that puts back what it saved.
    pub restore: Option<String>,
    /// The last lines of its log.
    pub log: String,
}

/// The way back.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Stable word: `check-failed`, `hook-failed`, `aborted`, …
    pub code: String,
    /// One sentence with the evidence.
    pub message: String,
    /// Whether the candidate itself was seen to be bad, and so is proposed by nothing any more.
    pub candidate_failed: bool,
    /// The step in which it happened, for people from 1.
    pub step: Option<u32>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// When the stable version served alone again and everything was taken back.
    pub done_at: Option<Timestamp>,
    /// From the beginning of that step, or of what comes before the first, to the decision: so long
    /// were people exposed to the share of that step.
    pub seconds_to_decide: Option<f64>,
    /// From the decision to its end.
    pub seconds_to_undo: Option<f64>,
}

fn object_or_text(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["object", "string", "null"]})
}

/// The record of a Rollout, ended or not. `votes` are all votes on it, counted or not.
pub fn record(rollout: &RolloutView, journal: &Journal, votes: &[Vote]) -> Value {
    serde_json::to_value(document(rollout, journal, votes)).unwrap_or_default()
}

/// The same, typed.
pub fn document(rollout: &RolloutView, journal: &Journal, votes: &[Vote]) -> Record {
    let spec = &rollout.spec;
    let restore = journal.hooks.iter().rev().find_map(|h| h.restore.clone());
    Record {
        record_version: RECORD_VERSION,
        id: rollout.name.clone(),
        uid: rollout.uid.clone(),
        namespace: rollout.namespace.clone(),
        pipeline: spec.pipeline.clone(),
        environment: spec.environment.clone(),
        target: spec.target.clone(),
        image: spec.image.clone(),
        replaces: journal.stable.clone(),
        returns_to: spec.returns_to.clone(),
        cause: spec.cause.clone(),
        emergency: spec.emergency,
        drill: spec.drill,
        phase: journal.phase.clone(),
        message: journal.message.clone(),
        created_at: rollout.created_at,
        started_at: journal.started_at,
        ended_at: journal.ended_at,
        seconds: Seconds {
            waiting: seconds(Some(rollout.created_at), journal.started_at),
            rolling_out: seconds(journal.started_at, journal.ended_at),
            phases: phases(journal),
        },
        approval: journal.approval.clone(),
        votes: votes.to_vec(),
        plan: journal.plan.clone(),
        checks: journal.checks.clone(),
        checks_cut: journal.checks_cut,
        analyses: journal.measurements.clone(),
        analyses_cut: journal.measurements_cut,
        hooks: journal.hooks.iter().map(|h| hook(rollout, h)).collect(),
        restore_command: restore,
        route: journal.route.clone(),
        rollback: journal.went_back.as_ref().map(rollback),
        going_back_until: journal.return_until,
        timeline: journal.timeline.clone(),
        timeline_cut: journal.timeline_cut,
    }
}

fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    Some(to?.duration_since(from?).as_millis() as f64 / 1000.0)
}

fn phases(journal: &Journal) -> Vec<PhaseSeconds> {
    let one = |p: &crate::rollout::PhaseTime| PhaseSeconds {
        phase: p.phase.clone(),
        seconds: p.ms as f64 / 1000.0,
    };
    journal.phases.iter().map(one).collect()
}

fn hook(rollout: &RolloutView, run: &HookRun) -> HookRecord {
    let course = &rollout.spec.course;
    let of = |list: &[crate::pipeline::HookSpec]| {
        list.iter().find(|spec| spec.name == run.name).cloned()
    };
    let cron_job = match run.when {
        HookWhen::Before => of(&course.before).map(|spec| spec.cron_job),
        HookWhen::Undo => of(&course.before).and_then(|spec| spec.undo),
        HookWhen::After => of(&course.after).map(|spec| spec.cron_job),
    };
    HookRecord {
        name: run.name.clone(),
        when: run.when,
        cron_job,
        job: run.job.clone(),
        state: run.state,
        message: run.message.clone(),
        started_at: run.started_at,
        ended_at: run.ended_at,
        seconds: seconds(run.started_at, run.ended_at),
        result: run.said(),
        verified: run.verified,
        restore: run.restore.clone(),
        log: run.log.clone(),
    }
}

fn rollback(back: &WentBack) -> Rollback {
    Rollback {
        code: back.code.clone(),
        message: back.message.clone(),
        candidate_failed: back.candidate_failed,
        step: back.step.map(|s| s.saturating_add(1)),
        decided_at: back.decided_at,
        done_at: back.done_at,
        seconds_to_decide: seconds(back.under_way_since, Some(back.decided_at)),
        seconds_to_undo: seconds(Some(back.decided_at), back.done_at),
    }
}

/// The schema of the record.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Record).to_value();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".into(), Value::from("Sluice: record of a Rollout"));
    }
    schema
}

#[cfg(test)]
mod tests;
