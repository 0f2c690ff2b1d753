//! `Job.status`, as the Job controller writes it.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::store::Key;
use crate::json;
use crate::model::Model;
use crate::workload::queue::Work;

/// How many pods are in which state.
pub(super) struct Counts {
    pub(super) active: usize,
    pub(super) ready: usize,
    pub(super) terminating: usize,
    pub(super) succeeded: usize,
    pub(super) failed: usize,
}

/// What became of a Job: first as a criterion that is met, and once no pod is terminating any more
/// as its end.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    complete: bool,
    reason: String,
    message: String,
}

impl Outcome {
    pub(super) fn failed(reason: &str, message: &str) -> Self {
        Self {
            complete: false,
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }

    pub(super) fn complete() -> Self {
        Self {
            complete: true,
            reason: "CompletionsReached".to_owned(),
            message: "Reached expected number of succeeded pods".to_owned(),
        }
    }
}

fn condition<'a>(job: &'a Value, kind: &str) -> Option<&'a Value> {
    json::list(job, "/status/conditions")
        .iter()
        .find(|condition| json::text(condition, "/type") == kind)
}

fn holds(condition: &&Value) -> bool {
    json::text(condition, "/status") == "True"
}

/// A time in an object.
pub(super) fn time(value: &Value, pointer: &str) -> Option<Timestamp> {
    json::text(value, pointer).parse().ok()
}

/// When a Job has ended, if it has.
pub(super) fn finished(job: &Value) -> Option<Timestamp> {
    let ended = ["Complete", "Failed"]
        .iter()
        .find_map(|kind| condition(job, kind).filter(holds))?;
    time(ended, "/lastTransitionTime")
}

/// What an earlier pass has decided.
pub(super) fn decided(job: &Value) -> Option<Outcome> {
    ["SuccessCriteriaMet", "FailureTarget"]
        .iter()
        .find_map(|kind| {
            let found = condition(job, kind).filter(holds)?;
            Some(Outcome {
                complete: *kind == "SuccessCriteriaMet",
                reason: json::text(found, "/reason").to_owned(),
                message: json::text(found, "/message").to_owned(),
            })
        })
}

impl Model {
    /// Writes counts, times and conditions.
    pub(super) fn write_job_status(
        &mut self,
        key: &Key,
        counts: &Counts,
        suspended: bool,
        outcome: Option<Outcome>,
    ) {
        let Some(object) = self.object(key) else {
            return;
        };
        let old = object.value();
        let now = self.now_text();
        let mut status = json!({
            "active": counts.active,
            "ready": counts.ready,
            "terminating": counts.terminating,
            "succeeded": counts.succeeded,
            "failed": counts.failed,
            "uncountedTerminatedPods": {},
        });
        if let Some(members) = status.as_object_mut() {
            // The real server leaves zeros out where the number is no pointer.
            let optional = ["active", "succeeded", "failed"];
            members.retain(|name, value| *value != json!(0) || !optional.contains(&name.as_str()));
        }
        let mut conditions = json::list(old, "/status/conditions").to_vec();
        let mut started = json::text(old, "/status/startTime").to_owned();
        match (&outcome, suspended) {
            (Some(_), _) => {}
            (None, true) => {
                let message = "Job suspended";
                if set(
                    &mut conditions,
                    "Suspended",
                    "True",
                    "JobSuspended",
                    message,
                    &now,
                ) {
                    started.clear();
                }
            }
            (None, false) => {
                // Only what was suspended is resumed, and its time begins anew.
                let was = condition(old, "Suspended").filter(holds).is_some();
                if was {
                    let message = "Job resumed";
                    set(
                        &mut conditions,
                        "Suspended",
                        "False",
                        "JobResumed",
                        message,
                        &now,
                    );
                }
                if was || started.is_empty() {
                    started.clone_from(&now);
                }
            }
        }
        if let Some(Outcome {
            complete,
            reason,
            message,
        }) = &outcome
        {
            let (criterion, end) = if *complete {
                ("SuccessCriteriaMet", "Complete")
            } else {
                ("FailureTarget", "Failed")
            };
            set(&mut conditions, criterion, "True", reason, message, &now);
            if counts.active == 0 && counts.terminating == 0 {
                set(&mut conditions, end, "True", reason, message, &now);
                if *complete {
                    json::set(&mut status, &["completionTime"], json!(now));
                }
            }
        }
        if !started.is_empty() {
            json::set(&mut status, &["startTime"], json!(started));
        }
        if !conditions.is_empty() {
            json::set(&mut status, &["conditions"], Value::Array(conditions));
        }
        if self.modify(key, |value| json::set(value, &["status"], status)) {
            // Its deadline, if it has begun, or its time to live, if it has ended.
            self.queue_soon(Work::Job(key.clone()));
        }
    }
}

/// Sets a condition; true if that changed its truth.
fn set(
    conditions: &mut Vec<Value>,
    kind: &str,
    truth: &str,
    reason: &str,
    message: &str,
    now: &str,
) -> bool {
    let fresh = json!({
        "type": kind,
        "status": truth,
        "reason": reason,
        "message": message,
        "lastProbeTime": now,
        "lastTransitionTime": now,
    });
    match conditions
        .iter_mut()
        .find(|condition| json::text(condition, "/type") == kind)
    {
        Some(found) if json::text(found, "/status") == truth => return false,
        Some(found) => *found = fresh,
        None => conditions.push(fresh),
    }
    true
}
