//! What is kept and seen of a workload that goes in lockstep with the target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rollout::{Scaled, Seen, WorkloadSeen};

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
