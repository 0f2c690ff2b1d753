//! Answers as values of the contract, in its spelling: what cases are compared with.
//!
//! The SDK and the command line have types of their own, each made from the same contract. How an
//! answer is written stands here alone, so that `cargo test` and `sluice plugin test` agree.

use serde::Serialize;
use serde_json::{Value, json};

use crate::Step;

/// `types.check`, its outcome in the spelling of the contract.
#[must_use]
pub fn check(name: &str, outcome: impl Serialize, message: &str, elapsed_ms: u32) -> Value {
    json!({"name": name, "outcome": outcome, "message": message, "elapsed-ms": elapsed_ms})
}

/// `smoke-test.report`, of values made by [`check`].
#[must_use]
pub fn report(outcome: impl Serialize, summary: &str, checks: Vec<Value>) -> Value {
    json!({"outcome": outcome, "summary": summary, "checks": checks})
}

/// `metric-provider.series`.
#[must_use]
pub fn series(role: &str, events: u64, total: u64, value: Option<f64>) -> Value {
    json!({"role": role, "events": events, "total": total, "value": value})
}

/// `metric-provider.measurement`, of values made by [`series`].
#[must_use]
pub fn measurement(series: Vec<Value>, summary: &str) -> Value {
    json!({"series": series, "summary": summary})
}

/// A plan.
#[must_use]
pub fn plan(steps: impl IntoIterator<Item = Step>) -> Value {
    json!({"steps": steps.into_iter().collect::<Vec<_>>()})
}

/// `traffic-strategy.judgement`: go on.
#[must_use]
pub fn proceed() -> Value {
    json!({"proceed": true})
}

/// `traffic-strategy.judgement`: wait.
#[must_use]
pub fn hold(ms: u64) -> Value {
    json!({ "hold": ms })
}

/// `traffic-strategy.judgement`: go back.
#[must_use]
pub fn rollback(why: &str) -> Value {
    json!({ "rollback": why })
}

/// What a notifier answers.
#[must_use]
pub fn thread(thread: Option<&str>) -> Value {
    json!({ "thread": thread })
}

/// `approval-provider.status`: nobody decided yet.
#[must_use]
pub fn pending(ticket: &str) -> Value {
    json!({ "pending": ticket })
}

/// `approval-provider.status`: the provider gave up.
#[must_use]
pub fn expired() -> Value {
    json!({"expired": true})
}

/// `approval-provider.status`: somebody decided.
#[must_use]
pub fn decided(approved: bool, approver: &str, reason: &str, subject_digest: &str) -> Value {
    json!({"decided": {
        "approved": approved,
        "approver": approver,
        "reason": reason,
        "subject-digest": subject_digest,
    }})
}

/// The request was taken back.
#[must_use]
pub fn withdrawn() -> Value {
    json!({"withdrawn": true})
}

/// A callback about something else.
#[must_use]
pub fn not_ours() -> Value {
    json!({"not-ours": true})
}

/// `settings.issue`.
#[must_use]
pub fn issue(pointer: &str, message: &str, hint: Option<&str>) -> Value {
    json!({"pointer": pointer, "message": message, "hint": hint})
}

/// All complaints about settings, of values made by [`issue`].
#[must_use]
pub fn issues(issues: Vec<Value>) -> Value {
    json!({ "issues": issues })
}

/// No answer, with the code that the host gives it.
#[must_use]
pub fn error(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}
