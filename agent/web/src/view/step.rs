//! The plan as a line of steps, and how traffic is shared now.

use schemars::JsonSchema;
use serde::Serialize;
use sluice_core::pipeline::OutcomeKind;
use sluice_core::rollout::{Journal, Stage, State};
use sluice_core::router::{ALL_TRAFFIC, percent};

use super::time::span;

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepView {
    /// Its name in the plan.
    pub(crate) name: String,
    /// The share that the router announces, such as `10 %`.
    pub(crate) share: String,
    /// The same in basis points.
    pub(crate) share_bp: u16,
    /// The wish, where the router cannot give exactly that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wished: Option<String>,
    /// Pods of the candidate and of the stable version.
    pub(crate) pods: String,
    /// How long it is watched.
    pub(crate) hold: String,
    /// Whether checks run in it.
    pub(crate) checks: bool,
    /// Who opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gate: Option<String>,
    /// Where it stands.
    pub(crate) place: Place,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Place {
    /// Not reached.
    Ahead,
    /// Under way.
    Now,
    /// Over.
    Done,
    /// Ended here, badly.
    Failed,
}

impl Place {
    /// For the style sheet and for screen readers.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Now => "now",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// How traffic is shared now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Split {
    /// Share of the candidate that is announced, in basis points.
    pub(crate) candidate_bp: u16,
    /// In words.
    pub(crate) text: String,
}

impl Split {
    /// For the width of a bar, in hundredths.
    pub(crate) fn candidate_width(&self) -> u16 {
        self.candidate_bp / 100
    }
}

/// The steps of the plan, if there is one yet.
pub(crate) fn steps(journal: &Journal) -> Vec<StepView> {
    let Some(plan) = &journal.plan else {
        return Vec::new();
    };
    let promotes = plan.steps.len().saturating_sub(1);
    plan.steps
        .iter()
        .enumerate()
        .map(|(index, planned)| StepView {
            name: planned.step.name.clone(),
            share: percent(planned.achieved_bp),
            share_bp: planned.achieved_bp,
            wished: (planned.achieved_bp != planned.step.weight_bp)
                .then(|| percent(planned.step.weight_bp)),
            pods: if index == promotes {
                format!("{} new", planned.stable_replicas)
            } else {
                format!(
                    "{} new + {} old",
                    planned.candidate_replicas, planned.stable_replicas
                )
            },
            hold: span(planned.step.hold_ms),
            checks: planned.step.checks,
            gate: planned.step.gate.clone(),
            place: place(&journal.state, index),
        })
        .collect()
}

fn place(state: &State, index: usize) -> Place {
    let against = |current: u32, here: Place| {
        let current = usize::try_from(current).unwrap_or(usize::MAX);
        match index.cmp(&current) {
            std::cmp::Ordering::Less => Place::Done,
            std::cmp::Ordering::Equal => here,
            std::cmp::Ordering::Greater => Place::Ahead,
        }
    };
    match state {
        State::Queued
        | State::Planning { .. }
        | State::AwaitingApproval
        | State::Preparing(_)
        | State::Recording(_) => Place::Ahead,
        State::Progressing(step) | State::Promoting(step) | State::Watching(step) => {
            against(step.index, Place::Now)
        }
        State::Finishing(_) => Place::Done,
        State::RollingBack(reason) => match reason.step {
            Some(step) => against(step, Place::Failed),
            None => Place::Ahead,
        },
        State::Ended(end) if end.kind == OutcomeKind::Succeeded => Place::Done,
        State::Ended(_) => Place::Ahead,
    }
}

/// The announced share, while traffic is or was just being shared.
pub(crate) fn split(journal: &Journal) -> Option<Split> {
    let steps = &journal.plan.as_ref()?.steps;
    let share = |index: u32| {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        steps.get(index).map_or(0, |s| s.achieved_bp)
    };
    match &journal.state {
        State::Progressing(step) | State::Promoting(step) | State::Watching(step) => {
            let target = share(step.index);
            let before = step.index.checked_sub(1).map_or(0, share);
            Some(match &step.stage {
                Stage::Shift => Split {
                    candidate_bp: before,
                    text: format!("moves from {} to {}", percent(before), percent(target)),
                },
                Stage::Check { .. } | Stage::Hold { .. } | Stage::Judge { .. } => Split {
                    candidate_bp: target,
                    text: format!("{} of the traffic", percent(target)),
                },
            })
        }
        State::RollingBack(_) => Some(Split {
            candidate_bp: 0,
            text: "goes back to 0 %".to_owned(),
        }),
        State::Finishing(_) => Some(Split {
            candidate_bp: ALL_TRAFFIC,
            text: format!("{} of the traffic", percent(ALL_TRAFFIC)),
        }),
        State::Ended(end) if end.kind == OutcomeKind::Succeeded => Some(Split {
            candidate_bp: ALL_TRAFFIC,
            text: format!("{} of the traffic", percent(ALL_TRAFFIC)),
        }),
        State::Queued
        | State::Planning { .. }
        | State::AwaitingApproval
        | State::Preparing(_)
        | State::Recording(_)
        | State::Ended(_) => None,
    }
}
