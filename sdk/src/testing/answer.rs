//! Answers as values of the contract, in its spelling: what cases are compared with.

use serde_json::{Value, json};

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
    json!({"error": {"code": format!("plugin/said-{code}"), "message": message}})
}

pub(super) fn report(report: Report) -> Value {
    let checks: Vec<Value> = report
        .checks
        .iter()
        .map(|check| {
            json!({
                "name": check.name,
                "outcome": outcome(check.outcome),
                "message": check.message,
                "elapsed-ms": check.elapsed_ms,
            })
        })
        .collect();
    json!({
        "outcome": outcome(report.outcome),
        "summary": report.summary,
        "checks": checks,
    })
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
    let series: Vec<Value> = measurement
        .series
        .iter()
        .map(|series| {
            let role = match series.role {
                Role::Stable => "stable",
                Role::Candidate => "candidate",
            };
            json!({
                "role": role,
                "events": series.events,
                "total": series.total,
                "value": series.value,
            })
        })
        .collect();
    json!({"series": series, "summary": measurement.summary})
}

pub(super) fn status(status: Status) -> Value {
    match status {
        Status::Pending(ticket) => json!({ "pending": ticket }),
        Status::Expired => json!({"expired": true}),
        Status::Decided(decision) => json!({"decided": {
            "approved": decision.approved,
            "approver": decision.approver,
            "reason": decision.reason,
            "subject-digest": decision.subject_digest,
        }}),
    }
}

pub(super) fn plan(steps: &[Step]) -> Value {
    let steps: Vec<Value> = steps
        .iter()
        .map(|step| {
            json!({
                "name": step.name,
                "weight-bp": step.weight_bp,
                "capacity-replicas": step.capacity_replicas,
                "hold-ms": step.hold_ms,
                "checks": step.checks,
                "gate": step.gate,
            })
        })
        .collect();
    json!({ "steps": steps })
}

pub(super) fn judgement(judgement: Judgement) -> Value {
    match judgement {
        Judgement::Proceed => json!({"proceed": true}),
        Judgement::Hold(ms) => json!({ "hold": ms }),
        Judgement::Rollback(why) => json!({ "rollback": why }),
    }
}

pub(super) fn issues(issues: &[Issue]) -> Value {
    let issues: Vec<Value> = issues
        .iter()
        .map(|issue| {
            json!({
                "pointer": issue.pointer,
                "message": issue.message,
                "hint": issue.hint,
            })
        })
        .collect();
    json!({ "issues": issues })
}
