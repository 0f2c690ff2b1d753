//! Names, labels and the context that every plugin call gets.

use serde_json::Value;

use super::queue::cannot_see;
use super::{Flow, Turn};
use crate::hash::{child_name, short_name_hash};
use crate::pipeline::OutcomeKind;
use crate::plugin::{Invocation, Release, Targets, WorkloadRef};
use crate::rollout::journal::clip;
use crate::rollout::{CallId, Effect, Guard, OwnerRef, PluginQuestion, Seen, Why, WorkloadSeen};
use crate::template::{images, template_hash, with_image};
use crate::workload::config::with_versions;

/// On every object that a Rollout creates: its uid.
pub const ROLLOUT_LABEL: &str = "sluice.dev/rollout-uid";
/// On canary pods and in the selector of the canary Deployment, so that it owns no other pod.
pub const ROLE_LABEL: &str = "sluice.dev/role";
/// On the target: uid of the Rollout that may change it. The lock of the target.
pub const ROLLOUT_ANNOTATION: &str = "sluice.dev/rollout-uid";

/// On the pod template of a drill, so that it differs from the one that serves: uid of the Rollout.
pub const DRILL_ANNOTATION: &str = "sluice.dev/drill";

/// Name of the canary Deployment of a Rollout: the target's and ten characters of a hash (W4).
pub fn canary_name(deployment: &str, rollout_uid: &str) -> String {
    child_name(
        &format!("{deployment}-canary"),
        &short_name_hash(&[rollout_uid, "canary"]),
    )
}

/// Name of the ControllerRevision that keeps a pod template.
pub(crate) fn revision_name(deployment: &str, target_uid: &str, template_hash: &str) -> String {
    child_name(deployment, &short_name_hash(&[target_uid, template_hash]))
}

/// Why there is no candidate template.
pub(super) enum NoTemplate {
    /// There cannot be one: looking again does not help.
    Impossible(String),
    /// It could not be read now.
    Unseen(String),
}

impl NoTemplate {
    /// The reason to wait, where nothing can be ended any more.
    pub(super) fn why(self) -> Why {
        match self {
            Self::Impossible(what) | Self::Unseen(what) => Why::CannotSee { what: clip(&what) },
        }
    }
}

impl Turn<'_> {
    /// The pod template that shall serve in the end, made from the stable one.
    pub(super) fn candidate_template(&self, stable: &Value) -> Result<Value, NoTemplate> {
        let spec = &self.rollout.spec;
        if let Some(revision) = &spec.returns_to {
            return match &self.seen.return_template {
                Seen::Present(t) if template_hash(t) == revision.template_hash => Ok(t.clone()),
                Seen::Present(_) => Err(NoTemplate::Impossible(format!(
                    "ControllerRevision {} does not hold the template that was promoted",
                    revision.name
                ))),
                Seen::Absent => Err(NoTemplate::Impossible(format!(
                    "ControllerRevision {} is gone",
                    revision.name
                ))),
                Seen::Unknown(why) => Err(NoTemplate::Unseen(why.clone())),
            };
        }
        with_image(
            stable,
            spec.target.container.as_deref(),
            &spec.image.repository,
            &spec.image.digest,
        )
        .map(|template| with_versions(&template, &self.journal.config))
        .map(|template| self.marked_as_drill(template))
        .map_err(NoTemplate::Impossible)
    }

    /// The version that serves differs from itself by its mark alone.
    fn marked_as_drill(&self, mut template: Value) -> Value {
        if self.rollout.spec.drill {
            let mut at = &mut template;
            for key in ["metadata", "annotations"] {
                let Some(map) = at.as_object_mut() else {
                    return template;
                };
                let next = map.entry(key).or_insert_with(|| serde_json::json!({}));
                if next.is_null() {
                    *next = serde_json::json!({});
                }
                at = next;
            }
            if let Some(map) = at.as_object_mut() {
                map.insert(
                    DRILL_ANNOTATION.into(),
                    Value::from(self.rollout.uid.as_str()),
                );
            }
        }
        template
    }

    /// Ends a Rollout that has changed nothing and never can, or waits for a better look.
    pub(super) fn without_template(&mut self, no: NoTemplate) -> Flow {
        match no {
            NoTemplate::Impossible(why) => self.end_unbegun(OutcomeKind::Refused, &why),
            NoTemplate::Unseen(why) => cannot_see("the template to return to", &why),
        }
    }

    pub(super) fn guard(w: &WorkloadSeen) -> Guard {
        w.guard()
    }

    pub(super) fn owner(w: &WorkloadSeen) -> OwnerRef {
        OwnerRef {
            kind: w.kind,
            name: w.name.clone(),
            uid: w.uid.clone(),
        }
    }

    /// The effect that keeps `template` beside the target.
    pub(super) fn save_revision(target: &WorkloadSeen, template: &Value) -> Effect {
        let hash = template_hash(template);
        Effect::SaveRevision {
            namespace: target.namespace.clone(),
            name: revision_name(&target.name, &target.uid, &hash),
            owner: Self::owner(target),
            template: template.clone(),
            hash,
        }
    }

    /// A question whose identity is `key` within this Rollout.
    pub(super) fn ask(&mut self, key: &str, question: PluginQuestion) {
        self.effects.push(Effect::Ask {
            call: CallId(format!("{}/{key}", self.rollout.uid)),
            question: Box::new(question),
        });
    }

    /// What a plugin learns of the call. The shell adds the addresses.
    pub(super) fn invocation(&self, settings: &Value, key: &str) -> Invocation {
        let spec = &self.rollout.spec;
        let images = self
            .target()
            .map(|t| {
                self.candidate_template(t.template())
                    .unwrap_or_else(|_| t.template().clone())
            })
            .map(|t| images(&t))
            .unwrap_or_default();
        Invocation {
            release: Release {
                id: self.rollout.name.clone(),
                workload: WorkloadRef {
                    cluster: "default".into(),
                    namespace: spec.target.namespace.clone(),
                    kind: spec.target.kind().as_str().into(),
                    name: spec.target.name().to_owned(),
                    uid: spec.target_uid.clone(),
                },
                from_revision: self.journal.stable.as_ref().map(|r| r.digest.clone()),
                to_revision: spec.image.digest.clone(),
                images,
                subject_digest: self
                    .journal
                    .approval
                    .as_ref()
                    .map(|a| a.hash.clone())
                    .unwrap_or_default(),
            },
            settings: if settings.is_null() {
                serde_json::json!({})
            } else {
                settings.clone()
            },
            idempotency_key: format!("{}/{key}", self.rollout.uid),
            attributes: vec![
                ("pipeline".into(), spec.pipeline.clone()),
                ("environment".into(), spec.environment.clone()),
                ("tag".into(), spec.image.tag.clone().unwrap_or_default()),
            ],
            targets: Targets::default(),
        }
    }
}
