//! The four custom resources. Their specs are the types of `core`; this file only gives them a kind,
//! and `crd/rules.rs` what the API server refuses of them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResource, CustomResourceExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluice_core::approval::{Channel, Decision};
use sluice_core::pipeline::{PipelineSpec, PipelineStatus};
use sluice_core::policy::IdentityProvider;
use sluice_core::rollout::{Journal, RolloutSpec};

mod person;
mod phases;
mod rules;

pub use person::created;

/// The definitions that a cluster must know, with every rule that its API server holds.
pub fn definitions() -> [CustomResourceDefinition; 4] {
    [
        Pipeline::crd(),
        Rollout::crd(),
        Approval::crd(),
        Request::crd(),
    ]
    .map(rules::add)
}

/// The standing definition of a delivery.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Pipeline",
    plural = "pipelines",
    namespaced,
    status = "PipelineStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Image","type":"string","jsonPath":".spec.image.repository"}"#
)]
pub struct PipelineBody {
    /// What people write.
    #[serde(flatten)]
    pub body: PipelineSpec,
}

/// One deployment of one digest to one environment. Its name is the deployment id.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Rollout",
    plural = "rollouts",
    namespaced,
    status = "Journal",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Environment","type":"string","jsonPath":".spec.environment"}"#,
    printcolumn = r#"{"name":"Tag","type":"string","jsonPath":".spec.image.tag"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Why","type":"string","jsonPath":".status.message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
pub struct RolloutBody {
    /// What it is asked to do.
    #[serde(flatten)]
    pub body: RolloutSpec,
}

/// One person's vote on one Rollout, bound to its approval hash.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Approval",
    plural = "approvals",
    namespaced,
    derive = "PartialEq",
    printcolumn = r#"{"name":"Rollout","type":"string","jsonPath":".spec.rollout"}"#,
    printcolumn = r#"{"name":"Approver","type":"string","jsonPath":".spec.approver"}"#,
    printcolumn = r#"{"name":"Decision","type":"string","jsonPath":".spec.decision"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalBody {
    /// Name of the Rollout, in the same namespace.
    pub rollout: String,
    /// Its uid.
    pub rollout_uid: String,
    /// The approval hash that was shown (reliability.md A2).
    pub hash: String,
    /// Name of the voter. The API server pins it to whoever writes; only the agent names others.
    pub approver: String,
    /// Who vouches for that name.
    #[serde(default, skip_serializing_if = "IdentityProvider::is_kubernetes")]
    pub provider: IdentityProvider,
    /// The voter's groups at the time of the vote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Yes or no.
    pub decision: Decision,
    /// The door through which it came.
    #[serde(default)]
    pub channel: Channel,
    /// What the voter said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One person's wish. Immutable; only the agent acts on it.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Request",
    plural = "requests",
    namespaced,
    status = "RequestStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Action","type":"string","jsonPath":".spec.action"}"#,
    printcolumn = r#"{"name":"By","type":"string","jsonPath":".spec.requester"}"#,
    printcolumn = r#"{"name":"Answer","type":"string","jsonPath":".status.message"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct RequestBody {
    /// The wish.
    pub action: RequestAction,
    /// Name of the Pipeline, for wishes about an environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Name of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Name of the Rollout, for wishes about one under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The tag to deploy or to go back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest to deploy, to go back to or to lift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Go to all traffic at once: no canary first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_canary: bool,
    /// Do not wait for windows, age, timers and the usual approvals.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Show what would happen and change nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// When a global stop lifts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<jiff::Timestamp>,
    /// Name of whoever asks. The API server pins it to whoever writes; only the agent names others.
    pub requester: String,
    /// Who vouches for that name.
    #[serde(default, skip_serializing_if = "IdentityProvider::is_kubernetes")]
    pub provider: IdentityProvider,
    /// The person's groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The door through which it came.
    #[serde(default)]
    pub channel: Channel,
}

/// Everything that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RequestAction {
    /// Deploy a tag or digest to an environment.
    Deploy,
    /// Put the stable version back; with no Rollout under way: go back to an earlier revision.
    Rollback,
    /// Stop a Rollout and put the stable version back.
    Abort,
    /// Start no further step of a Rollout.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Skip the hold, or open the gate before the next step.
    Promote,
    /// Let a digest that ended badly be tried again.
    Retry,
    /// Let a quarantined digest be proposed again.
    LiftQuarantine,
    /// Take the target as it stands now, if it is healthy, as the stable version.
    Adopt,
    /// Hold a drill: the version that serves goes the whole way, and then back on purpose.
    Drill,
    /// Hold everything but rollbacks.
    Stop,
    /// Lift the global stop.
    Start,
}

/// What became of a wish.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestStatus {
    /// Whether it was taken up.
    pub state: RequestState,
    /// One sentence, or every reason against it.
    pub message: String,
    /// The Rollout that came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// Epoch of the leader that wrote this.
    #[serde(skip_serializing_if = "sluice_core::lease::unfenced")]
    pub epoch: u64,
}

/// Whether a wish was taken up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RequestState {
    /// Not looked at yet.
    #[default]
    Pending,
    /// Taken up.
    Accepted,
    /// Refused, for the reasons in the message.
    Refused,
}

#[cfg(test)]
mod tests;
