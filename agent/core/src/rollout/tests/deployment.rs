//! A Deployment and its controller, as far as the engine can tell: surge one, unavailable as set, pods
//! that become ready sometime or never.

use serde_json::{Value, json};

use super::rng::Rng;
use crate::rollout::WorkloadSeen;
use crate::template::template_hash;

#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) hash: String,
    pub(super) ready: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Deployment {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) version: u64,
    generation: i64,
    pub(super) spec: Value,
    /// Hash of the template in `spec`.
    pub(super) hash: String,
    pub(super) pods: Vec<Pod>,
    pub(super) max_unavailable: u32,
    pub(super) claimed_by: Option<String>,
    pub(super) created_by: Option<String>,
    status: Status,
}

/// What the controller wrote last.
#[derive(Clone, Debug, Default, PartialEq)]
struct Status {
    observed: i64,
    pods: u32,
    updated: u32,
    ready: u32,
}

impl Deployment {
    pub(super) fn new(name: &str, uid: &str, spec: Value, max_unavailable: u32) -> Self {
        let hash = template_hash(&spec["template"]);
        let mut out = Self {
            name: name.into(),
            uid: uid.into(),
            version: 1,
            generation: 1,
            spec,
            hash,
            pods: Vec::new(),
            max_unavailable,
            claimed_by: None,
            created_by: None,
            status: Status::default(),
        };
        out.report();
        out
    }

    /// With every pod of the newest template ready.
    pub(super) fn healthy(mut self) -> Self {
        self.pods = vec![
            Pod {
                hash: self.hash.clone(),
                ready: true
            };
            self.wanted()
        ];
        self.report();
        self
    }

    pub(super) fn wanted(&self) -> usize {
        usize::try_from(self.spec["replicas"].as_u64().unwrap()).unwrap()
    }

    pub(super) fn template(&self) -> &Value {
        &self.spec["template"]
    }

    pub(super) fn ready(&self) -> usize {
        self.pods.iter().filter(|p| p.ready).count()
    }

    pub(super) fn set_replicas(&mut self, n: u32) {
        self.spec["replicas"] = json!(n);
        self.generation += 1;
        self.version += 1;
    }

    pub(super) fn set_template(&mut self, template: Value) {
        self.spec["template"] = template;
        self.hash = template_hash(&self.spec["template"]);
        self.generation += 1;
        self.version += 1;
    }

    pub(super) fn patch(&mut self, patch: &Value) {
        merge(&mut self.spec, patch);
        self.hash = template_hash(&self.spec["template"]);
        self.generation += 1;
        self.version += 1;
    }

    /// One round of its controller. A pod becomes ready with the chance that `ready` gives for its
    /// template.
    pub(super) fn round(&mut self, rng: &mut Rng, ready: impl Fn(&str) -> u64) {
        for p in &mut self.pods {
            if !p.ready && rng.chance(ready(&p.hash)) {
                p.ready = true;
            }
        }
        let wanted = self.wanted();
        let newest = |p: &Pod| p.hash == self.hash;
        while self.pods.len() < wanted + 1
            && self.pods.iter().filter(|p| newest(p)).count() < wanted
        {
            self.pods.push(Pod {
                hash: self.hash.clone(),
                ready: false,
            });
        }
        let unavailable = usize::try_from(self.max_unavailable).unwrap();
        loop {
            let old = |p: &Pod| p.hash != self.hash;
            let fresh = self.pods.iter().filter(|p| !old(p)).count();
            // Pods that are not ready go first; ready old ones only where enough others are ready.
            let goes = if self.pods.len() <= wanted && fresh == self.pods.len() {
                None
            } else if let Some(i) = self.pods.iter().position(|p| old(p) && !p.ready) {
                (self.pods.len() > wanted.saturating_sub(unavailable)).then_some(i)
            } else if fresh > wanted {
                let unready = self.pods.iter().position(|p| !old(p) && !p.ready);
                unready.or_else(|| self.pods.iter().position(|p| !old(p)))
            } else if self.ready() > wanted.saturating_sub(unavailable) {
                self.pods.iter().position(old)
            } else {
                None
            };
            match goes {
                Some(i) => drop(self.pods.remove(i)),
                None => break,
            }
        }
        self.report();
    }

    fn report(&mut self) {
        let count = |n: usize| u32::try_from(n).unwrap();
        let status = Status {
            observed: self.generation,
            pods: count(self.pods.len()),
            updated: count(self.pods.iter().filter(|p| p.hash == self.hash).count()),
            ready: count(self.ready()),
        };
        if status != self.status {
            self.version += 1;
            self.status = status;
        }
    }

    pub(super) fn seen(&self) -> WorkloadSeen {
        WorkloadSeen {
            kind: crate::rollout::ObjectKind::Deployment,
            epoch: 0,
            namespace: "shop".into(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            resource_version: self.version.to_string(),
            generation: self.generation,
            observed_generation: self.status.observed,
            replicas: u32::try_from(self.wanted()).unwrap(),
            pods: self.status.pods,
            updated: self.status.updated,
            ready: self.status.ready,
            available: self.status.ready,
            max_unavailable: self.max_unavailable,
            update_revision: None,
            spec: self.spec.clone(),
            claimed_by: self.claimed_by.clone(),
            created_by: self.created_by.clone(),
        }
    }
}

/// RFC 7396, the algorithm of its section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let map = target.as_object_mut().unwrap();
    for (k, v) in patch {
        if v.is_null() {
            map.remove(k);
        } else {
            merge(map.entry(k.clone()).or_insert(Value::Null), v);
        }
    }
}
