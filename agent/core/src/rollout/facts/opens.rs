//! What opens the gate, in one sentence.

use jiff::Timestamp;

use super::FactsState;
use crate::approval::Tally;
use crate::policy::EnvironmentPolicy;
use crate::rollout::decide::later;
use crate::rollout::{Journal, State, Why, clock};
use crate::stop::Stop;

pub(super) fn sentence(
    journal: &Journal,
    rules: Option<&EnvironmentPolicy>,
    stop: Option<&Stop>,
    tally: &Tally,
    state: FactsState,
    now: Timestamp,
) -> String {
    match state {
        FactsState::Open | FactsState::Approved => {}
        // The engine's own sentence says where it is.
        FactsState::Waiting | FactsState::Begun | FactsState::Closed | FactsState::Superseded => {
            return match &journal.state {
                State::Recording(ending) => ending.message.clone(),
                State::Ended(end) => end.message.clone(),
                State::Queued
                | State::Planning { .. }
                | State::AwaitingApproval
                | State::Preparing(_)
                | State::Progressing(_)
                | State::Promoting(_)
                | State::Watching(_)
                | State::Finishing(_)
                | State::RollingBack(_) => journal.message.clone(),
            };
        }
    }
    if let Some(no) = &tally.rejected_by {
        return format!("rejected by {} ({}): {}", no.person, no.role, no.reason);
    }
    let mut parts = Vec::new();
    if let Some(rules) = rules {
        votes(journal, rules, tally, now, &mut parts);
        let window = rules.windows.evaluate(now);
        if !window.open {
            parts.push(match window.changes_at {
                Some(at) => format!("the window opens at {} ({})", clock(&at), window.reason),
                None => format!("the window is closed: {}", window.reason),
            });
        }
    }
    if let Some(stop) = stop {
        let why = Why::Stopped {
            by: stop.by.clone(),
            reason: stop.reason.clone(),
            until: stop.until,
        };
        parts.push(why.to_string());
    }
    if let Some(other) = journal.why.as_ref().filter(|why| told_by_engine(why, stop)) {
        parts.push(other.to_string());
    }
    if parts.is_empty() {
        "nothing stands in the way".to_owned()
    } else {
        parts.join("; ")
    }
}

fn votes(
    journal: &Journal,
    rules: &EnvironmentPolicy,
    tally: &Tally,
    now: Timestamp,
    parts: &mut Vec<String>,
) {
    let Some(request) = &journal.approval else {
        return;
    };
    let timer = rules.approvals.wait_timer;
    if !tally.missing.is_empty() {
        parts.push(format!(
            "waits for a vote of {} until {}",
            tally.missing.join(" and "),
            clock(&request.expires_at)
        ));
        if timer.as_millis() > 0 {
            parts.push(format!("then {timer} pass"));
        }
        return;
    }
    let opened_at = tally.opened_at.unwrap_or(request.requested_at);
    let timer = i64::try_from(timer.as_millis()).unwrap_or(i64::MAX);
    let until = later(opened_at.max(request.requested_at), timer);
    if now < until {
        parts.push(format!("the wait timer runs until {}", clock(&until)));
    }
}

/// Whether the engine holds for a reason that is not looked at here anew.
fn told_by_engine(why: &Why, stop: Option<&Stop>) -> bool {
    match why {
        Why::WaitsForRollout { .. }
        | Why::NoBaseline
        | Why::Closed { .. }
        | Why::PluginMissing { .. }
        | Why::WaitsForSlot { .. }
        | Why::Claimed { .. }
        | Why::TooYoung { .. }
        | Why::CannotSee { .. }
        | Why::NotReady { .. }
        | Why::Paused { .. } => true,
        Why::Stopped { .. } => stop.is_none(),
        Why::AskingForPlan { .. }
        | Why::StrategyUnavailable { .. }
        | Why::WaitsForVotes { .. }
        | Why::WaitsForTimer { .. }
        | Why::WindowClosed { .. }
        | Why::Drifted { .. }
        | Why::Rescaled { .. }
        | Why::MovesPods { .. }
        | Why::WaitsForPods { .. }
        | Why::Checking { .. }
        | Why::CheckInconclusive { .. }
        | Why::Holds { .. }
        | Why::Judging { .. }
        | Why::StrategyHolds { .. }
        | Why::WaitsForGate { .. }
        | Why::Prepares
        | Why::RunsHook { .. }
        | Why::ShiftsTraffic { .. }
        | Why::Analysing { .. }
        | Why::AnalysisInconclusive { .. }
        | Why::FailedHolds { .. }
        | Why::Watches { .. }
        | Why::Finishes { .. }
        | Why::Records
        | Why::RollsBack { .. }
        | Why::Ended { .. } => false,
    }
}
