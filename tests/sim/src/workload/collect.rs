//! Garbage collection by owner references, and the emptying of namespaces.

use serde_json::{Value, json};

use crate::api::delete::FOREGROUND;
use crate::api::resource::Resource;
use crate::api::store::Key;
use crate::json;
use crate::model::Model;
use crate::workload::queue::Work;
use crate::workload::react::is_dying;

impl Model {
    /// An owner went, or is being deleted in the foreground.
    pub(crate) fn collect_dependents(&mut self, uid: &str) {
        let dependents = self.store.dependents(uid);
        let Some(owner) = self.store.key_of_uid(uid).cloned() else {
            for dependent in &dependents {
                self.collect_if_orphaned(dependent);
            }
            return;
        };
        let foreground = self.value(&owner).is_some_and(|value| {
            is_dying(value)
                && json::list(value, "/metadata/finalizers")
                    .iter()
                    .any(|name| name == FOREGROUND)
        });
        if !foreground {
            return;
        }
        let mut blocking = false;
        for dependent in &dependents {
            let Some(value) = self.value(dependent) else {
                continue;
            };
            let blocks = json::list(value, "/metadata/ownerReferences")
                .iter()
                .any(|reference| {
                    json::text(reference, "/uid") == uid
                        && json::flag(reference, "/blockOwnerDeletion")
                });
            blocking |= blocks;
            if !is_dying(value) {
                let options = json!({ "propagationPolicy": "Foreground" });
                // Gone in between is as good as deleted.
                let _ = self.delete(dependent, &options, false);
            }
        }
        if !blocking {
            self.modify(&owner, |value| {
                let mut finalizers = json::list(value, "/metadata/finalizers").to_vec();
                finalizers.retain(|name| name != FOREGROUND);
                json::set(value, &["metadata", "finalizers"], Value::Array(finalizers));
            });
            self.delete_object(&owner);
        }
    }

    /// Deletes an object when none of its owners is left. Owners are looked for in the object's
    /// own namespace and among the objects of the whole cluster: a reference across namespaces
    /// names nobody, and the object goes.
    pub(crate) fn collect_if_orphaned(&mut self, key: &Key) {
        let Some(value) = self.value(key) else { return };
        let owners = json::list(value, "/metadata/ownerReferences").to_vec();
        if owners.is_empty() || is_dying(value) {
            return;
        }
        let left: Vec<Value> = owners
            .iter()
            .filter(|owner| self.owner_exists(key, owner))
            .cloned()
            .collect();
        if left.is_empty() {
            if key.resource == Resource::Pods {
                self.delete_pod(key, None);
            } else {
                self.delete_object(key);
            }
        } else if left.len() < owners.len() {
            self.modify(key, |value| {
                json::set(value, &["metadata", "ownerReferences"], Value::Array(left));
            });
        }
    }

    fn owner_exists(&self, dependent: &Key, owner: &Value) -> bool {
        self.store
            .key_of_uid(json::text(owner, "/uid"))
            .is_some_and(|key| {
                (key.namespace.is_empty() || key.namespace == dependent.namespace)
                    && key.name == json::text(owner, "/name")
            })
    }

    /// Deletes what is in a namespace; once it is empty, the namespace.
    pub(crate) fn empty_namespace(&mut self, name: &str) {
        let namespace = Key::new(Resource::Namespaces, "", name);
        if !self.value(&namespace).is_some_and(is_dying) {
            return;
        }
        let inside = self.store.in_namespace(name);
        if inside.is_empty() {
            self.gone_namespaces.insert(name.to_owned());
            self.remove(&namespace);
            return;
        }
        for key in &inside {
            if key.resource == Resource::Pods {
                self.delete_pod(key, None);
            } else if !self.value(key).is_some_and(is_dying) {
                self.delete_object(key);
            }
        }
        self.queue_soon(Work::Namespace(name.to_owned()));
    }
}
