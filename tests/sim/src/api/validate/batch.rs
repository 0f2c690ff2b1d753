//! Jobs and CronJobs.

use crate::api::error::ApiError;
use crate::api::validate::{Subject, dotted};
use crate::json;

/// A Job's spec at a place.
pub(super) fn job(subject: Subject<'_>, spec: &str) -> Result<(), ApiError> {
    for number in [
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
        "parallelism",
        "completions",
    ] {
        subject.not_negative(&format!("{spec}/{number}"))?;
    }
    let template = format!("{spec}/template/metadata/labels");
    subject.labels(&template, &dotted(&format!("{spec}/template/labels")))?;
    let pod = format!("{spec}/template/spec");
    subject.containers(&pod)?;
    let policy = format!("{pod}/restartPolicy");
    match json::text(subject.object, &policy) {
        "Never" | "OnFailure" => Ok(()),
        "" | "Always" => subject.invalid(
            &dotted(&policy),
            "Required value: valid values: \"OnFailure\", \"Never\"",
        ),
        other => subject.invalid(
            &dotted(&policy),
            &format!("Unsupported value: {other:?}: supported values: \"OnFailure\", \"Never\""),
        ),
    }
}

/// A CronJob: a schedule and the spec of its Jobs.
pub(super) fn cron_job(subject: Subject<'_>) -> Result<(), ApiError> {
    let fields = json::text(subject.object, "/spec/schedule")
        .split_whitespace()
        .count();
    match json::text(subject.object, "/spec/schedule") {
        "" => return subject.invalid("spec.schedule", "Required value"),
        schedule if fields != 5 && !schedule.starts_with('@') => {
            let problem = format!(
                "Invalid value: {schedule:?}: expected exactly 5 fields, found {fields}: \
                 [{schedule}]"
            );
            return subject.invalid("spec.schedule", &problem);
        }
        _ => {}
    }
    job(subject, "/spec/jobTemplate/spec")
}
