//! The Deployment controller: which ReplicaSets there are and what each pass does with them.
//! Follows kube-controller-manager step by step; each pass scales at most what one pass of the
//! real controller would, and waits for the change to come back.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::resource::Resource;
use crate::api::store::{Key, Object};
use crate::json;
use crate::model::Model;
use crate::workload::react::{controller, is_dying};

/// The label that tells the pods of ReplicaSets apart.
pub(crate) const HASH: &str = "pod-template-hash";
/// The revision number of a Deployment and of its ReplicaSets.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
/// `spec.replicas` of the Deployment when the ReplicaSet was last scaled.
pub(crate) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// The same with the surge.
pub(crate) const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";

/// What a Deployment asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) key: Key,
    pub(crate) uid: String,
    pub(crate) replicas: i64,
    pub(crate) surge: i64,
    pub(crate) unavailable: i64,
    pub(crate) recreate: bool,
    pub(crate) paused: bool,
    pub(crate) min_ready_seconds: i64,
    pub(crate) history: i64,
    pub(crate) progress_deadline: i64,
    object: Arc<Object>,
}

impl Wanted {
    fn read(key: &Key, object: &Arc<Object>) -> Self {
        let value = object.value();
        let replicas = json::int(value, "/spec/replicas").unwrap_or(1);
        let recreate = json::text(value, "/spec/strategy/type") == "Recreate";
        let bound = |name: &str, round_up: bool| {
            let pointer = format!("/spec/strategy/rollingUpdate/{name}");
            int_or_percent(json::at(value, &pointer), replicas, round_up)
        };
        let (surge, unavailable) = if recreate {
            (0, 0)
        } else {
            match (bound("maxSurge", true), bound("maxUnavailable", false)) {
                // Rounded to nothing both, a rollout could not move.
                (0, 0) => (0, 1),
                bounds => bounds,
            }
        };
        Self {
            key: key.clone(),
            uid: json::text(value, "/metadata/uid").to_owned(),
            replicas,
            surge,
            unavailable: unavailable.min(replicas),
            recreate,
            paused: json::flag(value, "/spec/paused"),
            min_ready_seconds: json::int(value, "/spec/minReadySeconds").unwrap_or_default(),
            history: json::int(value, "/spec/revisionHistoryLimit").unwrap_or(10),
            progress_deadline: json::int(value, "/spec/progressDeadlineSeconds").unwrap_or(600),
            object: Arc::clone(object),
        }
    }

    /// The pod template.
    pub(crate) fn template(&self) -> &Value {
        json::at(self.object.value(), "/spec/template").unwrap_or(&Value::Null)
    }

    /// The selector, as the Deployment has it.
    pub(crate) fn selector(&self) -> &Value {
        json::at(self.object.value(), "/spec/selector").unwrap_or(&Value::Null)
    }

    /// The letters that stand for the pod template.
    pub(crate) fn hash(&self) -> String {
        json::safe_name(&json::digest(self.template()), 10)
    }
}

/// `25%` or `3` of a count.
pub(crate) fn int_or_percent(value: Option<&Value>, of: i64, round_up: bool) -> i64 {
    let Some(value) = value else { return 0 };
    if let Some(count) = value.as_i64() {
        return count;
    }
    let percent: i64 = value
        .as_str()
        .and_then(|text| text.strip_suffix('%'))
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let hundredths = percent.saturating_mul(of);
    if round_up {
        (hundredths + 99) / 100
    } else {
        hundredths / 100
    }
}

/// A ReplicaSet of a Deployment.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) key: Key,
    pub(crate) object: Arc<Object>,
    pub(crate) replicas: i64,
    pub(crate) available: i64,
}

impl Set {
    pub(crate) fn annotation(&self, name: &str) -> Option<i64> {
        json::entry(self.object.value(), "/metadata/annotations", name)?
            .parse()
            .ok()
    }

    pub(crate) fn status(&self, name: &str) -> i64 {
        json::int(self.object.value(), &format!("/status/{name}")).unwrap_or_default()
    }

    /// Oldest first; the name decides where the clock does not.
    pub(crate) fn by_age(&self, other: &Self) -> Ordering {
        let created = "/metadata/creationTimestamp";
        json::text(self.object.value(), created)
            .cmp(json::text(other.object.value(), created))
            .then_with(|| self.revision().cmp(&other.revision()))
            .then_with(|| self.key.name.cmp(&other.key.name))
    }

    pub(crate) fn revision(&self) -> i64 {
        self.annotation(REVISION).unwrap_or_default()
    }

    /// Whether the pods are the same but for the label that tells them apart.
    fn has_template(&self, template: &Value) -> bool {
        let own = json::at(self.object.value(), "/spec/template").unwrap_or(&Value::Null);
        if own.get("spec") != template.get("spec") {
            return false;
        }
        let mut metadata = own.get("metadata").cloned().unwrap_or_default();
        json::remove(&mut metadata, &["labels", HASH]);
        Some(&metadata) == template.get("metadata")
    }
}

/// The ReplicaSets of a Deployment, told apart by template.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sets {
    /// The one with the Deployment's template.
    pub(crate) new: Option<Set>,
    /// All others, oldest first.
    pub(crate) old: Vec<Set>,
}

impl Sets {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Set> {
        self.old.iter().chain(&self.new)
    }

    pub(crate) fn replicas(&self) -> i64 {
        self.all().map(|set| set.replicas).sum()
    }

    pub(crate) fn available(&self) -> i64 {
        self.all().map(|set| set.available).sum()
    }
}

impl Model {
    /// One pass of the Deployment controller.
    pub(crate) fn sync_deployment(&mut self, key: &Key) {
        let Some(object) = self.store.get(key) else {
            return;
        };
        if is_dying(object.value()) {
            return;
        }
        let wanted = Wanted::read(key, object);
        self.adopt(Resource::ReplicaSets, key, wanted.object.value());
        let sets = self.sets(&wanted);
        if wanted.paused || is_scaled(&wanted, &sets) {
            self.scale(&wanted, &sets);
        } else if wanted.recreate {
            self.recreate(&wanted, sets);
        } else {
            self.roll(&wanted, sets);
        }
        let sets = self.sets(&wanted);
        self.clean_history(&wanted, &sets);
        self.write_deployment_status(&wanted, &sets);
    }

    /// The ReplicaSets that this Deployment controls.
    pub(crate) fn sets(&self, wanted: &Wanted) -> Sets {
        let mut all: Vec<Set> = self
            .store
            .list(Resource::ReplicaSets, Some(&wanted.key.namespace))
            .filter(|(_, object)| {
                controller(object.value()).is_some_and(|(_, _, uid)| uid == wanted.uid)
            })
            .map(|(key, object)| {
                let number = |at: &str| json::int(object.value(), at).unwrap_or_default();
                let replicas = number("/spec/replicas");
                Set {
                    key: key.clone(),
                    object: Arc::clone(object),
                    replicas,
                    // The status may be older than the spec: what was scaled away is not counted.
                    available: number("/status/availableReplicas").min(replicas),
                }
            })
            .collect();
        all.sort_by(Set::by_age);
        let new = all
            .iter()
            .position(|set| set.has_template(wanted.template()));
        let new = new.map(|index| all.remove(index));
        Sets { new, old: all }
    }

    /// Sets a ReplicaSet's size, and notes what the Deployment wanted then.
    pub(crate) fn scale_set(&mut self, wanted: &Wanted, set: &Set, replicas: i64) -> bool {
        let (desired, maximum) = (wanted.replicas, wanted.replicas + wanted.surge);
        let changed = set.replicas != replicas;
        let noted = set.annotation(DESIRED) == Some(desired);
        if !changed && noted && set.annotation(MAXIMUM) == Some(maximum) {
            return false;
        }
        self.modify(&set.key, |value| {
            json::set(value, &["spec", "replicas"], json!(replicas));
            annotate(value, DESIRED, desired);
            annotate(value, MAXIMUM, maximum);
        });
        changed
    }

    /// Removes old, empty ReplicaSets beyond the limit once the rollout is done.
    fn clean_history(&mut self, wanted: &Wanted, sets: &Sets) {
        let done = sets
            .new
            .as_ref()
            .is_some_and(|new| new.replicas == wanted.replicas && new.available == wanted.replicas);
        if !done {
            return;
        }
        let empty: Vec<Key> = sets
            .old
            .iter()
            .filter(|set| set.replicas == 0 && set.status("replicas") == 0)
            .map(|set| set.key.clone())
            .collect();
        let keep = usize::try_from(wanted.history).unwrap_or_default();
        for key in empty.iter().take(empty.len().saturating_sub(keep)) {
            self.delete_object(key);
        }
    }
}

/// Whether `spec.replicas` changed since the ReplicaSets were last scaled.
fn is_scaled(wanted: &Wanted, sets: &Sets) -> bool {
    sets.all()
        .filter(|set| set.replicas > 0)
        .filter_map(|set| set.annotation(DESIRED))
        .any(|desired| desired != wanted.replicas)
}

/// Sets a numeric annotation.
pub(crate) fn annotate(value: &mut Value, name: &str, number: i64) {
    json::set(
        value,
        &["metadata", "annotations", name],
        json!(number.to_string()),
    );
}

/// A controller's owner reference.
pub(crate) fn owner_reference(api_version: &str, kind: &str, name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::int_or_percent;

    #[test]
    fn surge_rounds_up_and_unavailability_down() {
        for (value, of, up, expected) in [
            (json!("25%"), 10, true, 3),
            (json!("25%"), 10, false, 2),
            (json!("25%"), 3, false, 0),
            (json!("100%"), 7, true, 7),
            (json!(2), 10, true, 2),
            (json!("0%"), 10, true, 0),
        ] {
            assert_eq!(
                int_or_percent(Some(&value), of, up),
                expected,
                "{value} of {of}"
            );
        }
        assert_eq!(int_or_percent(None, 10, true), 0);
    }
}
