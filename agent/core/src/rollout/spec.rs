//! What a Rollout is asked to do. Immutable: a change is a new Rollout.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pipeline::{CheckSpec, PluginUse, Revision, StrategySpec, TargetSpec, TriggerKind};
use crate::policy::Identity;

/// The spec of a Rollout. Copied from the Pipeline, so that an edit there changes nothing in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutSpec {
    /// Name of the Pipeline, in the same namespace.
    pub pipeline: String,
    /// Name of the environment.
    pub environment: String,
    /// The workload.
    pub target: TargetSpec,
    /// uid of the target Deployment: a Deployment made anew is another target.
    pub target_uid: String,
    /// What goes there.
    pub image: CandidateImage,
    /// Who or what asked for it.
    pub cause: Cause,
    /// Set for the way back to a revision that served well here. It needs no vote and no window
    /// (T4) and no plugin plans it; it is still checked. Not set: a release, with every gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns_to: Option<Revision>,
    /// How traffic moves.
    pub strategy: StrategySpec,
    /// What judges every step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckSpec>,
    /// Who is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<PluginUse>,
}

impl RolloutSpec {
    /// `storefront → production`, for titles.
    pub fn title(&self) -> String {
        format!(
            "{} {} to {}",
            self.pipeline,
            self.image.tag.as_deref().unwrap_or(&self.image.digest),
            self.environment
        )
    }
}

/// An image, resolved once. The digest decides; the tag is for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CandidateImage {
    /// Repository without tag.
    pub repository: String,
    /// The tag by which it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// `sha256:…`
    pub digest: String,
}

/// Why there is a Rollout at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The trigger that proposed it.
    pub trigger: TriggerKind,
    /// Identity of the cause: a Request's uid, a scheduled instant, an attempt (W5).
    pub id: String,
    /// The person who asked, where one did. They may not approve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Identity>,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
