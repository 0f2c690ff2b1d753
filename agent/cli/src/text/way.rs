//! The way of a Rollout for people: its parts with the earliest instants, hooks and metrics.

use sluice_core::analysis::AnalysisRun;
use sluice_core::hook::{HookRun, HookState};
use sluice_core::plan::Plan;
use sluice_core::plan::outline::{Outline, Part};

use super::rollout::verdict;
use super::when;

/// One line per part: when it begins at the earliest, counted from the start, and what happens.
pub(crate) fn parts(way: &Outline, plan: &Plan) -> Vec<String> {
    let widest = way.parts.iter().map(|part| part.from().chars().count());
    let width = widest.max().unwrap_or(0);
    way.parts
        .iter()
        .map(|part| format!("{:>width$}  {}", part.from(), part_text(part, plan)))
        .collect()
}

/// What happens in a part; a step with its number and name.
pub(crate) fn part_text(part: &Part, plan: &Plan) -> String {
    match part.step {
        Some(step) => format!(
            "step {} of {} ({}): {}",
            step + 1,
            plan.steps.len(),
            part.name,
            part.text
        ),
        None if part.most_ms.is_some() => {
            format!("{} ({}): {}", part.kind.word(), part.name, part.text)
        }
        None => format!("{}: {}", part.kind.word(), part.text),
    }
}

/// How long all of it takes, and how it goes back.
pub(crate) fn promise(way: &Outline) -> String {
    format!("{}; {}", way.takes(), way.way_back())
}

/// A hook that had its turn, with what it said.
pub(crate) fn hook(run: &HookRun) -> String {
    let how = match run.state {
        HookState::Wanted | HookState::Starting => "is being started",
        HookState::Running => "runs",
        HookState::Succeeded => "succeeded",
        HookState::Failed => "failed",
        HookState::NeverStarted => "was never started",
    };
    let took = match (run.started_at, run.ended_at) {
        (Some(from), Some(to)) => format!(" in {}", when::between(from, to)),
        (Some(from), None) => format!(
            " since {}, at most until {}",
            when::time(from),
            when::time(run.until)
        ),
        (None, _) => String::new(),
    };
    let mut out = format!(
        "{}  {} ({}, Job {}) {how}{took}",
        when::time(run.since),
        run.name,
        run.when.as_str(),
        run.job
    );
    if !run.message.is_empty() {
        out.push_str(&format!(": {}", run.message));
    }
    if run.verified {
        out.push_str("\n            verified");
    }
    if !run.result.is_empty() {
        out.push_str(&format!("\n            said {}", one_line(&run.result)));
    }
    if let Some(restore) = &run.restore {
        out.push_str(&format!("\n            to restore: {}", one_line(restore)));
    }
    if run.state == HookState::Failed {
        for line in run
            .log
            .lines()
            .rev()
            .take(LOG_LINES)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            out.push_str(&format!("\n            | {line}"));
        }
    }
    out
}

/// An analysis with its newest figures.
pub(crate) fn metric(run: &AnalysisRun) -> String {
    let mut counts = format!(
        "{} passed in this step, {} failed in all",
        run.passes, run.failures
    );
    if run.inconclusive > 0 {
        counts.push_str(&format!(", {} in a row said nothing", run.inconclusive));
    }
    let said = match (&run.failed, &run.last) {
        (Some(why), _) => format!("failed: {why}"),
        (None, Some(look)) => format!("{}: {}", verdict(look.outcome), look.summary),
        (None, None) => "has no window yet".to_owned(),
    };
    let at = run
        .last
        .as_ref()
        .map_or_else(|| when::time(run.since), |look| when::time(look.at));
    format!("{at}  {} {said}\n            windows: {counts}", run.name)
}

/// Lines of a failed hook's log that are shown; all that is kept stands in `-o json`.
const LOG_LINES: usize = 5;

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
