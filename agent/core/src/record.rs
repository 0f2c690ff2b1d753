//! The JSON document of a Rollout: who asked, who approved, what was decided, every step's result.

use serde_json::{Value, json};

use crate::approval::Vote;
use crate::rollout::{Journal, RolloutView};

/// Version of the document's shape. Raised when a field changes its meaning.
const RECORD_VERSION: u32 = 1;

/// The record of a Rollout, ended or not. `votes` are all votes on it, counted or not.
pub fn record(rollout: &RolloutView, journal: &Journal, votes: &[Vote]) -> Value {
    let spec = &rollout.spec;
    let seconds = |from: Option<jiff::Timestamp>, to: Option<jiff::Timestamp>| {
        Some(to?.duration_since(from?).as_millis() as f64 / 1000.0)
    };
    json!({
        "recordVersion": RECORD_VERSION,
        "id": rollout.name,
        "uid": rollout.uid,
        "namespace": rollout.namespace,
        "pipeline": spec.pipeline,
        "environment": spec.environment,
        "target": spec.target,
        "image": spec.image,
        "replaces": journal.stable,
        "returnsTo": spec.returns_to,
        "cause": spec.cause,
        "phase": journal.phase,
        "message": journal.message,
        "createdAt": rollout.created_at,
        "startedAt": journal.started_at,
        "endedAt": journal.ended_at,
        "seconds": {
            "waiting": seconds(Some(rollout.created_at), journal.started_at),
            "rollingOut": seconds(journal.started_at, journal.ended_at),
        },
        "approval": journal.approval,
        "votes": votes,
        "plan": journal.plan,
        "checks": journal.checks,
        "timeline": journal.timeline,
        "timelineCut": journal.timeline_cut,
    })
}

#[cfg(test)]
mod tests;
