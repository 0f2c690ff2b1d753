//! What the shell is told to do. An effect leaves no choice: it names its object, the state in
//! which it must still be, and the exact result. Every effect may be repeated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::journal::Intent;
use crate::pipeline::{Outcome, Quarantine, Revision};
use crate::plugin::{Invocation, PlanStep, StepObservation};

/// The object of a write, and the version it must still have (reliability.md W3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
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
    /// Name of the Deployment.
    pub name: String,
    /// Its uid.
    pub uid: String,
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
    /// Create a Deployment from this manifest. Existing with our label is success.
    CreateDeployment {
        /// The manifest, with zero replicas.
        manifest: Value,
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
    /// Remove a Deployment that Sluice created.
    DeleteDeployment {
        /// The Deployment.
        deployment: Guard,
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
            Self::CreateDeployment { manifest } => (
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
                template_hash,
                ..
            } => ("set-template", deployment.path(), template_hash.clone()),
            Self::DeleteDeployment { deployment } => {
                ("delete", deployment.path(), deployment.uid.clone())
            }
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
    fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

fn text<'a>(v: &'a Value, pointer: &str) -> &'a str {
    v.pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
