//! Reading the cluster into the values that `core` decides on. Reads are live: quorum reads of single
//! objects, so that no decision rests on an old cache (reliability.md R2, R4).

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Api, DynamicObject, ListParams};
use kube::{Client, ResourceExt};
use serde_json::Value;
use sluice_core::pipeline::TargetSpec;
use sluice_core::rollout::{ObjectKind, ROLLOUT_ANNOTATION, ROLLOUT_LABEL, Seen, WorkloadSeen};

use crate::fault::ClusterFault;
use crate::object::objects;
use crate::writer::EPOCH_ANNOTATION;

/// Autoscalers of one namespace that are looked through for the target's.
const AUTOSCALER_LIMIT: u32 = 500;

/// A Deployment and how far its pods are. A fault is a value: nothing is concluded from it.
pub async fn deployment(client: &Client, namespace: &str, name: &str) -> Seen<WorkloadSeen> {
    match objects(client, ObjectKind::Deployment, namespace)
        .get_opt(name)
        .await
    {
        Ok(Some(d)) => match workload(&d) {
            Ok(w) => Seen::Present(w),
            Err(fault) => Seen::Unknown(fault.to_string()),
        },
        Ok(None) => Seen::Absent,
        Err(e) => unseen("Deployment", namespace, name, e),
    }
}

/// The workload that a Pipeline names.
pub async fn target_of(client: &Client, target: &TargetSpec) -> Seen<WorkloadSeen> {
    deployment(client, &target.namespace, target.name()).await
}

/// The HorizontalPodAutoscaler that owns a Deployment's number of pods, by name. More autoscalers
/// than the limit would be a namespace that nobody oversees.
pub async fn autoscaler(client: &Client, namespace: &str, deployment: &str) -> Seen<String> {
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
    let list = match api
        .list(&ListParams::default().limit(AUTOSCALER_LIMIT))
        .await
    {
        Ok(list) => list,
        Err(e) => {
            return unseen("HorizontalPodAutoscalers", namespace, deployment, e);
        }
    };
    let owns = |h: &HorizontalPodAutoscaler| {
        h.spec.as_ref().is_some_and(|s| {
            s.scale_target_ref.kind == "Deployment" && s.scale_target_ref.name == deployment
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

/// Takes a Deployment apart.
pub fn workload(d: &DynamicObject) -> Result<WorkloadSeen, ClusterFault> {
    let namespace = d.namespace().unwrap_or_default();
    let malformed = |message: &str| ClusterFault::Malformed {
        object: format!("Deployment {namespace}/{}", d.name_any()),
        message: message.to_owned(),
    };
    let spec = d
        .data
        .get("spec")
        .cloned()
        .ok_or_else(|| malformed("has no spec"))?;
    let replicas = count(&spec, "/replicas").unwrap_or(1);
    let status = d.data.get("status").cloned().unwrap_or(Value::Null);
    let number = |field: &str| count(&status, field).unwrap_or(0);
    Ok(WorkloadSeen {
        kind: ObjectKind::Deployment,
        name: d.name_any(),
        uid: d.uid().ok_or_else(|| malformed("has no uid"))?,
        resource_version: d
            .resource_version()
            .ok_or_else(|| malformed("has no resourceVersion"))?,
        generation: d.metadata.generation.unwrap_or(0),
        observed_generation: status
            .get("observedGeneration")
            .and_then(Value::as_i64)
            .unwrap_or(0),
        replicas,
        pods: number("/replicas"),
        updated: number("/updatedReplicas"),
        ready: number("/readyReplicas"),
        available: number("/availableReplicas"),
        max_unavailable: max_unavailable(&spec, replicas),
        claimed_by: d.annotations().get(ROLLOUT_ANNOTATION).cloned(),
        epoch: d
            .annotations()
            .get(EPOCH_ANNOTATION)
            .and_then(|e| e.parse().ok())
            .unwrap_or(0),
        created_by: d.labels().get(ROLLOUT_LABEL).cloned(),
        namespace,
        spec,
    })
}

fn count(v: &Value, pointer: &str) -> Option<u32> {
    v.pointer(pointer)?
        .as_u64()
        .and_then(|n| u32::try_from(n).ok())
}

/// `maxUnavailable` in pods, by the rules of the Deployment controller: percentages round down,
/// `Recreate` may take all, and where surge and this both come to zero, one pod may go.
fn max_unavailable(spec: &Value, replicas: u32) -> u32 {
    if spec.pointer("/strategy/type").and_then(Value::as_str) == Some("Recreate") {
        return replicas;
    }
    let of = |field: &str, round_up: bool| {
        let v = spec.pointer(&format!("/strategy/rollingUpdate/{field}"));
        pods(v, replicas, round_up)
    };
    let (unavailable, surge) = (of("maxUnavailable", false), of("maxSurge", true));
    if unavailable == 0 && surge == 0 {
        1
    } else {
        unavailable
    }
}

fn pods(v: Option<&Value>, replicas: u32, round_up: bool) -> u32 {
    let part = |percent: u64| {
        let product = u64::from(replicas) * percent;
        let rounded = if round_up {
            product.div_ceil(100)
        } else {
            product / 100
        };
        u32::try_from(rounded).unwrap_or(replicas)
    };
    match v {
        Some(Value::Number(n)) => n.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        Some(Value::String(s)) => s
            .strip_suffix('%')
            .and_then(|s| s.parse().ok())
            .map_or(0, part),
        // The API server's default.
        _ => part(25),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unavailable_pods_are_counted_as_the_deployment_controller_counts_them() {
        let of = |u: Value, s: Value, n| {
            let spec = json!({"strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": u, "maxSurge": s}}});
            max_unavailable(&spec, n)
        };
        assert_eq!(of(json!("25%"), json!("25%"), 10), 2);
        assert_eq!(of(json!("25%"), json!("25%"), 3), 0);
        assert_eq!(of(json!(0), json!(1), 10), 0);
        assert_eq!(of(json!("0%"), json!("0%"), 10), 1);
        assert_eq!(max_unavailable(&json!({}), 10), 2);
        assert_eq!(
            max_unavailable(&json!({"strategy": {"type": "Recreate"}}), 4),
            4
        );
    }
}
