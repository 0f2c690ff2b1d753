//! Two Deployments whose pods are ready at once: what the engine moves.

use serde_json::{Value, json};
use sluice_core::rollout::{Effect, Guard, ROLLOUT_LABEL, Seen, WorkloadSeen};
use sluice_core::template::template_hash;

/// Pods of the target: every tenth of the traffic can be had.
pub(super) const PODS: u32 = 10;
/// The target's name.
pub(super) const TARGET: &str = "storefront";
/// Its uid.
pub(super) const TARGET_UID: &str = "target-1";

/// One Deployment.
#[derive(Clone, Debug)]
struct Deployment {
    name: String,
    uid: String,
    version: u32,
    spec: Value,
    claimed_by: Option<String>,
    created_by: Option<String>,
}

/// What is there.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    namespace: String,
    target: Deployment,
    canary: Option<Deployment>,
    revisions: Vec<(String, Value)>,
    made: u32,
}

/// The pod template of an image.
pub(super) fn template(image: &str, serial: usize) -> Value {
    json!({
        "metadata": {"labels": {"app": TARGET}, "annotations": {"serial": serial.to_string()}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    })
}

impl Cluster {
    pub(super) fn new(namespace: &str, template: &Value) -> Self {
        let spec = json!({
            "replicas": PODS,
            "selector": {"matchLabels": {"app": TARGET}},
            "template": template,
        });
        Self {
            namespace: namespace.to_owned(),
            target: Deployment {
                name: TARGET.to_owned(),
                uid: TARGET_UID.to_owned(),
                version: 1,
                spec,
                claimed_by: None,
                created_by: None,
            },
            canary: None,
            revisions: Vec::new(),
            made: 0,
        }
    }

    /// The pod template that serves.
    pub(super) fn template(&self) -> &Value {
        &self.target.spec["template"]
    }

    /// Somebody puts another template there.
    pub(super) fn put(&mut self, template: &Value) {
        self.target.spec["template"] = template.clone();
        self.target.version += 1;
    }

    /// Whether the Rollout of this uid has the target.
    pub(super) fn claimed_by(&self, uid: &str) -> bool {
        self.target.claimed_by.as_deref() == Some(uid)
    }

    pub(super) fn target(&self) -> Seen<WorkloadSeen> {
        Seen::Present(self.seen(&self.target))
    }

    pub(super) fn canary(&self) -> Seen<WorkloadSeen> {
        let canary = self.canary.as_ref();
        canary.map_or(Seen::Absent, |canary| Seen::Present(self.seen(canary)))
    }

    /// A template that was kept, by its hash.
    pub(super) fn revision(&self, hash: &str) -> Seen<Value> {
        let kept = self.revisions.iter().find(|(known, _)| known == hash);
        kept.map_or(Seen::Absent, |(_, template)| {
            Seen::Present(template.clone())
        })
    }

    fn seen(&self, d: &Deployment) -> WorkloadSeen {
        let replicas = u32::try_from(d.spec["replicas"].as_u64().unwrap()).unwrap();
        WorkloadSeen {
            namespace: self.namespace.clone(),
            name: d.name.clone(),
            uid: d.uid.clone(),
            resource_version: d.version.to_string(),
            generation: 1,
            observed_generation: 1,
            replicas,
            pods: replicas,
            updated: replicas,
            ready: replicas,
            available: replicas,
            max_unavailable: 1,
            spec: d.spec.clone(),
            claimed_by: d.claimed_by.clone(),
            created_by: d.created_by.clone(),
            ..WorkloadSeen::default()
        }
    }

    fn guarded(&mut self, guard: &Guard) -> Option<&mut Deployment> {
        let all = std::iter::once(&mut self.target).chain(self.canary.as_mut());
        let mut same =
            all.filter(|d| d.uid == guard.uid && d.version.to_string() == guard.resource_version);
        same.next()
    }

    /// Carries an effect out, if what it was decided on is still there.
    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Claim {
                target,
                rollout_uid,
            } => {
                if let Some(d) = self.guarded(target) {
                    d.claimed_by = Some(rollout_uid.clone());
                    d.version += 1;
                }
            }
            Effect::Scale {
                deployment,
                replicas,
                ..
            } => {
                if let Some(d) = self.guarded(deployment) {
                    d.spec["replicas"] = json!(replicas);
                    d.version += 1;
                }
            }
            Effect::SetTemplate {
                deployment,
                spec_patch,
                ..
            } => {
                if let Some(d) = self.guarded(deployment) {
                    merge(&mut d.spec, spec_patch);
                    d.version += 1;
                }
            }
            Effect::Delete { object } => {
                if self.guarded(object).is_some() {
                    self.canary = None;
                }
            }
            Effect::Create { manifest } if self.canary.is_none() => {
                self.made += 1;
                let label = &manifest["metadata"]["labels"][ROLLOUT_LABEL];
                self.canary = Some(Deployment {
                    name: manifest["metadata"]["name"].as_str().unwrap().to_owned(),
                    uid: format!("canary-{}", self.made),
                    version: 1,
                    spec: manifest["spec"].clone(),
                    claimed_by: None,
                    created_by: label.as_str().map(str::to_owned),
                });
            }
            Effect::SaveRevision { template, .. } => {
                self.revisions
                    .push((template_hash(template), template.clone()));
            }
            Effect::Create { .. }
            | Effect::Patch { .. }
            | Effect::CopyConfig { .. }
            | Effect::RecordOutcome { .. }
            | Effect::Ask { .. } => {}
        }
    }

    /// Pods of the canary that this effect would add, or whether it puts something new before people.
    pub(super) fn grows(&self, effect: &Effect, uid: &str) -> bool {
        match effect {
            Effect::Claim { .. } => !self.claimed_by(uid),
            Effect::Create { .. } => true,
            Effect::SetTemplate {
                template_hash: hash,
                ..
            } => *hash != template_hash(self.template()),
            Effect::Scale {
                deployment,
                replicas,
                ..
            } => self.canary.as_ref().is_some_and(|canary| {
                canary.uid == deployment.uid
                    && u64::from(*replicas) > canary.spec["replicas"].as_u64().unwrap()
            }),
            Effect::Delete { .. }
            | Effect::Patch { .. }
            | Effect::CopyConfig { .. }
            | Effect::SaveRevision { .. }
            | Effect::RecordOutcome { .. }
            | Effect::Ask { .. } => false,
        }
    }
}

/// JSON merge patch (RFC 7396).
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut into[key], value);
        }
    }
}
