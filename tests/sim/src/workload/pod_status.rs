//! `Pod.status`, as the kubelet writes it.

use serde_json::{Value, json};

use crate::api::store::Key;
use crate::clock::rfc3339;
use crate::json;
use crate::model::Model;
use crate::workload::configuration::Missing;
use crate::workload::pod::{Exit, PodRuntime, Stage};

/// Where every pod runs that names no node itself.
pub(crate) const NODE: &str = "sim-node";

impl Model {
    /// Writes a pod's status from what the kubelet knows.
    pub(crate) fn write_pod_status(&mut self, key: &Key) {
        let Some(runtime) = self.pods.get(key).cloned() else {
            return;
        };
        let Some(old) = self.object(key) else {
            return;
        };
        let old = old.value();
        // A Job's container with a probe is not asked here; without one it is ready while it runs.
        let probed = json::at(old, "/spec/containers/0/readinessProbe").is_some();
        let ready = match runtime.stage {
            Stage::Ready { .. } => true,
            Stage::Running { .. } => !probed,
            _ => false,
        };
        let phase = match (&runtime.stage, &runtime.exit) {
            (Stage::Ended, Some(Exit { code: 0, .. })) => "Succeeded",
            (Stage::Ended, _) => "Failed",
            _ if runtime.address.is_some() => "Running",
            _ => "Pending",
        };
        let containers: Vec<Value> = json::list(old, "/spec/containers")
            .iter()
            .enumerate()
            .map(|(index, container)| self.container(&runtime, container, index, ready))
            .collect();
        let mut status = json!({
            "phase": phase,
            "qosClass": "BestEffort",
            "conditions": self.pod_conditions(old, &runtime, ready),
            "containerStatuses": containers,
        });
        if let Some(address) = runtime.address {
            json::set(&mut status, &["podIP"], json!(address.to_string()));
            json::set(
                &mut status,
                &["podIPs"],
                json!([{ "ip": address.to_string() }]),
            );
            json::set(&mut status, &["hostIP"], json!("192.0.2.1"));
        }
        if let Some(started) = runtime.started {
            let started = rfc3339(self.clock.at(started));
            json::default(&mut status, &["startTime"], started);
        }
        self.modify(key, |value| {
            json::set(value, &["status"], status);
            json::default(value, &["spec", "nodeName"], NODE);
        });
    }

    fn container(
        &self,
        runtime: &PodRuntime,
        container: &Value,
        index: usize,
        ready: bool,
    ) -> Value {
        let waiting = |reason: &str, message: String| json!({ "waiting": { "reason": reason, "message": message } });
        let started = runtime
            .started
            .map(|started| rfc3339(self.clock.at(started)));
        let running = json!({ "running": { "startedAt": started } });
        let image = json::text(container, "/image");
        let exit = runtime.exit.as_ref().map(|exit| {
            // The first container decides; the others end with it and well.
            let (code, message) = if index == 0 {
                (exit.code, exit.message.as_str())
            } else {
                (0, "")
            };
            let mut terminated = json!({
                "exitCode": code,
                "reason": if code == 0 { "Completed" } else { "Error" },
                "startedAt": started,
                "finishedAt": rfc3339(self.clock.at(exit.at)),
            });
            if !message.is_empty() {
                json::set(&mut terminated, &["message"], json!(message));
            }
            json!({ "terminated": terminated })
        });
        let (state, up) = match &runtime.stage {
            Stage::Pending => (waiting("ContainerCreating", String::new()), false),
            Stage::NoImage { image: missing } if missing == image => (
                waiting(
                    "ImagePullBackOff",
                    format!("Back-off pulling image \"{image}\""),
                ),
                false,
            ),
            Stage::NoImage { .. } => (waiting("ContainerCreating", String::new()), false),
            Stage::Broken { why } => (waiting("CreateContainerError", why.clone()), false),
            Stage::Unconfigured {
                missing: Missing::Variable(why),
            } => (waiting("CreateContainerConfigError", why.clone()), false),
            Stage::Unconfigured {
                missing: Missing::Volume,
            } => (waiting("ContainerCreating", String::new()), false),
            Stage::BackOff { .. } => (
                waiting(
                    "CrashLoopBackOff",
                    format!(
                        "back-off restarting failed container {}",
                        json::text(container, "/name")
                    ),
                ),
                false,
            ),
            Stage::Ended => (exit.clone().unwrap_or_default(), false),
            Stage::Starting { .. }
            | Stage::Ready { .. }
            | Stage::Unready
            | Stage::Running { .. }
            | Stage::Draining { .. } => (running, true),
        };
        let mut status = json!({
            "name": json::text(container, "/name"),
            "image": image,
            "imageID": runtime.image_ids.get(index).map_or("", String::as_str),
            "ready": ready,
            "started": up,
            "restartCount": runtime.restarts,
            "state": state,
        });
        if let Some(last) = exit.filter(|_| runtime.restarts > 0 && index == 0) {
            json::set(&mut status, &["lastState"], last);
        }
        status
    }

    fn pod_conditions(&self, old: &Value, runtime: &PodRuntime, ready: bool) -> Value {
        let now = self.now_text();
        let up = runtime.address.is_some();
        let truth = |is: bool| if is { "True" } else { "False" };
        let kinds = [
            ("PodScheduled", true),
            ("Initialized", true),
            ("PodReadyToStartContainers", up),
            ("ContainersReady", ready),
            ("Ready", ready),
        ];
        let conditions = kinds.iter().map(|(kind, is)| {
            let before = json::list(old, "/status/conditions")
                .iter()
                .find(|condition| json::text(condition, "/type") == *kind);
            let since = match before {
                Some(before) if json::text(before, "/status") == truth(*is) => {
                    json::text(before, "/lastTransitionTime").to_owned()
                }
                Some(_) | None => now.clone(),
            };
            json!({ "type": kind, "status": truth(*is), "lastTransitionTime": since })
        });
        Value::Array(conditions.collect())
    }
}
