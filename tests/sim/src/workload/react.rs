//! Which controllers a change concerns.

use serde_json::Value;

use crate::api::resource::Resource;
use crate::api::store::{Change, Key};
use crate::json;
use crate::model::{Model, is_removal};
use crate::workload::queue::Work;

/// The controller among an object's owners: `(kind, name, uid)`.
pub(crate) fn controller(value: &Value) -> Option<(&str, &str, &str)> {
    json::list(value, "/metadata/ownerReferences")
        .iter()
        .find(|owner| json::flag(owner, "/controller"))
        .map(|owner| {
            (
                json::text(owner, "/kind"),
                json::text(owner, "/name"),
                json::text(owner, "/uid"),
            )
        })
}

/// Whether an object is being deleted.
pub(crate) fn is_dying(value: &Value) -> bool {
    json::at(value, "/metadata/deletionTimestamp").is_some()
}

/// Whether a workload's own controller has nothing to do with a change: it wrote it itself.
fn is_status_only(change: &Change) -> bool {
    let Some(before) = change.before.as_ref().map(|object| object.value()) else {
        return false;
    };
    let after = change.after.value();
    before.get("spec") == after.get("spec")
        && json::at(before, "/metadata/generation") == json::at(after, "/metadata/generation")
        && is_dying(before) == is_dying(after)
        && json::at(before, "/metadata/ownerReferences")
            == json::at(after, "/metadata/ownerReferences")
}

impl Model {
    /// Queues the work that follows from a change. Endpoints follow at once.
    pub(crate) fn react(&mut self, change: &Change) {
        let key = &change.key;
        self.react_to_owners(change);
        match key.resource {
            Resource::Deployments => {
                if !is_status_only(change) {
                    self.queue_soon(Work::Deployment(key.clone()));
                }
            }
            Resource::ReplicaSets => {
                if !is_status_only(change) {
                    self.queue_soon(Work::ReplicaSet(key.clone()));
                }
                self.queue_controller(change.after.value(), &key.namespace);
            }
            Resource::StatefulSets => {
                if !is_status_only(change) {
                    self.queue_soon(Work::StatefulSet(key.clone()));
                }
            }
            Resource::DaemonSets => {
                if !is_status_only(change) {
                    self.queue_soon(Work::DaemonSet(key.clone()));
                }
            }
            Resource::Jobs => {
                if is_removal(change) {
                    self.jobs
                        .remove(json::text(change.after.value(), "/metadata/uid"));
                } else if !is_status_only(change) {
                    self.queue_soon(Work::Job(key.clone()));
                }
            }
            Resource::HttpRoutes => {
                if is_removal(change) || !is_status_only(change) {
                    self.queue_gateway(Work::Route(key.clone()));
                }
            }
            Resource::Ingresses => self.queue_gateway(Work::Ingresses(key.namespace.clone())),
            Resource::Pods => self.react_to_pod(change),
            Resource::Services => {
                if is_removal(change) {
                    self.withdraw_service(change.after.value());
                }
                if is_removal(change) || change.before.is_none() {
                    self.queue_routes(&key.namespace);
                }
                self.sync_service(&key.namespace, &key.name);
            }
            Resource::Namespaces
            | Resource::Secrets
            | Resource::ConfigMaps
            | Resource::ResourceQuotas
            | Resource::ServiceAccounts
            | Resource::CoreEvents
            | Resource::Events
            | Resource::ControllerRevisions
            | Resource::EndpointSlices
            | Resource::Leases
            | Resource::CronJobs
            | Resource::HorizontalPodAutoscalers
            | Resource::PodDisruptionBudgets
            | Resource::CustomResourceDefinitions
            | Resource::Pipelines
            | Resource::Rollouts
            | Resource::Approvals
            | Resource::Requests => {}
        }
    }

    fn react_to_pod(&mut self, change: &Change) {
        let key = &change.key;
        let value = change.after.value();
        if is_removal(change) {
            self.pods.remove(key);
            self.note_job_pod(change);
            // A Recreate rollout waits until the last old pod is gone.
            if let Some(("ReplicaSet", set, _)) = controller(value) {
                let set = Key::new(Resource::ReplicaSets, &key.namespace, set);
                if let Some(owner) = self.value(&set).cloned() {
                    self.queue_controller(&owner, &key.namespace);
                }
            }
        } else if change.before.is_none() {
            self.admit_pod(key);
        }
        self.queue_controller(value, &key.namespace);
        self.sync_services_of(change);
    }

    fn queue_controller(&mut self, value: &Value, namespace: &str) {
        match controller(value) {
            Some(("Deployment", name, _)) => {
                let key = Key::new(Resource::Deployments, namespace, name);
                self.queue_soon(Work::Deployment(key));
            }
            Some(("ReplicaSet", name, _)) => {
                let key = Key::new(Resource::ReplicaSets, namespace, name);
                self.queue_soon(Work::ReplicaSet(key));
            }
            Some(("StatefulSet", name, _)) => {
                let key = Key::new(Resource::StatefulSets, namespace, name);
                self.queue_soon(Work::StatefulSet(key));
            }
            Some(("DaemonSet", name, _)) => {
                let key = Key::new(Resource::DaemonSets, namespace, name);
                self.queue_soon(Work::DaemonSet(key));
            }
            Some(("Job", name, _)) => {
                let key = Key::new(Resource::Jobs, namespace, name);
                self.queue_soon(Work::Job(key));
            }
            Some(_) | None => {}
        }
    }

    fn react_to_owners(&mut self, change: &Change) {
        let value = change.after.value();
        if is_removal(change) {
            let uid = json::text(value, "/metadata/uid");
            if !self.store.dependents(uid).is_empty() {
                self.queue_soon(Work::Owner(uid.to_owned()));
            }
            // An owner that is deleted in the foreground waits for its dependents.
            for owner in json::list(value, "/metadata/ownerReferences") {
                let uid = json::text(owner, "/uid");
                let waits = self
                    .store
                    .key_of_uid(uid)
                    .and_then(|key| self.value(key))
                    .is_some_and(is_dying);
                if waits {
                    self.queue_soon(Work::Owner(uid.to_owned()));
                }
            }
        } else if !json::list(value, "/metadata/ownerReferences").is_empty() {
            let before = change.before.as_ref().map(|object| object.value());
            let pointer = "/metadata/ownerReferences";
            if before.and_then(|before| json::at(before, pointer)) != json::at(value, pointer) {
                self.queue_soon(Work::Dependent(change.key.clone()));
            }
        }
    }
}
