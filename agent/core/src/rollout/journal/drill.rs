//! How fast a drill went, for its report.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Journal;
use crate::rollout::{Stage, State};

/// Word of the way back with which a drill ends as planned.
pub const DRILL_CODE: &str = "drill";

/// When a drill got how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DrillTimes {
    /// When the pods of the first step were ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// When all traffic was where the plan wants it in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switched_at: Option<Timestamp>,
}

/// What became of a drill. Seconds count from the first change, those of the way back from its own
/// beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrillReport {
    /// Whether it went the whole way and came back by itself, and not because of anything found.
    pub as_planned: bool,
    /// Seconds until the pods of the first step were ready.
    pub ready: Option<f64>,
    /// Seconds until all traffic was where the plan wants it in the end.
    pub switched: Option<f64>,
    /// Seconds that the way back took.
    pub back: Option<f64>,
}

impl Journal {
    /// Notes how far a drill is, the first time that it is.
    pub(crate) fn time_drill(&mut self, now: Timestamp) {
        let planned_back = self
            .went_back
            .as_ref()
            .is_some_and(|back| back.code == DRILL_CODE);
        let steps = self.plan.as_ref().map_or(0, |plan| plan.steps.len());
        let (shifted, index) = match &self.state {
            State::Progressing(step) | State::Promoting(step) | State::Watching(step) => {
                let done = !matches!(step.stage, Stage::Shift);
                (done, usize::try_from(step.index).unwrap_or(usize::MAX))
            }
            State::Queued
            | State::Planning { .. }
            | State::AwaitingApproval
            | State::Preparing(_)
            | State::Finishing(_)
            | State::RollingBack(_)
            | State::Recording(_)
            | State::Ended(_) => (false, 0),
        };
        let mut times = self.drill.unwrap_or_default();
        if planned_back || index > 0 || shifted {
            times.ready_at.get_or_insert(now);
        }
        if planned_back || (shifted && index.saturating_add(1) >= steps) {
            times.switched_at.get_or_insert(now);
        }
        self.drill = Some(times);
    }

    /// What became of a drill, as far as it is over. None: it is none.
    pub fn drill_report(&self) -> Option<DrillReport> {
        let times = self.drill?;
        let seconds = |from: Option<Timestamp>, to: Option<Timestamp>| {
            Some(to?.duration_since(from?).as_millis() as f64 / 1000.0)
        };
        let back = self.went_back.as_ref();
        Some(DrillReport {
            as_planned: back.is_some_and(|back| back.code == DRILL_CODE && back.done_at.is_some()),
            ready: seconds(self.started_at, times.ready_at),
            switched: seconds(self.started_at, times.switched_at),
            back: back.and_then(|back| seconds(Some(back.decided_at), back.done_at)),
        })
    }
}
