//! How long each phase took, and how a Rollout turned round.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Journal;
use crate::rollout::State;

/// Time spent in one phase. There are no more of these than phases: one that is entered again goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseTime {
    /// The phase.
    pub phase: String,
    /// Milliseconds.
    pub ms: u64,
}

/// How a Rollout turned round. It stays when the phase is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WentBack {
    /// Stable word: `check-failed`, `hook-failed`, `aborted`, …
    pub code: String,
    /// One sentence with the evidence.
    pub message: String,
    /// Whether the candidate itself was seen to be bad.
    pub candidate_failed: bool,
    /// The step in which it happened, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// Since when that step, or what comes before the first, was under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way_since: Option<Timestamp>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// When the stable version served alone again and everything was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

impl Journal {
    /// Counts the time since the phase before was entered, where it is another one now.
    pub(crate) fn count_phase(&mut self, before: &Self, created: Timestamp, now: Timestamp) {
        let phase = self.state.phase();
        if before.phase == phase {
            return;
        }
        let since = before.since.unwrap_or(created);
        let ms = u64::try_from(now.duration_since(since).as_millis()).unwrap_or(0);
        let left = if before.phase.is_empty() {
            State::Queued.phase()
        } else {
            before.phase.as_str()
        };
        match self.phases.iter_mut().find(|p| p.phase == left) {
            Some(time) => time.ms = time.ms.saturating_add(ms),
            None => self.phases.push(PhaseTime {
                phase: left.to_owned(),
                ms,
            }),
        }
        self.since = Some(now);
        if let Some(back) = &mut self.went_back
            && !matches!(self.state, State::RollingBack(_))
        {
            back.done_at.get_or_insert(now);
        }
    }
}
