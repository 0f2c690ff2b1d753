//! Deletion: preconditions, finalizers, the grace of pods, namespaces with all that is in them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::error::ApiError;
use crate::api::resource::Resource;
use crate::api::store::{Key, Object};
use crate::json;
use crate::model::Model;
use crate::workload::endpoints::is_over;

/// What a delete returns.
#[derive(Clone, Debug)]
pub(crate) enum Deleted {
    /// The object is still there and will go.
    Going(Arc<Object>),
    /// The object is gone.
    Gone(Value),
}

/// The finalizer of a foreground deletion.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";

impl Model {
    /// Deletes an object as its `DeleteOptions` ask.
    pub(crate) fn delete(
        &mut self,
        key: &Key,
        options: &Value,
        dry_run: bool,
    ) -> Result<Deleted, ApiError> {
        let existing = self
            .store
            .get(key)
            .map(Arc::clone)
            .ok_or_else(|| ApiError::not_found(key.resource, &key.name))?;
        let value = existing.value();
        for (member, label) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
            let wanted = json::text(options, &format!("/preconditions/{member}"));
            let found = json::text(value, &format!("/metadata/{member}"));
            if !wanted.is_empty() && wanted != found {
                let why = format!(
                    "Precondition failed: {label} in precondition: {wanted}, {label} in object \
                     meta: {found}"
                );
                return Err(ApiError::conflict(key.resource, &key.name, &why));
            }
        }
        let gone = success(key, value);
        if dry_run {
            return Ok(Deleted::Gone(gone));
        }
        match json::text(options, "/propagationPolicy") {
            "Orphan" => self.orphan(json::text(value, "/metadata/uid")),
            "Foreground" => self.add_finalizer(key, FOREGROUND),
            _ => {}
        }
        let grace = json::int(options, "/gracePeriodSeconds");
        if key.resource == Resource::Pods {
            self.delete_pod(key, grace);
        } else if key.resource == Resource::Namespaces {
            self.mark_deleted(key);
            self.queue_now(crate::workload::queue::Work::Namespace(key.name.clone()));
        } else {
            self.delete_object(key);
        }
        Ok(match self.store.get(key) {
            Some(object) => Deleted::Going(Arc::clone(object)),
            None => Deleted::Gone(gone),
        })
    }

    /// Deletes an object other than a pod, unless finalizers hold it.
    pub(crate) fn delete_object(&mut self, key: &Key) {
        let Some(value) = self.value(key) else { return };
        if json::list(value, "/metadata/finalizers").is_empty() {
            self.remove(key);
        } else {
            self.mark_deleted(key);
            let uid = self
                .value(key)
                .map(|value| json::text(value, "/metadata/uid").to_owned());
            if let Some(uid) = uid {
                self.queue_soon(crate::workload::queue::Work::Owner(uid));
            }
        }
    }

    /// Deletes a pod: its endpoint goes at once, the pod after its drain time.
    pub(crate) fn delete_pod(&mut self, key: &Key, grace: Option<i64>) {
        let Some(value) = self.value(key) else { return };
        let started = !json::text(value, "/status/podIP").is_empty();
        let asked = json::int(value, "/spec/terminationGracePeriodSeconds").unwrap_or(30);
        let grace = grace.unwrap_or(asked);
        if grace == 0 || !started || is_over(value) {
            self.stop_pod(key);
            self.remove(key);
            return;
        }
        if json::at(value, "/metadata/deletionTimestamp").is_some() {
            return;
        }
        let time = self.seconds_from_now(grace);
        self.modify(key, |value| {
            json::set(value, &["metadata", "deletionTimestamp"], json!(time));
            json::set(
                value,
                &["metadata", "deletionGracePeriodSeconds"],
                json!(grace),
            );
        });
        let drain = self
            .timing
            .drain
            .min(Duration::from_secs(grace.unsigned_abs()));
        self.drain_pod(key, drain);
    }

    fn mark_deleted(&mut self, key: &Key) {
        let time = self.now_text();
        self.modify(key, |value| {
            json::default(value, &["metadata", "deletionTimestamp"], time.clone());
            if key.resource == Resource::Namespaces {
                json::set(value, &["status", "phase"], json!("Terminating"));
            }
        });
    }

    fn add_finalizer(&mut self, key: &Key, finalizer: &str) {
        self.modify(key, |value| {
            let mut finalizers = json::list(value, "/metadata/finalizers").to_vec();
            if !finalizers.iter().any(|found| found == finalizer) {
                finalizers.push(json!(finalizer));
                json::set(value, &["metadata", "finalizers"], Value::Array(finalizers));
            }
        });
    }

    /// Lets go of the dependents of an owner.
    fn orphan(&mut self, uid: &str) {
        for dependent in self.store.dependents(uid) {
            self.modify(&dependent, |value| {
                let mut owners = json::list(value, "/metadata/ownerReferences").to_vec();
                owners.retain(|owner| json::text(owner, "/uid") != uid);
                json::set(
                    value,
                    &["metadata", "ownerReferences"],
                    Value::Array(owners),
                );
            });
        }
    }
}

fn success(key: &Key, value: &Value) -> Value {
    let info = key.resource.info();
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {
            "name": key.name,
            "group": info.group,
            "kind": info.plural,
            "uid": json::text(value, "/metadata/uid"),
        },
    })
}
