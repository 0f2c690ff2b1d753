//! Jobs and CronJobs.

use serde_json::{Value, json};

use crate::json::{self, default};

/// What the API server fills in of a Job, but for the labels that need its uid.
pub(super) fn job(object: &mut Value) {
    let given = |member: &str| json::at(object, &format!("/spec/{member}")).is_some();
    if !given("completions") && !given("parallelism") {
        default(object, &["spec", "completions"], 1);
    }
    default(object, &["spec", "parallelism"], 1);
    default(object, &["spec", "backoffLimit"], 6);
    default(object, &["spec", "completionMode"], "NonIndexed");
    default(object, &["spec", "suspend"], false);
    default(
        object,
        &["spec", "podReplacementPolicy"],
        "TerminatingOrFailed",
    );
    default(object, &["spec", "manualSelector"], false);
    let bare = json::entries(object, "/metadata/labels").next().is_none();
    if let (true, Some(labels)) = (bare, json::at(object, "/spec/template/metadata/labels")) {
        let labels = labels.clone();
        json::set(object, &["metadata", "labels"], labels);
    }
}

/// What the API server fills in of a CronJob.
pub(super) fn cron_job(object: &mut Value) {
    default(object, &["spec", "suspend"], false);
    default(object, &["spec", "concurrencyPolicy"], "Allow");
    default(object, &["spec", "successfulJobsHistoryLimit"], 3);
    default(object, &["spec", "failedJobsHistoryLimit"], 1);
}

/// The labels of a new Job's pods and its selector, unless it brings its own.
pub(crate) fn select_pods(object: &mut Value) {
    if json::flag(object, "/spec/manualSelector") {
        return;
    }
    let name = json::text(object, "/metadata/name").to_owned();
    let uid = json::text(object, "/metadata/uid").to_owned();
    for (label, value) in [
        ("job-name", &name),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("batch.kubernetes.io/controller-uid", &uid),
    ] {
        let path = ["spec", "template", "metadata", "labels", label];
        default(object, &path, value.as_str());
    }
    json::set(
        object,
        &[
            "spec",
            "selector",
            "matchLabels",
            "batch.kubernetes.io/controller-uid",
        ],
        json!(uid),
    );
}
