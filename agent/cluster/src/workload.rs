//! Taking a workload apart: each kind counts its pods under other names.

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;
use sluice_core::rollout::{ObjectKind, ROLLOUT_ANNOTATION, ROLLOUT_LABEL, WorkloadSeen};

use crate::fault::ClusterFault;
use crate::writer::EPOCH_ANNOTATION;

/// A Deployment, StatefulSet or DaemonSet as `core` decides on it.
pub fn workload(kind: ObjectKind, d: &DynamicObject) -> Result<WorkloadSeen, ClusterFault> {
    let namespace = d.namespace().unwrap_or_default();
    let malformed = |message: &str| ClusterFault::Malformed {
        object: format!("{kind} {namespace}/{}", d.name_any()),
        message: message.to_owned(),
    };
    let spec = d
        .data
        .get("spec")
        .cloned()
        .ok_or_else(|| malformed("has no spec"))?;
    let status = d.data.get("status").cloned().unwrap_or(Value::Null);
    let counts = counts(kind, &spec, &status);
    Ok(WorkloadSeen {
        kind,
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
        replicas: counts.wanted,
        pods: counts.pods,
        updated: counts.updated,
        ready: counts.ready,
        available: counts.available,
        max_unavailable: max_unavailable(kind, &spec, counts.wanted),
        update_revision: revision(&status, "updateRevision").map(str::to_owned),
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

/// How many pods there shall be and are.
struct Counts {
    wanted: u32,
    pods: u32,
    updated: u32,
    ready: u32,
    available: u32,
}

fn counts(kind: ObjectKind, spec: &Value, status: &Value) -> Counts {
    let number = |field: &str| count(status, field).unwrap_or(0);
    if kind == ObjectKind::DaemonSet {
        return Counts {
            wanted: number("/desiredNumberScheduled"),
            pods: number("/currentNumberScheduled"),
            updated: number("/updatedNumberScheduled"),
            ready: number("/numberReady"),
            available: number("/numberAvailable"),
        };
    }
    // Between two updates a StatefulSet's two revisions are one, and every pod is of it, whichever of
    // the two numbers its controller keeps up.
    let at_rest = kind == ObjectKind::StatefulSet
        && revision(status, "updateRevision").is_some()
        && revision(status, "updateRevision") == revision(status, "currentRevision");
    let updated = number("/updatedReplicas");
    Counts {
        wanted: count(spec, "/replicas").unwrap_or(1),
        pods: number("/replicas"),
        updated: if at_rest {
            updated.max(number("/currentReplicas"))
        } else {
            updated
        },
        ready: number("/readyReplicas"),
        available: number("/availableReplicas"),
    }
}

fn revision<'a>(status: &'a Value, field: &str) -> Option<&'a str> {
    status
        .get(field)
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
}

fn count(v: &Value, pointer: &str) -> Option<u32> {
    v.pointer(pointer)?
        .as_u64()
        .and_then(|n| u32::try_from(n).ok())
}

/// `maxUnavailable` in pods, by the rules of each kind's controller.
fn max_unavailable(kind: ObjectKind, spec: &Value, replicas: u32) -> u32 {
    let of = |parent: &str, field: &str, absent: u64, up: bool| {
        let v = spec.pointer(&format!("/{parent}/rollingUpdate/{field}"));
        pods(v, replicas, absent, up)
    };
    match kind {
        // Percentages round down, but one pod may always go.
        ObjectKind::StatefulSet => of("updateStrategy", "maxUnavailable", 1, false).max(1),
        // Percentages round up.
        ObjectKind::DaemonSet => of("updateStrategy", "maxUnavailable", 1, true),
        _ if spec.pointer("/strategy/type").and_then(Value::as_str) == Some("Recreate") => replicas,
        // Percentages round down; where surge and this both come to zero, one pod may go.
        _ => {
            let quarter = u64::from(replicas) / 4;
            let surge = u64::from(replicas).div_ceil(4);
            let unavailable = of("strategy", "maxUnavailable", quarter, false);
            if unavailable == 0 && of("strategy", "maxSurge", surge, true) == 0 {
                1
            } else {
                unavailable
            }
        }
    }
}

/// A number or a percentage of pods; `absent` is the API server's default.
fn pods(v: Option<&Value>, replicas: u32, absent: u64, round_up: bool) -> u32 {
    let part = |percent: u64| {
        let product = u64::from(replicas) * percent;
        if round_up {
            product.div_ceil(100)
        } else {
            product / 100
        }
    };
    let n = match v {
        Some(Value::Number(n)) => n.as_u64().unwrap_or(0),
        Some(Value::String(s)) => s
            .strip_suffix('%')
            .and_then(|s| s.parse().ok())
            .map_or(0, part),
        _ => absent,
    };
    u32::try_from(n).unwrap_or(replicas)
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
            max_unavailable(ObjectKind::Deployment, &spec, n)
        };
        assert_eq!(of(json!("25%"), json!("25%"), 10), 2);
        assert_eq!(of(json!("25%"), json!("25%"), 3), 0);
        assert_eq!(of(json!(0), json!(1), 10), 0);
        assert_eq!(of(json!("0%"), json!("0%"), 10), 1);
        let bare = |spec: Value, n| max_unavailable(ObjectKind::Deployment, &spec, n);
        assert_eq!(bare(json!({}), 10), 2);
        assert_eq!(bare(json!({}), 1), 0, "one more comes first");
        assert_eq!(bare(json!({"strategy": {"type": "Recreate"}}), 4), 4);
    }

    #[test]
    fn the_other_kinds_have_other_rules() {
        let of = |kind, u: Value| {
            let spec = json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": u}}});
            max_unavailable(kind, &spec, 10)
        };
        let (stateful, daemon) = (ObjectKind::StatefulSet, ObjectKind::DaemonSet);
        assert_eq!(max_unavailable(stateful, &json!({}), 10), 1);
        assert_eq!(max_unavailable(daemon, &json!({}), 10), 1);
        assert_eq!(of(stateful, json!(3)), 3);
        assert_eq!(of(stateful, json!("25%")), 2);
        assert_eq!(of(stateful, json!("5%")), 1);
        assert_eq!(of(daemon, json!("25%")), 3);
        assert_eq!(of(daemon, json!(0)), 0, "it surges instead");
    }

    fn mk(kind: &str, spec: Value, status: Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": "db", "namespace": "shop", "uid": "u", "resourceVersion": "7",
                "generation": 3},
            "spec": spec, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_stateful_set_is_settled_when_every_pod_is_of_the_update_revision() {
        let seen = |status: Value| {
            let set = mk("StatefulSet", json!({"replicas": 3}), status);
            workload(ObjectKind::StatefulSet, &set).unwrap()
        };
        let at_rest = seen(
            json!({"observedGeneration": 3, "replicas": 3, "readyReplicas": 3,
            "availableReplicas": 3, "currentReplicas": 3, "updatedReplicas": 3,
            "currentRevision": "db-1", "updateRevision": "db-1"}),
        );
        assert!(at_rest.settled());
        assert_eq!(at_rest.update_revision.as_deref(), Some("db-1"));
        let midway = seen(
            json!({"observedGeneration": 3, "replicas": 3, "readyReplicas": 3,
            "availableReplicas": 3, "currentReplicas": 2, "updatedReplicas": 1,
            "currentRevision": "db-1", "updateRevision": "db-2"}),
        );
        assert_eq!((midway.updated, midway.settled()), (1, false));
        // A controller that counts an unchanged revision as current only.
        let quiet = seen(
            json!({"observedGeneration": 3, "replicas": 3, "readyReplicas": 3,
            "availableReplicas": 3, "currentReplicas": 3,
            "currentRevision": "db-1", "updateRevision": "db-1"}),
        );
        assert!(quiet.settled());
    }

    #[test]
    fn a_daemon_set_has_as_many_pods_as_there_are_nodes_for_it() {
        let seen = |updated: u32| {
            let status = json!({"observedGeneration": 3, "desiredNumberScheduled": 4,
                "currentNumberScheduled": 4, "updatedNumberScheduled": updated, "numberReady": 4,
                "numberAvailable": 4});
            let set = mk("DaemonSet", json!({}), status);
            workload(ObjectKind::DaemonSet, &set).unwrap()
        };
        assert_eq!(seen(4).replicas, 4);
        assert!(seen(4).settled());
        assert!(!seen(3).settled());
    }
}
