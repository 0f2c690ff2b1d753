//! The ReplicaSet controller: as many pods as asked for, the least useful ones going first.

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::resource::Resource;
use crate::api::store::Key;
use crate::json;
use crate::model::Model;
use crate::workload::deployment::owner_reference;
use crate::workload::endpoints::is_over;
use crate::workload::queue::Work;
use crate::workload::react::{controller, is_dying};

/// A pod of a ReplicaSet that is not on its way out.
struct Member {
    key: Key,
    created: String,
    /// Since when it is ready.
    ready: Option<Instant>,
    started: bool,
}

impl Model {
    /// One pass of the ReplicaSet controller.
    pub(crate) fn sync_replica_set(&mut self, key: &Key) {
        let Some(set) = self.object(key) else {
            return;
        };
        let set = set.value();
        let members = self.members(key, set);
        if !is_dying(set) {
            let wanted = json::int(set, "/spec/replicas").unwrap_or_default();
            let wanted = usize::try_from(wanted).unwrap_or_default();
            if members.len() < wanted {
                for _ in members.len()..wanted {
                    self.create_pod(key, set);
                }
            } else if members.len() > wanted {
                let surplus = members.len() - wanted;
                for victim in least_useful(&members).into_iter().take(surplus) {
                    self.delete_pod(&victim, None);
                }
            }
        }
        let members = self.members(key, set);
        self.write_set_status(key, set, &members);
    }

    fn members(&self, key: &Key, set: &Value) -> Vec<Member> {
        let uid = json::text(set, "/metadata/uid");
        self.store
            .dependents(uid)
            .into_iter()
            .filter(|pod| pod.resource == Resource::Pods && pod.namespace == key.namespace)
            .filter_map(|pod| {
                let value = self.value(&pod)?;
                let ours = controller(value).is_some_and(|(_, _, owner)| owner == uid);
                (ours && !is_over(value) && !is_dying(value)).then(|| Member {
                    created: json::text(value, "/metadata/creationTimestamp").to_owned(),
                    ready: self.ready_since(&pod),
                    started: !json::text(value, "/status/podIP").is_empty(),
                    key: pod,
                })
            })
            .collect()
    }

    fn create_pod(&mut self, key: &Key, set: &Value) {
        let template = json::at(set, "/spec/template").cloned().unwrap_or_default();
        let owner = owner_reference(
            "apps/v1",
            "ReplicaSet",
            &key.name,
            json::text(set, "/metadata/uid"),
        );
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": template.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "spec": template.get("spec").cloned().unwrap_or_default(),
            "status": { "phase": "Pending" },
        });
        json::set(
            &mut pod,
            &["metadata", "generateName"],
            json!(format!("{}-", key.name)),
        );
        json::set(&mut pod, &["metadata", "ownerReferences"], json!([owner]));
        let name = format!("{}-{}", key.name, self.suffix(5));
        let pod_key = Key::new(Resource::Pods, &key.namespace, &name);
        if self.store.get(&pod_key).is_none() {
            self.spawn(pod_key, pod);
        } else {
            // One in fourteen million: the next pass draws another name.
            self.queue_soon(Work::ReplicaSet(key.clone()));
        }
    }

    fn write_set_status(&mut self, key: &Key, set: &Value, members: &[Member]) {
        let now = Instant::now();
        let settle = json::int(set, "/spec/minReadySeconds").unwrap_or_default();
        let settle = Duration::from_secs(u64::try_from(settle).unwrap_or_default());
        let ready = members
            .iter()
            .filter(|member| member.ready.is_some())
            .count();
        let available = members
            .iter()
            .filter(|member| member.ready.is_some_and(|since| since + settle <= now))
            .count();
        let next = members
            .iter()
            .filter_map(|member| member.ready.map(|since| since + settle))
            .filter(|at| *at > now)
            .min();
        let mut status = json!({
            "replicas": members.len(),
            "fullyLabeledReplicas": members.len(),
            "readyReplicas": ready,
            "availableReplicas": available,
            "observedGeneration": json::int(set, "/metadata/generation"),
        });
        if let Some(counts) = status.as_object_mut() {
            counts.retain(|name, value| name == "replicas" || *value != json!(0));
        }
        self.modify(key, |value| json::set(value, &["status"], status));
        if let Some(at) = next {
            self.queue_at(Work::ReplicaSet(key.clone()), at);
        }
    }
}

/// Not started before started, not ready before ready, ready for a short time before ready for
/// long, young before old.
fn least_useful(members: &[Member]) -> Vec<Key> {
    let mut ranked: Vec<&Member> = members.iter().collect();
    ranked.sort_by_key(|member| {
        (
            member.started,
            member.ready.is_some(),
            member.ready.map(Reverse),
            Reverse(member.created.clone()),
            member.key.name.clone(),
        )
    });
    ranked
        .into_iter()
        .map(|member| member.key.clone())
        .collect()
}
