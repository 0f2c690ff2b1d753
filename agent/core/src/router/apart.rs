//! A candidate that stands apart: its pods are not behind the live Service, but behind one of its own.
//!
//! One label of the live Service's selector has another value on them. The live Service's selector is
//! never narrowed, so with its own selector it always finds the target's pods.

use serde_json::{Map, Value, json};

use crate::hash::{child_name, short_name_hash};
use crate::rollout::{ObjectKind, ObjectRef, ROLE_LABEL, ROLLOUT_LABEL};

/// The label by which the pods of a candidate are told from those of the target.
#[derive(
    Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Apart {
    /// A key of the live Service's selector.
    pub key: String,
    /// Its value on the target's pods.
    pub live: String,
    /// Its value on the candidate's pods.
    pub candidate: String,
}

impl Apart {
    /// Chooses the label: `wanted`, or else the first key of the selector. The pods of `template` must
    /// carry every label of the selector.
    ///
    /// # Errors
    /// One sentence about why the Service cannot tell such pods apart.
    pub fn choose(
        service: &Value,
        template: &Value,
        wanted: Option<&str>,
        rollout_uid: &str,
    ) -> Result<Self, String> {
        let name = service
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let selector = selector(service)
            .filter(|s| !s.is_empty())
            .ok_or_else(|| format!("Service {name} has no selector"))?;
        let label = |key: &str| {
            template
                .pointer("/metadata/labels")
                .and_then(|l| l.get(key)?.as_str())
        };
        let mut keys: Vec<&String> = selector.keys().collect();
        keys.sort();
        let missing: Vec<&str> = keys
            .iter()
            .filter(|k| label(k) != selector.get(**k).and_then(Value::as_str))
            .map(|k| k.as_str())
            .collect();
        if !missing.is_empty() {
            return Err(format!(
                "Service {name} does not select the target's pods: they differ in {}",
                missing.join(", ")
            ));
        }
        let key = match wanted {
            Some(wanted) if selector.contains_key(wanted) => wanted,
            Some(wanted) => {
                return Err(format!("the selector of Service {name} has no `{wanted}`"));
            }
            None => keys.first().map(|k| k.as_str()).unwrap_or_default(),
        };
        let live = label(key).unwrap_or_default().to_owned();
        let candidate = child_name(&live, &short_name_hash(&[rollout_uid, "apart"]));
        Ok(Self {
            key: key.to_owned(),
            live,
            candidate,
        })
    }

    /// Gives the pods of a workload's `spec` the candidate's value, in its selector as in its template.
    pub fn mark(&self, spec: &mut Value) {
        for place in ["/template/metadata/labels", "/selector/matchLabels"] {
            if let Some(labels) = spec.pointer_mut(place).and_then(Value::as_object_mut)
                && (labels.contains_key(&self.key) || place.starts_with("/template"))
            {
                labels.insert(self.key.clone(), json!(self.candidate));
            }
        }
    }

    /// Which pods a Service sends to, by its selector.
    pub fn side(&self, service: &Value) -> Option<Side> {
        let value = selector(service)?.get(&self.key)?.as_str()?;
        if value == self.live {
            Some(Side::Target)
        } else if value == self.candidate {
            Some(Side::Candidate)
        } else {
            None
        }
    }
}

/// The pods behind a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The target's own.
    Target,
    /// The candidate's.
    Candidate,
}

fn selector(service: &Value) -> Option<&Map<String, Value>> {
    service.pointer("/spec/selector")?.as_object()
}

/// The candidate's own Service.
pub fn candidate_service(namespace: &str, service: &str, rollout_uid: &str) -> ObjectRef {
    let name = child_name(
        &format!("{service}-candidate"),
        &short_name_hash(&[rollout_uid, "service"]),
    );
    ObjectRef::new(ObjectKind::Service, namespace, &name)
}

/// A Service like the live one, for the candidate's pods.
pub fn candidate_service_manifest(
    live: &Value,
    object: &ObjectRef,
    apart: &Apart,
    rollout_uid: &str,
    owner: &Value,
) -> Value {
    let mut spec = Map::new();
    for field in [
        "publishNotReadyAddresses",
        "sessionAffinity",
        "sessionAffinityConfig",
    ] {
        if let Some(value) = live.pointer(&format!("/spec/{field}")) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
    let headless = live.pointer("/spec/clusterIP").and_then(Value::as_str) == Some("None");
    if headless {
        spec.insert("clusterIP".into(), json!("None"));
    }
    spec.insert("type".into(), json!("ClusterIP"));
    let mut ports = live.pointer("/spec/ports").cloned().unwrap_or_default();
    for port in ports.as_array_mut().into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            // A node's port belongs to one Service.
            port.remove("nodePort");
        }
    }
    spec.insert("ports".into(), ports);
    let mut selector = selector(live).cloned().unwrap_or_default();
    selector.insert(apart.key.clone(), json!(apart.candidate));
    spec.insert("selector".into(), Value::Object(selector));
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "namespace": object.namespace,
            "name": object.name,
            "labels": made_by(rollout_uid),
            "ownerReferences": [owner],
        },
        "spec": spec,
    })
}

/// The labels of everything that is created for a candidate.
pub(super) fn made_by(rollout_uid: &str) -> Value {
    json!({
        ROLLOUT_LABEL: rollout_uid,
        ROLE_LABEL: "candidate",
        "app.kubernetes.io/managed-by": "sluice",
    })
}

/// Pods of a candidate that is to take `share_bp` of what `total` pods serve: enough for its share, at
/// least one.
pub fn capacity(total: u32, share_bp: u16) -> u32 {
    let exact = u64::from(total) * u64::from(share_bp);
    let pods = exact.div_ceil(u64::from(super::ALL_TRAFFIC));
    u32::try_from(pods).unwrap_or(total).max(1)
}
