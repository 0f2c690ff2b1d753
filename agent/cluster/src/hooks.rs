//! The pods of hooks' Jobs: what they wait for, how they ended, and what they said.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{Api, ListParams, LogParams};
use kube::{Client, ResourceExt};
use sluice_core::hook::{JobPods, LOG_LIMIT, LOG_LINES, MESSAGE_LIMIT};
use sluice_core::rollout::Seen;

use crate::fault::ClusterFault;

/// By this label the Job controller marks the pods of a Job.
const JOB_LABEL: &str = "batch.kubernetes.io/job-name";
/// Pods of one Job that are looked at. A Job that fails again and again has as many as its template
/// allows; the newest is what counts.
const POD_LIMIT: u32 = 50;

/// The newest pod of a Job. Its log is read once it is over; a log that cannot be read says so in its
/// place, and holds up nothing.
pub async fn pods(client: &Client, namespace: &str, job: &str) -> Seen<JobPods> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default()
        .labels(&format!("{JOB_LABEL}={job}"))
        .limit(POD_LIMIT);
    let list = match api.list(&params).await {
        Ok(list) => list.items,
        Err(e) => {
            let object = format!("the pods of Job {namespace}/{job}");
            return Seen::Unknown(ClusterFault::sort("list", object, e).to_string());
        }
    };
    let Some(pod) = list.iter().max_by_key(|p| (created(p), p.name_any())) else {
        return Seen::Absent;
    };
    let mut found = told(pod);
    if found.exit_code.is_some() {
        let params = LogParams {
            container: loudest(pod).map(|c| c.name.clone()),
            tail_lines: Some(i64::from(LOG_LINES)),
            limit_bytes: i64::try_from(LOG_LIMIT).ok(),
            ..LogParams::default()
        };
        found.log = match api.logs(&found.pod, &params).await {
            Ok(log) => log,
            Err(e) => {
                let object = format!("the log of Pod {namespace}/{}", found.pod);
                format!("({})", ClusterFault::sort("get", object, e))
            }
        };
    }
    Seen::Present(found)
}

fn created(pod: &Pod) -> Timestamp {
    pod.metadata
        .creation_timestamp
        .as_ref()
        .map_or(Timestamp::UNIX_EPOCH, |t| t.0)
}

/// What a pod's status says.
fn told(pod: &Pod) -> JobPods {
    let mut found = JobPods {
        pod: pod.name_any(),
        ..JobPods::default()
    };
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    let over = matches!(phase, Some("Succeeded" | "Failed"));
    let Some(container) = loudest(pod) else {
        found.reason = unscheduled(pod);
        return found;
    };
    let state = container.state.clone().unwrap_or_default();
    if let Some(end) = state.terminated {
        // A pod is over when all of its containers are: until then its Job is not either.
        found.exit_code = over.then_some(end.exit_code);
        found.reason = end.reason.unwrap_or_default();
        found.message = end.message.unwrap_or_default();
        found.message.truncate(floor(&found.message, MESSAGE_LIMIT));
    } else if let Some(wait) = state.waiting {
        found.reason = match (wait.reason, wait.message) {
            (Some(reason), Some(message)) => format!("{reason}: {message}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => String::new(),
        };
        // Every pod passes through these.
        if ["ContainerCreating", "PodInitializing"].contains(&found.reason.as_str()) {
            found.reason.clear();
        }
    }
    if found.reason.is_empty() {
        found.reason = unscheduled(pod);
    }
    found
}

/// Of several containers the one that speaks for the pod: one that failed, else one that waits, else one
/// that said something, else the first.
fn loudest(pod: &Pod) -> Option<&ContainerStatus> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let main: Vec<_> = status.container_statuses.iter().flatten().collect();
    let all: Vec<_> = init.chain(main.iter().copied()).collect();
    let ended = |c: &&&ContainerStatus| c.state.as_ref().and_then(|s| s.terminated.clone());
    let failed = |c: &&&ContainerStatus| ended(c).is_some_and(|t| t.exit_code != 0);
    let waits = |c: &&&ContainerStatus| {
        let waiting = c.state.as_ref().and_then(|s| s.waiting.as_ref());
        let reason = waiting.and_then(|w| w.reason.as_deref());
        reason.is_some_and(|r| !["ContainerCreating", "PodInitializing"].contains(&r))
    };
    let spoke = |c: &&&ContainerStatus| ended(c).is_some_and(|t| t.message.is_some());
    all.iter()
        .find(failed)
        .or_else(|| all.iter().find(waits))
        .or_else(|| main.iter().find(spoke))
        .or_else(|| main.first())
        .copied()
}

/// Why a pod found no node, where it did not.
fn unscheduled(pod: &Pod) -> String {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    let waits = conditions
        .into_iter()
        .flatten()
        .find(|c| c.type_ == "PodScheduled" && c.status == "False");
    waits.map_or_else(String::new, |c| {
        format!(
            "{}: {}",
            c.reason.as_deref().unwrap_or("not scheduled"),
            c.message.as_deref().unwrap_or_default()
        )
    })
}

/// The largest place up to `limit` where a text may be cut.
fn floor(text: &str, limit: usize) -> usize {
    (0..=limit.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "backup-x"}, "status": status})).unwrap()
    }

    #[test]
    fn the_container_that_failed_speaks_for_its_pod() {
        let told = told(&pod(json!({"phase": "Failed", "containerStatuses": [
            {"name": "sidecar", "state": {"terminated": {"exitCode": 0, "message": "fine"}}},
            {"name": "dump", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}},
        ]})));
        assert_eq!(told.exit_code, Some(137));
        assert_eq!(told.reason, "OOMKilled");
        assert_eq!(told.message, "");
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_no_end() {
        let told = told(&pod(json!({"phase": "Pending", "containerStatuses": [
            {"name": "dump", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}},
        ]})));
        assert_eq!(told.exit_code, None);
        assert_eq!(told.reason, "ImagePullBackOff: no such image");
    }

    #[test]
    fn a_container_that_ended_before_its_pod_is_no_end() {
        let told = told(&pod(json!({"phase": "Running", "containerStatuses": [
            {"name": "dump", "state": {"terminated": {"exitCode": 0, "message": "{}"}}},
            {"name": "proxy", "state": {"running": {}}},
        ]})));
        assert_eq!(told.exit_code, None);
    }

    #[test]
    fn what_was_said_is_cut_between_characters() {
        let long = "ü".repeat(MESSAGE_LIMIT);
        let told = told(&pod(json!({"phase": "Succeeded", "containerStatuses": [
            {"name": "dump", "state": {"terminated": {"exitCode": 0, "message": long}}},
        ]})));
        assert_eq!(told.message.len(), MESSAGE_LIMIT);
        assert_eq!(told.exit_code, Some(0));
    }

    #[test]
    fn a_pod_without_a_node_says_why() {
        let told = told(&pod(json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"},
        ]})));
        assert_eq!(told.reason, "Unschedulable: 0/1 nodes");
    }
}
