//! What is kept and seen of a workload that goes in lockstep with the target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pipeline::{Revision, RouterSpec};
use crate::rollout::{Journal, Observation, RolloutView, Scaled, Seen, WorkloadSeen};

/// The pod template of a member in a revision, kept as a ControllerRevision beside the member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRevision {
    /// Name of the member's Deployment.
    pub deployment: String,
    /// Its uid.
    pub uid: String,
    /// Name of the ControllerRevision.
    pub name: String,
    /// sha256 of the canonical JSON of the pod template.
    pub template_hash: String,
}

/// What a Rollout keeps of one member: what it keeps of the target, too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberJournal {
    /// The revision to put back. Written before the first change (W6).
    pub stable: MemberRevision,
    /// Hash of the pod template that is being rolled out.
    pub candidate_template_hash: String,
    /// Pods when it began.
    pub total_replicas: u32,
    /// The last number of pods that Sluice gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled: Option<Scaled>,
    /// The autoscaler that owned its number of pods when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<String>,
    /// Whether the claim on it was seen to be this Rollout's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
}

/// A member as it was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemberSeen {
    /// Its Deployment.
    pub target: Seen<WorkloadSeen>,
    /// Its canary.
    pub canary: Seen<WorkloadSeen>,
    /// The pod template of its stable revision. Looked up only while it is needed.
    pub stable_template: Seen<Value>,
    /// The pod template to return to, for a Rollout that goes back.
    pub return_template: Seen<Value>,
    /// Its autoscaler, by name. Looked up only before the first change.
    pub autoscaler: Seen<String>,
}

impl MemberSeen {
    /// What was seen of the member at this place; unknown where nobody looked.
    pub fn of(seen: &Observation, i: usize) -> Self {
        seen.members.get(i).cloned().unwrap_or_else(|| {
            let unseen = || "it was not looked at yet".to_owned();
            Self {
                target: Seen::Unknown(unseen()),
                canary: Seen::Unknown(unseen()),
                stable_template: Seen::Unknown(unseen()),
                return_template: Seen::Unknown(unseen()),
                autoscaler: Seen::Unknown(unseen()),
            }
        })
    }
}

/// What a revision keeps of a member.
pub fn member_of<'a>(revision: &'a Revision, deployment: &str) -> Option<&'a MemberRevision> {
    revision.members.iter().find(|m| m.deployment == deployment)
}

/// The Rollout as it would be if a member was its target. Under a router that keeps the candidate
/// apart a member has no candidate beside it.
pub fn view_of(rollout: &RolloutView, i: usize, uid: &str) -> RolloutView {
    let mut view = rollout.clone();
    let spec = &mut view.spec;
    let member = spec.target.with.get(i).cloned().unwrap_or_default();
    if let Some(to) = &mut spec.returns_to
        && let Some(m) = member_of(to, &member.deployment).cloned()
    {
        to.name = m.name;
        to.template_hash = m.template_hash;
    }
    if spec.strategy.router.isolates() {
        spec.strategy.router = RouterSpec::default();
    }
    spec.target_uid = uid.to_owned();
    spec.target = spec.target.as_target(&member);
    view
}

/// Rollout, observation and journal with a member in the target's place.
pub fn as_target(
    rollout: &RolloutView,
    seen: &Observation,
    journal: &Journal,
    i: usize,
) -> Option<(RolloutView, Observation, Journal)> {
    let kept = journal.members.get(i)?.clone();
    let view = view_of(rollout, i, &kept.stable.uid);
    let member = MemberSeen::of(seen, i);
    let observation = Observation {
        target: member.target,
        canary: member.canary,
        stable_template: member.stable_template,
        return_template: member.return_template,
        autoscaler: member.autoscaler,
        members: Vec::new(),
        ..seen.clone()
    };
    let own = Journal {
        stable: journal.stable.as_ref().map(|r| Revision {
            name: kept.stable.name.clone(),
            template_hash: kept.stable.template_hash.clone(),
            target_uid: kept.stable.uid.clone(),
            ..r.clone()
        }),
        candidate_template_hash: Some(kept.candidate_template_hash),
        autoscaler: kept.autoscaler,
        scaled: kept.scaled,
        total_replicas: Some(kept.total_replicas),
        claimed: kept.claimed,
        route: None,
        ..journal.clone()
    };
    Some((view, observation, own))
}

/// The journal after a part of the decision with a member in the target's place: what was decided and
/// noted stays, and each has its own again.
pub fn back_to_target(before: Journal, after: Journal, i: usize) -> Journal {
    let mut out = Journal {
        stable: before.stable,
        candidate_template_hash: before.candidate_template_hash,
        autoscaler: before.autoscaler,
        total_replicas: before.total_replicas,
        claimed: before.claimed,
        route: before.route,
        scaled: before.scaled,
        ..after
    };
    if let Some(kept) = out.members.get_mut(i) {
        kept.scaled = after.scaled;
        kept.claimed = after.claimed;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::ConfigSource;
    use crate::workload::ConfigVersion;

    #[test]
    fn what_a_journal_keeps_of_a_large_group_is_small() {
        let text = "x".repeat(63);
        let journal = Journal {
            members: vec![
                MemberJournal {
                    stable: MemberRevision {
                        deployment: text.clone(),
                        uid: "u".repeat(36),
                        name: text.clone(),
                        template_hash: "f".repeat(64),
                    },
                    candidate_template_hash: "f".repeat(64),
                    total_replicas: u32::MAX,
                    autoscaler: Some(text.clone()),
                    ..MemberJournal::default()
                };
                7
            ],
            config: vec![
                ConfigVersion::of(
                    &ConfigSource::ConfigMap(text.clone()),
                    "t",
                    &"u".repeat(36),
                    &"9".repeat(20),
                );
                8
            ],
            stale: vec![ConfigSource::ConfigMap("x".repeat(81)); 16],
            ..Journal::default()
        };
        let bytes = serde_json::to_vec(&journal).unwrap().len();
        assert!(bytes < 8 * 1024, "{bytes}");
    }
}
