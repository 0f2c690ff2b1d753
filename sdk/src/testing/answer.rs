//! Answers of the SDK's types, written as cases have them.

use serde_json::Value;
use sluice_case::answer;

use crate::{Error, Issue, Judgement, Measurement, Outcome, Report, Role, Status, Step};

/// An answer, or why there is none: with the code that the host gives it.
pub(super) fn of<T>(answer: Result<T, Error>, value: impl FnOnce(T) -> Value) -> Value {
    let (code, message) = match answer {
        Ok(answer) => return value(answer),
        Err(Error::InvalidConfig(why)) => ("invalid-config", why),
        Err(Error::Unavailable(why)) => ("unavailable", why),
        Err(Error::RateLimited(ms)) => ("rate-limited", format!("wait {ms} ms")),
        Err(Error::Denied(why)) => ("denied", why),
        Err(Error::Other(why)) => ("other", why),
    };
    answer::error(&format!("plugin/said-{code}"), &message)
}

pub(super) fn report(report: Report) -> Value {
    let checks = report.checks.iter().map(|check| {
        let outcome = outcome(check.outcome);
        answer::check(&check.name, outcome, &check.message, check.elapsed_ms)
    });
    answer::report(outcome(report.outcome), &report.summary, checks.collect())
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Skipped => "skipped",
    }
}

pub(super) fn measurement(measurement: Measurement) -> Value {
    let series = measurement.series.iter().map(|series| {
        let role = match series.role {
            Role::Stable => "stable",
            Role::Candidate => "candidate",
        };
        answer::series(role, series.events, series.total, series.value)
    });
    answer::measurement(series.collect(), &measurement.summary)
}

pub(super) fn status(status: Status) -> Value {
    match status {
        Status::Pending(ticket) => answer::pending(&ticket),
        Status::Expired => answer::expired(),
        Status::Decided(of) => {
            answer::decided(of.approved, &of.approver, &of.reason, &of.subject_digest)
        }
    }
}

pub(super) fn plan(steps: Vec<Step>) -> Value {
    answer::plan(steps.into_iter().map(|step| sluice_case::Step {
        name: step.name,
        weight_bp: step.weight_bp,
        capacity_replicas: step.capacity_replicas,
        hold_ms: step.hold_ms,
        checks: step.checks,
        gate: step.gate,
    }))
}

pub(super) fn judgement(judgement: Judgement) -> Value {
    match judgement {
        Judgement::Proceed => answer::proceed(),
        Judgement::Hold(ms) => answer::hold(ms),
        Judgement::Rollback(why) => answer::rollback(&why),
    }
}

pub(super) fn issues(issues: &[Issue]) -> Value {
    let issues = issues
        .iter()
        .map(|issue| answer::issue(&issue.pointer, &issue.message, issue.hint.as_deref()));
    answer::issues(issues.collect())
}
