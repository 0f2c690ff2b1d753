//! Nodes that only say so: kwok answers for them, and their pods become Ready without a container.

use serde_json::{Value, json};

use crate::address;
use crate::authority::Authority;
use crate::error::BedError;
use crate::site::Site;
use crate::{Level, Person};

/// What marks a node as kwok's.
const MARK: &str = "kwok.x-k8s.io/node";

/// The arguments of `kwok`.
pub(crate) fn kwok(site: &Site, authority: &Authority) -> Result<Vec<String>, BedError> {
    let own = Person::new("kwok", &["system:masters"]);
    let kubeconfig = authority.kubeconfig(&own, &site.api_server())?;
    Ok(vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        "--manage-all-nodes=false".into(),
        format!("--manage-nodes-with-annotation-selector={MARK}=fake"),
        format!("--cidr={}", address::FAKE_PODS.with_prefix(1)),
        format!("--node-ip={}", address::NODES.at(3)),
        // Without leases the nodes turn NotReady after 40 s, and every pod with them.
        "--node-lease-duration-seconds=40".into(),
    ])
}

/// The names of this many fake nodes.
pub(crate) fn names(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|place| format!("fake-{place}"))
}

/// The nodes as objects. Beside a real node they take only pods that tolerate their taint.
pub(crate) fn objects(count: u32, level: Level) -> Value {
    let taints = match level {
        Level::ControlPlane => json!([]),
        Level::Node => json!([{"key": MARK, "value": "fake", "effect": "NoSchedule"}]),
    };
    let capacity = json!({"cpu": "1000", "memory": "1Ti", "pods": "10000"});
    let items: Vec<Value> = names(count)
        .map(|name| {
            json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": name,
                    "annotations": {(MARK): "fake"},
                    "labels": {"type": "kwok", "kubernetes.io/hostname": name},
                },
                "spec": {"taints": taints},
                "status": {"capacity": capacity, "allocatable": capacity},
            })
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fake_nodes_keep_away_from_pods_only_where_there_is_a_real_one() {
        let alone = objects(2, Level::ControlPlane);
        assert_eq!(alone["items"][1]["metadata"]["name"], "fake-1");
        assert_eq!(alone["items"][0]["spec"]["taints"], json!([]));
        let beside = objects(1, Level::Node);
        assert_eq!(
            beside["items"][0]["spec"]["taints"][0]["effect"],
            "NoSchedule"
        );
    }
}
