//! The StatefulSet controller: numbered pods, made in order and replaced from the last one down.
//! Follows `updateStatefulSet` of kube-controller-manager 1.36 step by step, without volume claims
//! and without `maxUnavailable`, whose feature gate is off by default.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::resource::Resource;
use crate::api::store::Key;
use crate::json;
use crate::model::Model;
use crate::workload::member::Member;
use crate::workload::queue::Work;
use crate::workload::react::is_dying;
use crate::workload::revision::Revision;

/// How long until a name that somebody else has is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// What a StatefulSet asks for.
pub(super) struct Wanted {
    pub(super) key: Key,
    pub(super) start: i64,
    pub(super) replicas: i64,
    /// Pods are made and removed one after the other.
    ordered: bool,
    rolling: bool,
    /// Absent: as many as there are at the current revision keep it when they are made anew.
    partition: Option<i64>,
    pub(super) current: Revision,
    pub(super) update: Revision,
}

impl Wanted {
    fn read(key: &Key, set: &Value, current: Revision, update: Revision) -> Self {
        let number = |pointer: &str| json::int(set, pointer);
        Self {
            key: key.clone(),
            start: number("/spec/ordinals/start").unwrap_or_default(),
            replicas: number("/spec/replicas").unwrap_or(1),
            ordered: json::text(set, "/spec/podManagementPolicy") != "Parallel",
            rolling: json::text(set, "/spec/updateStrategy/type") != "OnDelete",
            partition: number("/spec/updateStrategy/rollingUpdate/partition"),
            current,
            update,
        }
    }

    fn name(&self, ordinal: i64) -> String {
        format!("{}-{ordinal}", self.key.name)
    }

    /// The number at the end of a pod's name.
    fn ordinal(&self, pod: &Key) -> Option<i64> {
        let rest = pod.name.strip_prefix(self.key.name.as_str())?;
        rest.strip_prefix('-')?.parse().ok()
    }

    /// What a pod is made from that is missing now.
    fn revision_for(&self, ordinal: i64, set: &Value) -> &Revision {
        let current = match self.partition {
            Some(partition) => ordinal < partition,
            None => {
                let standing = json::int(set, "/status/currentReplicas").unwrap_or_default();
                self.rolling && ordinal < self.start + standing
            }
        };
        if current { &self.current } else { &self.update }
    }
}

impl Model {
    /// One pass of the StatefulSet controller.
    pub(crate) fn sync_stateful_set(&mut self, key: &Key) {
        let Some(object) = self.object(key) else {
            return;
        };
        let set = object.value();
        if !is_dying(set) {
            self.adopt(Resource::Pods, key, set);
        }
        let revisions = self.revisions(key, set);
        let Some(update) = self.present_revision(key, set, &revisions) else {
            return;
        };
        let name = json::text(set, "/status/currentRevision");
        let current = revisions.iter().find(|revision| revision.key.name == name);
        let current = current.cloned().unwrap_or_else(|| update.clone());
        let wanted = Wanted::read(key, set, current, update);
        if !is_dying(set) {
            self.move_stateful_set(&wanted, set);
        }
        let pods = self.pods_of(key, set);
        if let Some(at) = pods.iter().filter_map(|pod| pod.available_at).min() {
            self.queue_at(Work::StatefulSet(key.clone()), at);
        }
        self.write_stateful_set_status(&wanted, set, &pods);
        let unused: Vec<Revision> = revisions
            .into_iter()
            .filter(|revision| {
                let name = &revision.key.name;
                *name != wanted.current.key.name
                    && *name != wanted.update.key.name
                    && pods.iter().all(|pod| pod.revision != *name)
            })
            .collect();
        self.clean_revisions(set, &unused);
    }

    /// Does what one pass may do; what it changes brings about the next.
    fn move_stateful_set(&mut self, wanted: &Wanted, set: &Value) {
        let pods = self.pods_of(&wanted.key, set);
        let end = wanted.start + wanted.replicas;
        let slot = |ordinal: i64| {
            pods.iter()
                .find(|pod| wanted.ordinal(&pod.key) == Some(ordinal))
        };
        for ordinal in wanted.start..end {
            let well = match slot(ordinal) {
                None => {
                    self.create_ordinal(wanted, set, ordinal);
                    false
                }
                Some(pod) if pod.over => {
                    if !pod.dying {
                        self.delete_pod(&pod.key, None);
                    }
                    false
                }
                Some(pod) => !pod.is_unavailable(),
            };
            // In order, nothing goes on beyond a pod that is not well: neither does an update, nor
            // the way back from one. Such a pod stays until somebody deletes it.
            if wanted.ordered && !well {
                return;
            }
        }
        let mut condemned: Vec<(i64, &Member)> = pods
            .iter()
            .filter_map(|pod| Some((wanted.ordinal(&pod.key)?, pod)))
            .filter(|(ordinal, _)| !(wanted.start..end).contains(ordinal))
            .collect();
        condemned.sort_by_key(|(ordinal, _)| -ordinal);
        if self.remove_condemned(wanted, &condemned) || !wanted.rolling {
            return;
        }
        let first = wanted.partition.unwrap_or_default().max(wanted.start);
        for ordinal in (first..end).rev() {
            // What was made in this pass is not ready yet.
            let Some(pod) = slot(ordinal) else { return };
            if pod.revision != wanted.update.key.name && !pod.dying {
                self.delete_pod(&pod.key, None);
                return;
            }
            if pod.is_unavailable() {
                return;
            }
        }
    }

    /// Deletes pods beyond the wanted number, in order one at a time; true if the pass ends here.
    fn remove_condemned(&mut self, wanted: &Wanted, condemned: &[(i64, &Member)]) -> bool {
        let first_unwell = condemned
            .iter()
            .rev()
            .find(|(_, pod)| pod.is_unavailable())
            .map(|(ordinal, _)| *ordinal);
        for (ordinal, pod) in condemned {
            if pod.dying {
                if wanted.ordered {
                    return true;
                }
                continue;
            }
            let waits = !pod.available && first_unwell != Some(*ordinal);
            if wanted.ordered && waits {
                return true;
            }
            self.delete_pod(&pod.key, None);
            if wanted.ordered {
                return true;
            }
        }
        false
    }

    fn create_ordinal(&mut self, wanted: &Wanted, set: &Value, ordinal: i64) {
        let revision = wanted.revision_for(ordinal, set);
        let name = wanted.name(ordinal);
        let subdomain = json::text(set, "/spec/serviceName");
        let label = revision.key.name.as_str();
        let template = &revision.template;
        let made = self.create_member(&wanted.key, set, template, label, &name, |pod| {
            let labels = |label| ["metadata", "labels", label];
            let index = ordinal.to_string();
            json::set(
                pod,
                &labels("statefulset.kubernetes.io/pod-name"),
                json!(name),
            );
            json::set(pod, &labels("apps.kubernetes.io/pod-index"), json!(index));
            json::set(pod, &["spec", "hostname"], json!(name));
            json::set(pod, &["spec", "subdomain"], json!(subdomain));
        });
        if !made {
            self.problem(format!(
                "StatefulSet {}: there is a pod {name} that is not its own",
                wanted.key.name
            ));
            let again = Instant::now() + RETRY;
            self.queue_at(Work::StatefulSet(wanted.key.clone()), again);
        }
    }

    fn write_stateful_set_status(&mut self, wanted: &Wanted, set: &Value, pods: &[Member]) {
        let count = |is: &dyn Fn(&Member) -> bool| pods.iter().filter(|pod| is(pod)).count();
        let of = |revision: &Revision| {
            count(&|pod: &Member| !pod.dying && pod.revision == revision.key.name)
        };
        let (replicas, ready) = (pods.len(), count(&|pod| pod.ready));
        let (updated, mut standing) = (of(&wanted.update), of(&wanted.current));
        let mut current = wanted.current.key.name.as_str();
        let all = usize::try_from(wanted.replicas).unwrap_or_default();
        if wanted.rolling && [updated, ready, replicas] == [all; 3] {
            current = &wanted.update.key.name;
            standing = updated;
        }
        let mut status = json!({
            "observedGeneration": json::int(set, "/metadata/generation"),
            "replicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": count(&|pod| pod.available),
            "currentReplicas": standing,
            "updatedReplicas": updated,
            "currentRevision": current,
            "updateRevision": wanted.update.key.name,
            "collisionCount": 0,
        });
        if let Some(members) = status.as_object_mut() {
            // The real server leaves these out when they are zero.
            let optional = ["readyReplicas", "currentReplicas", "updatedReplicas"];
            members.retain(|name, value| *value != json!(0) || !optional.contains(&name.as_str()));
        }
        self.modify(&wanted.key, |value| json::set(value, &["status"], status));
    }
}
