//! Rules for the workloads that go in lockstep: each is held to what the target is held to.

use crate::rollout::{Decision, Effect, Journal, Observation, RolloutView, Seen, canary_name};
use crate::workload::member::as_target;

/// Rollout, observation and journal for each member, as if it was the target.
pub(super) fn views(
    rollout: &RolloutView,
    seen: &Observation,
    journal: &Journal,
) -> Vec<(RolloutView, Observation, Journal)> {
    (0..journal.members.len())
        .filter_map(|i| as_target(rollout, seen, journal, i))
        .collect()
}

/// The decision with the journal of a member.
pub(super) fn decision_of(decision: &Decision, journal: &Journal) -> Decision {
    Decision {
        journal: journal.clone(),
        ..decision.clone()
    }
}

/// Whether an effect is about this member, or its canary.
pub(super) fn about(member: &RolloutView, seen: &Observation, effect: &Effect) -> bool {
    let spec = &member.spec;
    let is = |uid: &str| {
        uid == spec.target_uid || matches!(&seen.canary, Seen::Present(c) if c.uid == uid)
    };
    match effect {
        Effect::Claim { target, .. } => is(&target.uid),
        Effect::Scale { deployment, .. } | Effect::SetTemplate { deployment, .. } => {
            is(&deployment.uid)
        }
        Effect::Delete { object } => is(&object.uid),
        Effect::Create { manifest } => {
            let name = manifest.pointer("/metadata/name").and_then(|n| n.as_str());
            name == Some(canary_name(spec.target.name(), &member.uid).as_str())
        }
        Effect::Patch { .. }
        | Effect::CopyConfig { .. }
        | Effect::SaveRevision { .. }
        | Effect::RecordOutcome { .. }
        | Effect::Ask { .. } => false,
    }
}
