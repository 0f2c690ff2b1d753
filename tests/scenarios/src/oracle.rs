//! What must hold at every write and at the end (reliability.md, O1 to O10).

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use sluice_sim::{Cluster, Resource, WriteRecord};

use crate::stage::{PRODUCTION, STAGING};

/// The end of a story, without the instants and names that differ between runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalState {
    /// Phase of every Rollout, by environment and tag.
    pub rollouts: BTreeMap<String, String>,
    /// Image and replicas of every Deployment, by namespace and name.
    pub deployments: BTreeMap<String, String>,
    /// What leads to them: selectors of Services, rules of HTTPRoutes and Ingresses, by namespace, kind
    /// and name.
    pub ways: BTreeMap<String, String>,
    /// Digest that the Pipeline remembers as stable, by environment.
    pub stable: BTreeMap<String, String>,
    /// Quarantined digests, by environment.
    pub quarantined: BTreeMap<String, Vec<String>>,
}

/// Reads the end of a story from the cluster.
pub fn final_state(cluster: &Cluster) -> FinalState {
    let text = |v: &Value, p: &str| {
        v.pointer(p)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let rollouts = cluster
        .objects(Resource::Rollouts, "delivery")
        .iter()
        .map(|r| {
            let what = format!(
                "{} {}",
                text(r, "/spec/environment"),
                text(r, "/spec/image/tag")
            );
            (what, text(r, "/status/phase"))
        })
        .collect();
    let mut deployments = BTreeMap::new();
    for namespace in [STAGING, PRODUCTION] {
        for d in cluster.objects(Resource::Deployments, namespace) {
            let state = format!(
                "{} x{} ready {}",
                text(&d, "/spec/template/spec/containers/0/image"),
                d["spec"]["replicas"],
                d["status"]["readyReplicas"]
            );
            deployments.insert(format!("{namespace}/{}", text(&d, "/metadata/name")), state);
        }
    }
    let mut ways = BTreeMap::new();
    for namespace in [STAGING, PRODUCTION] {
        for (resource, what) in [
            (Resource::Services, "/spec/selector"),
            (Resource::HttpRoutes, "/spec/rules"),
            (Resource::Ingresses, "/spec"),
        ] {
            for object in cluster.objects(resource, namespace) {
                let name = text(&object, "/metadata/name");
                let at = format!("{namespace}/{resource:?}/{name}");
                let state = object.pointer(what).map(Value::to_string);
                ways.insert(at, state.unwrap_or_default());
            }
        }
    }
    let pipeline = cluster
        .object(Resource::Pipelines, "delivery", "storefront")
        .unwrap_or_default();
    let environments = pipeline["status"]["environments"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    FinalState {
        rollouts,
        deployments,
        ways,
        stable: environments
            .iter()
            .map(|(n, e)| (n.clone(), text(e, "/stable/digest")))
            .collect(),
        quarantined: environments
            .iter()
            .map(|(n, e)| {
                let list = e["quarantined"].as_array().cloned().unwrap_or_default();
                (n.clone(), list.iter().map(|q| text(q, "/digest")).collect())
            })
            .collect(),
    }
}

/// Writes by the agent that change what production serves.
pub fn production_changes(cluster: &Cluster) -> Vec<WriteRecord> {
    let agent = cluster.agent();
    cluster
        .writes()
        .into_iter()
        .filter(|w| {
            w.user == agent
                && w.accepted()
                && w.namespace == PRODUCTION
                && matches!(
                    w.resource,
                    Resource::Deployments
                        | Resource::StatefulSets
                        | Resource::DaemonSets
                        | Resource::Services
                        | Resource::HttpRoutes
                        | Resource::Ingresses
                )
        })
        .collect()
}

/// Whether a write only notes which leader writes: nothing that serves is changed by it.
fn is_stamp(w: &WriteRecord) -> bool {
    w.verb == "patch"
        && w.body
            .as_object()
            .is_some_and(|b| b.keys().eq(["metadata"]))
}

/// Every change of production comes after both people voted for that very Rollout. Read from the log
/// of writes alone: no status is believed.
pub fn gate_was_open(cluster: &Cluster) -> Result<(), String> {
    let writes = cluster.writes();
    let voters = |rollout_uid: &str, before: u64| -> HashSet<String> {
        writes
            .iter()
            .filter(|w| w.seq < before && w.accepted() && w.resource == Resource::Approvals)
            .filter(|w| w.body["spec"]["rolloutUid"] == rollout_uid)
            .filter(|w| w.body["spec"]["decision"] == "approve")
            .map(|w| w.user.clone())
            .collect()
    };
    let mut current = String::new();
    for change in production_changes(cluster) {
        // The first change of every Rollout is its claim; what follows belongs to it.
        if let Some(uid) = change
            .body
            .pointer("/metadata/annotations/sluice.dev~1rollout-uid")
            .and_then(Value::as_str)
        {
            uid.clone_into(&mut current);
        } else if is_stamp(&change) {
            continue;
        }
        let who = voters(&current, change.seq);
        for person in ["alice@example.com", "bob@example.com"] {
            if !who.contains(person) {
                return Err(format!(
                    "write {} ({} {:?} {}) changes production without the vote of {person}",
                    change.seq, change.verb, change.resource, change.name
                ));
            }
        }
    }
    Ok(())
}
