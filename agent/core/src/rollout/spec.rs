//! What a Rollout is asked to do. Immutable: a change is a new Rollout.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisSpec;
use crate::image::facts::ImageFacts;
use crate::pipeline::{
    CheckSpec, Course, PluginUse, Revision, StrategySpec, TargetSpec, TriggerKind,
};
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
    /// What of the usual way is left out, and why it is loud. None: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Emergency>,
    /// Show the plan and who would have to agree, and change nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// How traffic moves.
    pub strategy: StrategySpec,
    /// What judges every step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckSpec>,
    /// Who is asked for approval beside the page, the CLI and kubectl: approval-provider plugins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<PluginUse>,
    /// Who is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<PluginUse>,
    /// What else it does on its way.
    #[serde(flatten)]
    pub course: Course,
    /// An exercise: it goes the whole way with the version that serves, and then back on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
}

/// What a person asked to leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Emergency {
    /// All traffic at once, still with every check (requirement A7).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_canary: bool,
    /// No window, freeze, age, order, timer or cap holds it, and the policy's `breakGlass` people
    /// stand in for the usual approvals (reliability.md A11).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

impl Emergency {
    /// None where nothing is left out.
    pub fn of(skip_canary: bool, break_glass: bool) -> Option<Self> {
        (skip_canary || break_glass).then_some(Self {
            skip_canary,
            break_glass,
        })
    }

    /// In capitals, for titles: nobody shall overlook it.
    pub fn shout(self) -> &'static str {
        match (self.skip_canary, self.break_glass) {
            (true, true) => "BREAKS THE GLASS, SKIPS THE CANARY",
            (false, true) => "BREAKS THE GLASS",
            (true, false) => "SKIPS THE CANARY",
            (false, false) => "",
        }
    }
}

impl RolloutSpec {
    /// What judges the candidate while it has this share of the traffic, in a step or in the watch
    /// after promotion. Nothing measures the way back: it must not depend on a plugin.
    pub fn analyses(&self, weight_bp: u16, watch: bool) -> Vec<AnalysisSpec> {
        match self.returns_to {
            Some(_) => Vec::new(),
            None => self.course.analyses(weight_bp, watch),
        }
    }

    /// `storefront → production`, for titles.
    pub fn title(&self) -> String {
        let plain = format!(
            "{} {} to {}",
            self.pipeline,
            self.image.tag.as_deref().unwrap_or(&self.image.digest),
            self.environment
        );
        match self.emergency {
            Some(emergency) => format!("{} · {plain}", emergency.shout()),
            None => plain,
        }
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
    /// What the image says of itself and who signed it, read once, when it was proposed.
    #[serde(default, skip_serializing_if = "ImageFacts::is_empty")]
    pub about: ImageFacts,
}

impl CandidateImage {
    /// An image of which nothing but its name is known yet.
    pub fn new(repository: String, tag: Option<String>, digest: String) -> Self {
        Self {
            repository,
            tag,
            digest,
            about: ImageFacts::default(),
        }
    }
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
