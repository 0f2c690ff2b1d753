//! Where a Rollout stands on its way, and the earliest instants of what is to come.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outline, Part, PartKind};
use crate::hook::{HookRun, HookWhen};
use crate::pipeline::OutcomeKind;
use crate::rollout::{Journal, Stage, State};

/// Where a part of the way stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// Over.
    Done,
    /// Under way, or where it ended.
    Now,
    /// To come, or never reached.
    Later,
}

/// A part's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Where it stands.
    pub place: Place,
    /// When it begins at the earliest, where it is to come and the Rollout has begun.
    pub at: Option<Timestamp>,
}

impl Outline {
    /// Where each part stands, in the order of the parts.
    pub fn stands(&self, journal: &Journal, now: Timestamp) -> Vec<Stand> {
        let end = self.end_of_present(journal, now);
        let stand = |part: &Part| {
            let place = place(part, journal);
            let at = end
                .filter(|_| place == Place::Later)
                .and_then(|(end_ms, at)| {
                    let more = part.from_ms.saturating_sub(end_ms);
                    let more = SignedDuration::from_millis(i64::try_from(more).ok()?);
                    at.checked_add(more).ok()
                });
            Stand { place, at }
        };
        self.parts.iter().map(stand).collect()
    }

    /// The end of the present part: as it was planned, and the instant at which it comes at the
    /// earliest.
    fn end_of_present(&self, journal: &Journal, now: Timestamp) -> Option<(u64, Timestamp)> {
        match &journal.state {
            State::Preparing(_) => Some((0, now)),
            State::Progressing(step) | State::Promoting(step) => {
                let part = self
                    .parts
                    .iter()
                    .find(|part| part.step == Some(step.index))?;
                let rest = rest(&step.stage, part.least_ms, now);
                let at = now.checked_add(SignedDuration::from_millis(i64::try_from(rest).ok()?));
                Some((part.from_ms.saturating_add(part.least_ms), at.ok()?))
            }
            State::Watching(step) => match &step.stage {
                Stage::Hold { until } => Some((self.least_ms, now.max(*until))),
                Stage::Shift | Stage::Check { .. } | Stage::Judge { .. } => None,
            },
            State::Queued
            | State::Planning { .. }
            | State::AwaitingApproval
            | State::Finishing(_)
            | State::RollingBack(_)
            | State::Recording(_)
            | State::Ended(_) => None,
        }
    }
}

/// What is left of a step that takes `least` milliseconds: its hold begins when its checks are over.
pub(in crate::plan) fn rest(stage: &Stage, least: u64, now: Timestamp) -> u64 {
    match stage {
        Stage::Shift | Stage::Check { .. } => least,
        Stage::Hold { until } => u64::try_from(until.duration_since(now).as_millis()).unwrap_or(0),
        Stage::Judge { .. } => 0,
    }
}

fn place(part: &Part, journal: &Journal) -> Place {
    let run = |when: HookWhen| journal.hooks.iter().find(|run| run.is(&part.name, when));
    let hook = |when: HookWhen| run(when).map_or(Place::Later, of_run);
    let step = |at: u32| match part.kind {
        PartKind::Config | PartKind::Before => Place::Done,
        PartKind::Step | PartKind::Promotion => match part.step.unwrap_or(0).cmp(&at) {
            std::cmp::Ordering::Less => Place::Done,
            std::cmp::Ordering::Equal => Place::Now,
            std::cmp::Ordering::Greater => Place::Later,
        },
        PartKind::Watch | PartKind::Kept | PartKind::Return | PartKind::After => Place::Later,
    };
    match &journal.state {
        State::Queued | State::Planning { .. } | State::AwaitingApproval => Place::Later,
        State::Preparing(_) => match part.kind {
            PartKind::Before => hook(HookWhen::Before),
            PartKind::Config if journal.hooks.is_empty() => Place::Now,
            PartKind::Config => Place::Done,
            PartKind::Step
            | PartKind::Promotion
            | PartKind::Watch
            | PartKind::Kept
            | PartKind::Return
            | PartKind::After => Place::Later,
        },
        State::Progressing(at) | State::Promoting(at) => step(at.index),
        State::Watching(_) => match part.kind {
            PartKind::Watch | PartKind::Kept => Place::Now,
            PartKind::After | PartKind::Return => Place::Later,
            PartKind::Config | PartKind::Before | PartKind::Step | PartKind::Promotion => {
                Place::Done
            }
        },
        State::Finishing(_) => match part.kind {
            PartKind::After => hook(HookWhen::After),
            PartKind::Return => Place::Now,
            PartKind::Config
            | PartKind::Before
            | PartKind::Step
            | PartKind::Promotion
            | PartKind::Watch
            | PartKind::Kept => Place::Done,
        },
        State::RollingBack(back) => match (part.kind, back.step) {
            (PartKind::Before, _) => hook(HookWhen::Before),
            (PartKind::Return, _) => Place::Now,
            (_, Some(at)) => step(at),
            (_, None) => Place::Later,
        },
        State::Recording(ending) => ended(part, ending.kind, journal),
        State::Ended(end) => ended(part, end.kind, journal),
    }
}

/// How far what is over got: everything where it succeeded, else what the journal says of Jobs.
fn ended(part: &Part, kind: OutcomeKind, journal: &Journal) -> Place {
    if kind == OutcomeKind::Succeeded {
        return Place::Done;
    }
    let mut runs = journal.hooks.iter().filter(|run| run.name == part.name);
    match part.kind {
        PartKind::Before | PartKind::After => runs.next().map_or(Place::Later, of_run),
        PartKind::Config
        | PartKind::Step
        | PartKind::Promotion
        | PartKind::Watch
        | PartKind::Kept
        | PartKind::Return => Place::Later,
    }
}

fn of_run(run: &HookRun) -> Place {
    if run.ended() { Place::Done } else { Place::Now }
}
