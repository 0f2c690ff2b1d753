//! The phases of a Rollout, each with the data it needs and no more.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pipeline::OutcomeKind;
use crate::plugin::Report;

/// Where a Rollout is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "phase", rename_all_fields = "camelCase")]
#[schemars(transform = crate::structural::one_object)]
pub enum State {
    /// Waits for its turn at the target.
    #[default]
    Queued,
    /// The strategy is asked for a plan.
    Planning {
        /// How often it has been asked.
        attempt: u32,
        /// Not asked again before.
        not_before: Timestamp,
    },
    /// Everything is ready to sign; the gate is closed: votes, timer, windows.
    AwaitingApproval,
    /// What has to be done before traffic moves: copies of configuration, hooks.
    Preparing(Preparing),
    /// Traffic is being shared with the candidate.
    Progressing(StepState),
    /// The candidate becomes the stable version.
    Promoting(StepState),
    /// The candidate serves and is watched: it still goes back by itself, and where the old version
    /// was kept, at once. The step is the last one.
    Watching(StepState),
    /// It stays: what was kept for the way back is cleared up, and the last hooks run.
    Finishing(Finishing),
    /// The stable revision is being put back.
    RollingBack(BackReason),
    /// The end is decided and is being written to the Pipeline, which outlives the Rollout.
    Recording(Ending),
    /// Over.
    Ended(End),
}

impl State {
    /// The phase's name, for columns, labels and metrics.
    pub fn phase(&self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Planning { .. } => "Planning",
            Self::AwaitingApproval => "AwaitingApproval",
            Self::Progressing(_) => "Progressing",
            Self::Promoting(_) => "Promoting",
            Self::Preparing(_) => "Preparing",
            Self::Watching(_) => "Watching",
            Self::Finishing(_) => "Finishing",
            Self::RollingBack(_) => "RollingBack",
            Self::Recording(_) => "Recording",
            Self::Ended(end) => end.kind.phase(),
        }
    }

    /// Whether anything in the target may have been changed by this Rollout and is not settled yet.
    pub fn begun(&self) -> bool {
        matches!(
            self,
            Self::Preparing(_)
                | Self::Progressing(_)
                | Self::Promoting(_)
                | Self::Watching(_)
                | Self::Finishing(_)
                | Self::RollingBack(_)
        )
    }

    /// Whether stable and candidate share the traffic by their numbers of pods.
    pub fn shares(&self) -> bool {
        matches!(self, Self::Progressing(_))
    }

    /// Whether it is over.
    pub fn ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// The same phase with the step as it is now.
    #[must_use]
    pub fn with_step(&self, step: StepState) -> Self {
        match self {
            Self::Promoting(_) => Self::Promoting(step),
            Self::Watching(_) => Self::Watching(step),
            Self::Progressing(_)
            | Self::Preparing(_)
            | Self::Finishing(_)
            | Self::Queued
            | Self::Planning { .. }
            | Self::AwaitingApproval
            | Self::RollingBack(_)
            | Self::Recording(_)
            | Self::Ended(_) => Self::Progressing(step),
        }
    }

    /// How it ends, once that is decided.
    pub fn outcome(&self) -> Option<OutcomeKind> {
        match self {
            Self::Recording(ending) => Some(ending.kind),
            Self::Ended(end) => Some(end.kind),
            Self::Queued
            | Self::Planning { .. }
            | Self::AwaitingApproval
            | Self::Preparing(_)
            | Self::Progressing(_)
            | Self::Promoting(_)
            | Self::Watching(_)
            | Self::Finishing(_)
            | Self::RollingBack(_) => None,
        }
    }

    /// The step that is under way.
    pub fn step(&self) -> Option<&StepState> {
        match self {
            Self::Progressing(s) | Self::Promoting(s) | Self::Watching(s) => Some(s),
            Self::Preparing(_)
            | Self::Finishing(_)
            | Self::Queued
            | Self::Planning { .. }
            | Self::AwaitingApproval
            | Self::RollingBack(_)
            | Self::Recording(_)
            | Self::Ended(_) => None,
        }
    }
}

impl OutcomeKind {
    /// The name of the phase that this end is.
    pub fn phase(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::RolledBack => "RolledBack",
            Self::Refused => "Refused",
            Self::Rejected => "Rejected",
            Self::Expired => "Expired",
            Self::Superseded => "Superseded",
            Self::Cancelled => "Cancelled",
            Self::Failed => "Failed",
            Self::Planned => "Planned",
        }
    }
}

/// What comes before the first step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preparing {
    /// Since when.
    pub since: Timestamp,
}

/// What comes when nothing goes back any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finishing {
    /// Since when.
    pub since: Timestamp,
}

/// A step under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepState {
    /// Index into the plan, from 0.
    pub index: u32,
    /// What of the step is being done.
    pub stage: Stage,
    /// Since when the step is under way, or since its pods were last seen unwell.
    pub since: Timestamp,
    /// How often pods that had been ready were not any more.
    #[serde(default)]
    pub relapses: u32,
    /// Whether a person asked to go on: ends the hold and opens the gate before the next step.
    #[serde(default)]
    pub promoted: bool,
}

/// The stages of a step, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all_fields = "camelCase")]
#[schemars(transform = crate::structural::one_object)]
pub enum Stage {
    /// The gates are looked at once more before exposure grows (W11), then pods are moved and
    /// become ready.
    Shift,
    /// The checks run.
    Check {
        /// One entry per check of the environment.
        runs: Vec<CheckRun>,
        /// Since when.
        since: Timestamp,
    },
    /// Everything passed; the step is watched for a while.
    Hold {
        /// Until when.
        until: Timestamp,
    },
    /// The strategy is asked whether to go on.
    Judge {
        /// How often it has been asked.
        attempt: u32,
        /// Not asked again before.
        not_before: Timestamp,
        /// Questions in a row that brought no answer.
        faults: u32,
        /// Whether it agreed to go on.
        proceed: bool,
    },
}

/// One check within a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckRun {
    /// The label of the check.
    pub name: String,
    /// How often it has been started.
    pub attempt: u32,
    /// Not started again before.
    pub not_before: Timestamp,
    /// The newest answer, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// Whether that answer satisfies the check.
    pub passed: bool,
}

/// Why a Rollout is rolled back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackReason {
    /// Stable word: `check-failed`, `not-ready`, `aborted`, `superseded`, …
    pub code: String,
    /// One sentence with the evidence.
    pub message: String,
    /// Whether the candidate itself was seen to be bad: then its digest is quarantined (D1).
    pub candidate_failed: bool,
    /// The step in which it happened, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// Since when.
    pub since: Timestamp,
    /// How the Rollout ends when the stable revision serves again.
    pub ends_as: OutcomeKind,
}

/// An end that is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// The outcome.
    pub kind: OutcomeKind,
    /// One sentence.
    pub message: String,
    /// Why the digest is quarantined, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
}

/// How and when it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// The outcome.
    pub kind: OutcomeKind,
    /// One sentence.
    pub message: String,
    /// When.
    pub at: Timestamp,
}
