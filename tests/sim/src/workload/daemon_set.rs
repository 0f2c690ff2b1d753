//! The DaemonSet controller: one pod on each node, replaced within `maxUnavailable`. Without
//! `maxSurge` and without nodes that a DaemonSet passes by.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::resource::Resource;
use crate::api::store::Key;
use crate::json;
use crate::model::Model;
use crate::workload::deployment::int_or_percent;
use crate::workload::member::Member;
use crate::workload::queue::Work;
use crate::workload::react::is_dying;
use crate::workload::revision::Revision;

/// The pods on each node, oldest first.
type Nodes = BTreeMap<String, Vec<Member>>;

impl Model {
    /// One pass of the DaemonSet controller.
    pub(crate) fn sync_daemon_set(&mut self, key: &Key) {
        let Some(object) = self.object(key) else {
            return;
        };
        let set = object.value();
        if is_dying(set) {
            return;
        }
        self.adopt(Resource::Pods, key, set);
        let revisions = self.revisions(key, set);
        let Some(present) = self.present_revision(key, set, &revisions) else {
            return;
        };
        let hash = present.hash(key).to_owned();
        let nodes = self.daemon_nodes(key, set);
        self.fill_nodes(key, set, &present, &nodes);
        if json::text(set, "/spec/updateStrategy/type") == "RollingUpdate" {
            self.roll_nodes(set, &hash, &nodes);
        }
        let nodes = self.daemon_nodes(key, set);
        let pods: Vec<&Member> = nodes.values().flatten().collect();
        if let Some(at) = pods.iter().filter_map(|pod| pod.available_at).min() {
            self.queue_at(Work::DaemonSet(key.clone()), at);
        }
        let unused: Vec<Revision> = revisions
            .into_iter()
            .filter(|revision| {
                let own = revision.hash(key);
                own != hash && pods.iter().all(|pod| pod.revision != own)
            })
            .collect();
        self.clean_revisions(set, &unused);
        self.write_daemon_set_status(key, set, &hash, &nodes);
    }

    fn daemon_nodes(&self, key: &Key, set: &Value) -> Nodes {
        let mut nodes: Nodes = self
            .nodes
            .iter()
            .map(|node| (node.clone(), Vec::new()))
            .collect();
        for pod in self.pods_of(key, set) {
            if let Some(pods) = nodes.get_mut(&pod.node) {
                pods.push(pod);
            }
        }
        for pods in nodes.values_mut() {
            pods.sort_by(|a, b| (&a.created, &a.key.name).cmp(&(&b.created, &b.key.name)));
        }
        nodes
    }

    /// A pod where none is, not even one that is on its way out; one where there are more.
    fn fill_nodes(&mut self, key: &Key, set: &Value, present: &Revision, nodes: &Nodes) {
        for (node, pods) in nodes {
            if pods.is_empty() {
                let name = format!("{}-{}", key.name, self.suffix(5));
                let hash = present.hash(key);
                let made = self.create_member(key, set, &present.template, hash, &name, |pod| {
                    let prefix = format!("{}-", key.name);
                    json::set(pod, &["metadata", "generateName"], json!(prefix));
                    json::set(pod, &["spec", "nodeName"], json!(node));
                });
                if !made {
                    // One in fourteen million: the next pass draws another name.
                    self.queue_soon(Work::DaemonSet(key.clone()));
                }
                continue;
            }
            let living = pods.iter().filter(|pod| !pod.dying);
            let (over, running): (Vec<&Member>, Vec<&Member>) = living.partition(|pod| pod.over);
            for pod in over.into_iter().chain(running.into_iter().skip(1)) {
                self.delete_pod(&pod.key, None);
            }
        }
    }

    /// Deletes old pods that are not well, and others as long as enough nodes are served.
    fn roll_nodes(&mut self, set: &Value, hash: &str, nodes: &Nodes) {
        let at = |name: &str| json::at(set, &format!("/spec/updateStrategy/rollingUpdate/{name}"));
        let desired = i64::try_from(nodes.len()).unwrap_or(i64::MAX);
        if int_or_percent(at("maxSurge"), desired, true) > 0 {
            let name = json::text(set, "/metadata/name").to_owned();
            self.problem(format!("DaemonSet {name}: maxSurge is not simulated"));
            return;
        }
        let allowed = int_or_percent(at("maxUnavailable"), desired, true);
        let mut unavailable = 0;
        let mut unwell = Vec::new();
        let mut candidates = Vec::new();
        for pods in nodes.values() {
            let mut living = pods.iter().filter(|pod| !pod.dying);
            match (living.next(), living.next()) {
                (Some(pod), None) if pod.revision == hash => {
                    unavailable += i64::from(pod.is_unavailable());
                }
                (Some(pod), None) if pod.is_unavailable() => {
                    unwell.push(&pod.key);
                    unavailable += 1;
                }
                (Some(pod), None) => candidates.push(&pod.key),
                // None, or one too many: the next pass sees to it.
                (None, _) | (Some(_), Some(_)) => unavailable += 1,
            }
        }
        let room = usize::try_from(allowed - unavailable).unwrap_or_default();
        for pod in unwell.into_iter().chain(candidates.into_iter().take(room)) {
            self.delete_pod(pod, None);
        }
    }

    fn write_daemon_set_status(&mut self, key: &Key, set: &Value, hash: &str, nodes: &Nodes) {
        // Of each node the oldest pod counts.
        let first: Vec<&Member> = nodes.values().filter_map(|pods| pods.first()).collect();
        let count = |is: &dyn Fn(&Member) -> bool| first.iter().filter(|pod| is(pod)).count();
        let available = count(&|pod| pod.available);
        let mut status = json!({
            "observedGeneration": json::int(set, "/metadata/generation"),
            "desiredNumberScheduled": nodes.len(),
            "currentNumberScheduled": first.len(),
            "numberMisscheduled": 0,
            "numberReady": count(&|pod| pod.ready),
            "updatedNumberScheduled": count(&|pod| pod.revision == hash),
            "numberAvailable": available,
            "numberUnavailable": nodes.len() - available,
        });
        if let Some(members) = status.as_object_mut() {
            // The real server leaves these out when they are zero.
            let optional = [
                "updatedNumberScheduled",
                "numberAvailable",
                "numberUnavailable",
            ];
            members.retain(|name, value| *value != json!(0) || !optional.contains(&name.as_str()));
        }
        self.modify(key, |value| json::set(value, &["status"], status));
    }
}
