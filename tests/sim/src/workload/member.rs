//! Pods as the controllers of StatefulSets and DaemonSets look at them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::resource::Resource;
use crate::api::store::Key;
use crate::json;
use crate::model::Model;
use crate::workload::deployment::owner_reference;
use crate::workload::endpoints::{is_over, is_ready};
use crate::workload::react::{controller, is_dying};
use crate::workload::revision::HASH;

/// A pod that a workload controls.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) key: Key,
    pub(crate) created: String,
    pub(crate) node: String,
    /// What it was made from.
    pub(crate) revision: String,
    /// All its containers have ended.
    pub(crate) over: bool,
    pub(crate) dying: bool,
    pub(crate) ready: bool,
    /// Ready for long enough; a dying pod may be that.
    pub(crate) available: bool,
    /// When it will be, if nothing changes.
    pub(crate) available_at: Option<Instant>,
}

impl Member {
    /// Not to be counted on.
    pub(crate) fn is_unavailable(&self) -> bool {
        !self.available || self.dying
    }
}

impl Model {
    /// The pods that a workload controls.
    pub(crate) fn pods_of(&self, owner: &Key, workload: &Value) -> Vec<Member> {
        let uid = json::text(workload, "/metadata/uid");
        let settle = json::int(workload, "/spec/minReadySeconds").unwrap_or_default();
        let settle = Duration::from_secs(u64::try_from(settle).unwrap_or_default());
        let now = Instant::now();
        let pods = self.store.dependents(uid).into_iter();
        pods.filter(|key| key.resource == Resource::Pods && key.namespace == owner.namespace)
            .filter_map(|key| {
                let pod = self.value(&key)?;
                controller(pod).filter(|(_, _, owner)| *owner == uid)?;
                let ready = is_ready(pod) && !is_over(pod);
                let at = self.ready_since(&key).map(|since| since + settle);
                let available = ready && (settle.is_zero() || at.is_some_and(|at| at <= now));
                Some(Member {
                    created: json::text(pod, "/metadata/creationTimestamp").to_owned(),
                    node: json::text(pod, "/spec/nodeName").to_owned(),
                    revision: json::entry(pod, "/metadata/labels", HASH)
                        .unwrap_or_default()
                        .to_owned(),
                    over: is_over(pod),
                    dying: is_dying(pod),
                    ready,
                    available,
                    available_at: at.filter(|at| ready && *at > now),
                    key,
                })
            })
            .collect()
    }

    /// Creates a pod from a template, with a label that says from which; false if its name is
    /// taken.
    pub(crate) fn create_member(
        &mut self,
        owner: &Key,
        workload: &Value,
        template: &Value,
        revision: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> bool {
        let key = Key::new(Resource::Pods, &owner.namespace, name);
        if self.store.get(&key).is_some() {
            return false;
        }
        let kind = owner.resource.info().kind;
        let uid = json::text(workload, "/metadata/uid");
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": template.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "spec": template.get("spec").cloned().unwrap_or_default(),
            "status": { "phase": "Pending" },
        });
        json::set(&mut pod, &["metadata", "labels", HASH], json!(revision));
        let reference = owner_reference("apps/v1", kind, &owner.name, uid);
        json::set(
            &mut pod,
            &["metadata", "ownerReferences"],
            json!([reference]),
        );
        change(&mut pod);
        self.spawn(key, pod);
        true
    }
}
