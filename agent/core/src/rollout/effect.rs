//! What the shell is told to do. An effect leaves no choice: it names its object, the state in
//! which it must still be, and the exact result. Every effect may be repeated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::journal::Intent;
use super::object::ObjectKind;
use crate::pipeline::{Outcome, Quarantine, Revision};
use crate::plugin::{Invocation, PlanStep, StepObservation};

/// The object of a write, and the version it must still have (reliability.md W3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// What it is.
    #[serde(default)]
    pub kind: ObjectKind,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// uid.
    pub uid: String,
    /// resourceVersion.
    pub resource_version: String,
}

/// A non-controller owner in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRef {
    /// What it is.
    #[serde(default)]
    pub kind: ObjectKind,
    /// Name of the workload.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl OwnerRef {
    /// The entry of `metadata.ownerReferences`.
    pub fn entry(&self) -> Value {
        json!({
            "apiVersion": self.kind.api_version(),
            "kind": self.kind.as_str(),
            "name": self.name,
            "uid": self.uid,
            "controller": false,
            "blockOwnerDeletion": false,
        })
    }
}

/// One thing to do.
#[expect(
    clippy::large_enum_variant,
    reason = "a handful per decision, never kept: boxes would only hide the fields"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Keep a pod template as a ControllerRevision. Existing with the same hash is success.
    SaveRevision {
        /// Namespace of the target.
        namespace: String,
        /// Name of the ControllerRevision.
        name: String,
        /// The target beside it.
        owner: OwnerRef,
        /// The template.
        template: Value,
        /// Its hash.
        hash: String,
    },
    /// Write this Rollout's uid on the target: the first change, and the lock (W5 of one target).
    Claim {
        /// The target.
        target: Guard,
        /// uid of this Rollout.
        rollout_uid: String,
    },
    /// Create an object from this manifest. Existing with our label is success.
    Create {
        /// The manifest; a workload without pods, a Job suspended (W4).
        manifest: Value,
    },
    /// Change an object by a JSON patch (RFC 6902) that tests what it replaces. Nothing else of the
    /// object is written, so that what others have in it stays byte for byte.
    Patch {
        /// The object.
        object: Guard,
        /// The operations, in order.
        patch: Value,
        /// The wanted result, for the journal.
        detail: String,
    },
    /// Keep what a ConfigMap or Secret holds now as an object of its own that never changes. Its data
    /// goes from the API server to the API server and is never decided on. Existing with our label
    /// is success.
    CopyConfig {
        /// The object, exactly as it was seen.
        from: Guard,
        /// Name of the copy.
        to: String,
        /// The target beside it.
        owner: OwnerRef,
        /// uid of this Rollout.
        rollout_uid: String,
    },
    /// Set `spec.replicas`.
    Scale {
        /// The Deployment.
        deployment: Guard,
        /// Pods.
        replicas: u32,
        /// Whether pods go away by it: decided on a live read only.
        takes_pods_away: bool,
    },
    /// Set the pod template and, where it is to grow, `spec.replicas` in one write.
    SetTemplate {
        /// The Deployment.
        deployment: Guard,
        /// JSON merge patch of `spec` that gives exactly the wanted template.
        spec_patch: Value,
        /// Hash of the template that results.
        template_hash: String,
    },
    /// Remove an object that Sluice created.
    Delete {
        /// The object.
        object: Guard,
    },
    /// Fold the outcome into the Pipeline's status. Idempotent per Rollout.
    RecordOutcome {
        /// How it ends.
        outcome: Outcome,
        /// The revision that is stable from now on.
        promoted: Option<Revision>,
        /// A digest to quarantine.
        quarantine: Option<Quarantine>,
    },
    /// Ask a plugin, in the background. The answer comes back as a fact.
    Ask {
        /// Identity of the question.
        call: CallId,
        /// The question.
        question: Box<PluginQuestion>,
    },
}

/// Identity of a question: the same for every repetition of it.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct CallId(pub String);

/// A question without the addresses, which the shell looks up when it asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PluginQuestion {
    /// To a strategy.
    Plan {
        /// Plugin.
        plugin: String,
        /// Context.
        invocation: Invocation,
    },
    /// To a smoke test.
    Check {
        /// Plugin.
        plugin: String,
        /// Context.
        invocation: Invocation,
    },
    /// To a metric provider.
    Measure {
        /// Plugin.
        plugin: String,
        /// Context.
        invocation: Invocation,
        /// First millisecond of the window, since 1970-01-01 UTC.
        from_unix_ms: u64,
        /// First millisecond after it.
        to_unix_ms: u64,
    },
    /// To a strategy.
    Judge {
        /// Plugin.
        plugin: String,
        /// Context.
        invocation: Invocation,
        /// The step.
        step: PlanStep,
        /// What was seen.
        observations: Vec<StepObservation>,
    },
}

impl Effect {
    /// What the journal says of it before it is tried.
    pub fn intent(&self) -> Intent {
        let (action, object, detail) = match self {
            Self::SaveRevision {
                namespace,
                name,
                hash,
                ..
            } => ("save-revision", format!("{namespace}/{name}"), hash.clone()),
            Self::Claim { target, .. } => ("claim", target.path(), target.uid.clone()),
            Self::Create { manifest } => (
                "create",
                format!(
                    "{}/{}",
                    text(manifest, "/metadata/namespace"),
                    text(manifest, "/metadata/name")
                ),
                String::new(),
            ),
            Self::Scale {
                deployment,
                replicas,
                ..
            } => ("scale", deployment.path(), replicas.to_string()),
            Self::SetTemplate {
                deployment,
                spec_patch,
                template_hash,
            } => {
                let held = spec_patch.pointer("/updateStrategy/rollingUpdate/partition");
                let detail = match held {
                    Some(partition) => format!("{template_hash} partition {partition}"),
                    None => template_hash.clone(),
                };
                ("set-template", deployment.path(), detail)
            }
            Self::Delete { object } => ("delete", object.path(), object.uid.clone()),
            Self::Patch { object, detail, .. } => ("patch", object.path(), detail.clone()),
            Self::CopyConfig { from, to, .. } => ("copy", from.path(), to.clone()),
            Self::RecordOutcome { outcome, .. } => (
                "record",
                outcome.rollout.clone(),
                outcome.kind.phase().to_owned(),
            ),
            Self::Ask { call, .. } => ("ask", call.0.clone(), String::new()),
        };
        Intent {
            action: action.to_owned(),
            object,
            detail,
        }
    }

    /// Whether it is a question, which runs beside the loop, and not a write.
    pub fn is_question(&self) -> bool {
        matches!(self, Self::Ask { .. })
    }
}

impl Guard {
    /// `namespace/name`, and before it what it is, where that is no Deployment.
    pub fn path(&self) -> String {
        match self.kind {
            ObjectKind::Deployment => format!("{}/{}", self.namespace, self.name),
            kind => format!("{kind} {}/{}", self.namespace, self.name),
        }
    }
}

fn text<'a>(v: &'a Value, pointer: &str) -> &'a str {
    v.pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
