//! Moving a Deployment from its old ReplicaSets to the new one.

use serde_json::json;

use crate::api::resource::Resource;
use crate::api::store::Key;
use crate::json;
use crate::model::Model;
use crate::workload::deployment::{
    DESIRED, HASH, MAXIMUM, REVISION, Set, Sets, Wanted, annotate, owner_reference,
};

impl Model {
    /// One pass of a rolling update: scale up if that is allowed, else scale down.
    pub(crate) fn roll(&mut self, wanted: &Wanted, mut sets: Sets) {
        let created = self.ensure_new_set(wanted, &mut sets);
        if created || self.scale_up_new(wanted, &sets) {
            return;
        }
        self.scale_down_old(wanted, &sets);
    }

    /// One pass of a Recreate rollout: all old pods go, then the new ones come.
    pub(crate) fn recreate(&mut self, wanted: &Wanted, mut sets: Sets) {
        let mut scaled = false;
        for set in sets.old.iter().filter(|set| set.replicas > 0) {
            scaled |= self.scale_set(wanted, set, 0);
        }
        if scaled || self.old_pods_exist(&sets) {
            return;
        }
        if self.ensure_new_set(wanted, &mut sets) {
            return;
        }
        if let Some(new) = &sets.new
            && new.replicas != wanted.replicas
        {
            self.scale_set(wanted, new, wanted.replicas);
        }
    }

    fn old_pods_exist(&self, sets: &Sets) -> bool {
        sets.old.iter().any(|set| {
            let uid = json::text(set.object.value(), "/metadata/uid");
            self.store
                .dependents(uid)
                .iter()
                .any(|key| key.resource == Resource::Pods)
        })
    }

    /// Finds or creates the ReplicaSet of the present template; true if it was created.
    fn ensure_new_set(&mut self, wanted: &Wanted, sets: &mut Sets) -> bool {
        let last = sets.old.iter().map(Set::revision).max().unwrap_or_default();
        if let Some(new) = &sets.new {
            // Going back to an old template makes its ReplicaSet the newest revision.
            if new.revision() <= last {
                self.modify(&new.key, |value| annotate(value, REVISION, last + 1));
            }
            let path = "/spec/minReadySeconds";
            if json::int(new.object.value(), path) != Some(wanted.min_ready_seconds) {
                self.modify(&new.key, |value| {
                    let seconds = json!(wanted.min_ready_seconds);
                    json::set(value, &["spec", "minReadySeconds"], seconds);
                });
            }
            return false;
        }
        let hash = wanted.hash();
        let mut template = wanted.template().clone();
        json::set(&mut template, &["metadata", "labels", HASH], json!(hash));
        let mut selector = wanted.selector().clone();
        json::set(&mut selector, &["matchLabels", HASH], json!(hash));
        let labels = json::at(&template, "/metadata/labels")
            .cloned()
            .unwrap_or_default();
        let replicas = new_set_size(wanted, sets.replicas(), 0);
        let owner = owner_reference("apps/v1", "Deployment", &wanted.key.name, &wanted.uid);
        let mut set = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": { "labels": labels, "ownerReferences": [owner] },
            "spec": {
                "replicas": replicas,
                "minReadySeconds": wanted.min_ready_seconds,
                "selector": selector,
                "template": template,
            },
            "status": { "replicas": 0 },
        });
        annotate(&mut set, REVISION, last + 1);
        annotate(&mut set, DESIRED, wanted.replicas);
        annotate(&mut set, MAXIMUM, wanted.replicas + wanted.surge);
        let name = format!("{}-{hash}", wanted.key.name);
        let key = Key::new(Resource::ReplicaSets, &wanted.key.namespace, &name);
        if self.store.get(&key).is_some() {
            let taken = format!("ReplicaSet {name} exists but is not owned by its Deployment");
            self.problem(taken);
            return true;
        }
        self.spawn(key, set);
        true
    }

    fn scale_up_new(&mut self, wanted: &Wanted, sets: &Sets) -> bool {
        let Some(new) = &sets.new else { return false };
        let size = if new.replicas > wanted.replicas {
            wanted.replicas
        } else {
            new_set_size(wanted, sets.replicas(), new.replicas)
        };
        size != new.replicas && self.scale_set(wanted, new, size)
    }

    fn scale_down_old(&mut self, wanted: &Wanted, sets: &Sets) {
        if sets.old.iter().all(|set| set.replicas == 0) {
            return;
        }
        let needed = wanted.replicas - wanted.unavailable;
        let new_unavailable = sets
            .new
            .as_ref()
            .map_or(0, |new| (new.replicas - new.available).max(0));
        let spare = sets.replicas() - needed - new_unavailable;
        if spare <= 0 {
            return;
        }
        // Unhealthy old pods serve nobody: they go first, and do not count against the healthy.
        let mut sizes: Vec<i64> = sets.old.iter().map(|set| set.replicas).collect();
        let mut left = spare;
        for (set, size) in sets.old.iter().zip(&mut sizes) {
            let cut = (set.replicas - set.available).clamp(0, left);
            *size -= cut;
            left -= cut;
        }
        let mut left = (sets.available() - needed).max(0);
        for size in &mut sizes {
            let cut = (*size).clamp(0, left);
            *size -= cut;
            left -= cut;
        }
        for (set, size) in sets.old.iter().zip(sizes) {
            if size != set.replicas {
                self.scale_set(wanted, set, size);
            }
        }
    }
}

/// How large the new ReplicaSet may be, with `total` replicas over all sets.
fn new_set_size(wanted: &Wanted, total: i64, current: i64) -> i64 {
    if wanted.recreate {
        return wanted.replicas;
    }
    let room = wanted.replicas + wanted.surge - total;
    if room <= 0 {
        return current;
    }
    current + room.min(wanted.replicas - current).max(0)
}
