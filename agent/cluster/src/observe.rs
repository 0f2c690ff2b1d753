//! Reading the cluster into the values that `core` decides on. Reads are live: quorum reads of single
//! objects, so that no decision rests on an old cache (reliability.md R2, R4).

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use serde_json::Value;
use sluice_core::pipeline::TargetSpec;
use sluice_core::rollout::{Guard, ObjectKind, Seen, WorkloadSeen};

use crate::fault::ClusterFault;
use crate::object::objects;
use crate::targets::{is_ready, pods_of};
use crate::workload::workload;

/// Autoscalers of one namespace that are looked through for the target's.
const AUTOSCALER_LIMIT: u32 = 500;
/// On every pod of a StatefulSet: the name of its revision.
const REVISION_LABEL: &str = "controller-revision-hash";

/// A Deployment and how far its pods are. A fault is a value: nothing is concluded from it.
pub async fn deployment(client: &Client, namespace: &str, name: &str) -> Seen<WorkloadSeen> {
    one(client, ObjectKind::Deployment, namespace, name).await
}

/// The workload that a Pipeline names.
pub async fn target_of(client: &Client, target: &TargetSpec) -> Seen<WorkloadSeen> {
    one(client, target.kind(), &target.namespace, target.name()).await
}

async fn one(client: &Client, kind: ObjectKind, namespace: &str, name: &str) -> Seen<WorkloadSeen> {
    match objects(client, kind, namespace).get_opt(name).await {
        Ok(Some(found)) => match workload(kind, &found) {
            Ok(w) => Seen::Present(w),
            Err(fault) => Seen::Unknown(fault.to_string()),
        },
        Ok(None) => Seen::Absent,
        Err(e) => unseen(kind.as_str(), namespace, name, e),
    }
}

/// The HorizontalPodAutoscaler that owns the number of pods of a workload, by name. More autoscalers
/// than the limit would be a namespace that nobody oversees. A DaemonSet has none.
pub async fn autoscaler(
    client: &Client,
    kind: ObjectKind,
    namespace: &str,
    workload: &str,
) -> Seen<String> {
    if kind == ObjectKind::DaemonSet {
        return Seen::Absent;
    }
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
    let list = match api
        .list(&ListParams::default().limit(AUTOSCALER_LIMIT))
        .await
    {
        Ok(list) => list,
        Err(e) => {
            return unseen("HorizontalPodAutoscalers", namespace, workload, e);
        }
    };
    let owns = |h: &HorizontalPodAutoscaler| {
        h.spec.as_ref().is_some_and(|s| {
            s.scale_target_ref.kind == kind.as_str() && s.scale_target_ref.name == workload
        })
    };
    match list.items.iter().find(|h| owns(h)) {
        Some(h) => Seen::Present(h.name_any()),
        None if list.metadata.continue_.is_some_and(|c| !c.is_empty()) => Seen::Unknown(format!(
            "namespace {namespace} has more than {AUTOSCALER_LIMIT} autoscalers"
        )),
        None => Seen::Absent,
    }
}

/// Pods of a StatefulSet that are not ready and not of the revision that it wants: under ordered pod
/// management they keep their controller from putting the wanted one there.
pub async fn pods_in_the_way(client: &Client, target: &WorkloadSeen) -> Seen<Vec<Guard>> {
    let Some(wanted) = target.update_revision.as_deref() else {
        return Seen::Absent;
    };
    match pods_of(client, target).await {
        Ok(pods) => Seen::Present(
            pods.iter()
                .filter(|p| in_the_way(p, target, wanted))
                .map(guard_of)
                .collect(),
        ),
        Err(fault) => Seen::Unknown(fault.to_string()),
    }
}

fn in_the_way(pod: &Pod, target: &WorkloadSeen, wanted: &str) -> bool {
    let owned = pod
        .owner_references()
        .iter()
        .any(|o| o.uid == target.uid && o.controller == Some(true));
    let revision = pod.labels().get(REVISION_LABEL);
    owned
        && pod.metadata.deletion_timestamp.is_none()
        && !is_ready(pod)
        && revision.is_some_and(|r| r != wanted)
}

fn guard_of(pod: &Pod) -> Guard {
    Guard {
        kind: ObjectKind::Pod,
        namespace: pod.namespace().unwrap_or_default(),
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        resource_version: pod.resource_version().unwrap_or_default(),
    }
}

/// The pod template that a ControllerRevision keeps.
pub async fn revision_template(client: &Client, namespace: &str, name: &str) -> Seen<Value> {
    let api: Api<ControllerRevision> = Api::namespaced(client.clone(), namespace);
    match api.get_opt(name).await {
        Ok(Some(r)) => match r.data.and_then(|d| d.0.get("template").cloned()) {
            Some(template) => Seen::Present(template),
            None => Seen::Unknown(format!(
                "ControllerRevision {namespace}/{name} has no template"
            )),
        },
        Ok(None) => Seen::Absent,
        Err(e) => unseen("ControllerRevision", namespace, name, e),
    }
}

fn unseen<T>(kind: &str, namespace: &str, name: &str, error: kube::Error) -> Seen<T> {
    let fault = ClusterFault::sort("get", format!("{kind} {namespace}/{name}"), error);
    match fault {
        ClusterFault::Gone { .. } => Seen::Absent,
        other => Seen::Unknown(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_own_pod_of_the_wrong_revision_that_is_not_ready_is_in_the_way() {
        let target = WorkloadSeen {
            uid: "set".into(),
            ..WorkloadSeen::default()
        };
        let pod = |owner: &str, revision: &str, ready: &str| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "db-2", "labels": {REVISION_LABEL: revision},
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet",
                        "name": "db", "uid": owner, "controller": true}]},
                "status": {"conditions": [{"type": "Ready", "status": ready}]},
            }))
            .unwrap()
        };
        assert!(in_the_way(&pod("set", "db-2", "False"), &target, "db-1"));
        assert!(!in_the_way(&pod("set", "db-2", "True"), &target, "db-1"));
        assert!(!in_the_way(&pod("set", "db-1", "False"), &target, "db-1"));
        assert!(!in_the_way(&pod("other", "db-2", "False"), &target, "db-1"));
        let mut going = pod("set", "db-2", "False");
        going.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-10-12T09:00:00Z")).unwrap();
        assert!(!in_the_way(&going, &target, "db-1"));
    }
}
