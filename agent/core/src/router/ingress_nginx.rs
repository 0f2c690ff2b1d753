//! The ingress-nginx router: a second Ingress with canary annotations. The named one is never written.
//!
//! <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#canary>

use serde_json::{Value, json};

use super::apart::{candidate_service, made_by};
use super::patch::{Patch, token};
use super::{ALL_TRAFFIC, Road, Router, Sight, Turned, percent};
use crate::hash::{child_name, short_name_hash};
use crate::pipeline::IngressNginxRouter;
use crate::rollout::{Effect, ObjectKind, ObjectRef, ObjectSeen, Seen};

const CANARY: &str = "nginx.ingress.kubernetes.io/canary";
const WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";
const TOTAL: &str = "nginx.ingress.kubernetes.io/canary-weight-total";
/// How a class was named before `ingressClassName`.
const CLASS: &str = "kubernetes.io/ingress.class";

impl IngressNginxRouter {
    fn named(&self, road: &Road<'_>) -> ObjectRef {
        ObjectRef::new(ObjectKind::Ingress, road.namespace, &self.ingress)
    }

    fn canary(&self, road: &Road<'_>) -> ObjectRef {
        let name = child_name(
            &format!("{}-canary", self.ingress),
            &short_name_hash(&[road.rollout_uid, "ingress"]),
        );
        ObjectRef::new(ObjectKind::Ingress, road.namespace, &name)
    }

    /// The canary Ingress without traffic: the paths of the named one that lead to the live Service.
    fn manifest(&self, road: &Road<'_>, named: &ObjectSeen) -> Result<Value, String> {
        let candidate = candidate_service(road.namespace, road.service, road.rollout_uid).name;
        let mut rules = Vec::new();
        let all = named.body.pointer("/spec/rules").and_then(Value::as_array);
        for rule in all.into_iter().flatten() {
            let paths: Vec<Value> = rule
                .pointer("/http/paths")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|path| {
                    let mut path = path.clone();
                    let name = path.pointer_mut("/backend/service/name")?;
                    (name.as_str() == Some(road.service)).then(|| *name = json!(candidate))?;
                    Some(path)
                })
                .collect();
            if paths.is_empty() {
                continue;
            }
            let mut rule = rule.clone();
            if let Some(place) = rule.pointer_mut("/http/paths") {
                *place = Value::from(paths);
            }
            rules.push(rule);
        }
        if rules.is_empty() {
            return Err(format!(
                "no path of {} leads to Service {}",
                self.named(road),
                road.service
            ));
        }
        let mut annotations = json!({
            CANARY: "true",
            WEIGHT: "0",
            TOTAL: ALL_TRAFFIC.to_string(),
        });
        let annotation = |key: &str| {
            named
                .body
                .pointer("/metadata/annotations")
                .and_then(|a| a.get(key))
        };
        if let (Some(class), Some(map)) = (annotation(CLASS), annotations.as_object_mut()) {
            map.insert(CLASS.into(), class.clone());
        }
        let mut spec = json!({"rules": rules});
        if let (Some(class), Some(map)) = (
            named.body.pointer("/spec/ingressClassName"),
            spec.as_object_mut(),
        ) {
            map.insert("ingressClassName".into(), class.clone());
        }
        let object = self.canary(road);
        Ok(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {
                "namespace": object.namespace,
                "name": object.name,
                "labels": made_by(road.rollout_uid),
                "annotations": annotations,
                "ownerReferences": [road.owner],
            },
            "spec": spec,
        }))
    }
}

impl Router for IngressNginxRouter {
    fn looks_at(&self, road: &Road<'_>) -> Vec<ObjectRef> {
        vec![self.named(road), self.canary(road)]
    }

    fn creates(&self, road: &Road<'_>) -> Vec<ObjectRef> {
        vec![self.canary(road)]
    }

    fn problems(&self, road: &Road<'_>, seen: &Sight<'_>) -> Vec<String> {
        let object = self.named(road);
        match seen(&object) {
            Seen::Present(found) => self.manifest(road, &found).err().into_iter().collect(),
            Seen::Absent => vec![format!("{object} does not exist")],
            Seen::Unknown(why) => vec![why],
        }
    }

    fn original(&self, _road: &Road<'_>, _seen: &Sight<'_>) -> Option<Value> {
        None
    }

    fn turn(&self, road: &Road<'_>, seen: &Sight<'_>, share_bp: u16) -> Turned {
        let object = self.canary(road);
        let found = match seen(&object) {
            Seen::Present(found) => found,
            Seen::Absent if share_bp == 0 => return Turned::Reached,
            Seen::Absent => {
                let named = match seen(&self.named(road)) {
                    Seen::Present(named) => named,
                    Seen::Absent => {
                        return Turned::Foreign(format!("{} is gone", self.named(road)));
                    }
                    Seen::Unknown(why) => return Turned::Unseen(why),
                };
                return match self.manifest(road, &named) {
                    Ok(manifest) => Turned::Write(vec![Effect::Create { manifest }]),
                    Err(why) => Turned::Foreign(why),
                };
            }
            Seen::Unknown(why) => return Turned::Unseen(why),
        };
        if found.created_by.as_deref() != Some(road.rollout_uid) {
            return Turned::Foreign(format!(
                "{object} has the canary's name, but Sluice did not create it"
            ));
        }
        let wanted = share_bp.to_string();
        let weight = found
            .body
            .pointer("/metadata/annotations")
            .and_then(|a| a.get(WEIGHT)?.as_str());
        if weight == Some(&wanted) {
            return Turned::Reached;
        }
        let path = format!("/metadata/annotations/{}", token(WEIGHT));
        let patch = match weight {
            Some(before) => Patch::of(&found.body)
                .test(&path, &json!(before))
                .replace(&path, &json!(wanted)),
            None => Patch::of(&found.body).add(&path, &json!(wanted)),
        };
        Turned::Write(vec![Effect::Patch {
            object: found.guard(&object),
            patch: patch.build(),
            detail: percent(share_bp),
        }])
    }
}
