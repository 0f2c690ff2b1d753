//! What can be seen of the world at one moment. Absent and unknown are values, not errors.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decide::{QuotaSeen, ROLLOUT_LABEL};
use super::effect::Guard;
use super::object::{ObjectKind, ObjectRef, ObjectSeen};
use super::spec::RolloutSpec;
use crate::approval::Vote;
use crate::hook::JobPods;
use crate::pipeline::EnvironmentStatus;
use crate::plugin::PluginInfo;
use crate::policy::Identity;
use crate::stop::Stop;
use crate::workload::MemberSeen;

/// Something that was looked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Seen<T> {
    /// It is there.
    Present(T),
    /// It is surely not there.
    #[default]
    Absent,
    /// Could not be told, for this reason. Nothing is concluded from it.
    Unknown(String),
}

impl<T> Seen<T> {
    /// The thing, if it is there.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(t) => Some(t),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}

/// The fixed part of a Rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutView {
    /// Namespace of the Rollout object.
    pub namespace: String,
    /// Its name: the deployment id.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// What it is asked to do.
    pub spec: RolloutSpec,
}

/// Everything that [`super::decide`] looks at besides the journal, the policy and the clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The workload that the Pipeline names.
    pub target: Seen<WorkloadSeen>,
    /// The canary Deployment of this Rollout.
    pub canary: Seen<WorkloadSeen>,
    /// The pod template of the stable revision, read from its ControllerRevision. Looked up only
    /// while it is needed.
    pub stable_template: Seen<Value>,
    /// The pod template of the revision to return to, for a Rollout that goes back.
    pub return_template: Seen<Value>,
    /// The autoscaler of the target, by name. Looked up only before the first change.
    pub autoscaler: Seen<String>,
    /// Pods of a StatefulSet that keep its controller from putting the stable template back. Looked up
    /// only while it is put back.
    #[serde(default)]
    pub pods_in_the_way: Seen<Vec<Guard>>,
    /// The workloads that go in lockstep with the target, in the order of the Pipeline.
    #[serde(default)]
    pub members: Vec<MemberSeen>,
    /// Votes on this Rollout.
    pub votes: Vec<Vote>,
    /// People's wishes about this Rollout, oldest first.
    pub requests: Vec<RequestSeen>,
    /// The other live Rollouts of the same target.
    pub siblings: Vec<Sibling>,
    /// All other live Rollouts of this agent. Looked up only where the policy limits their number.
    #[serde(default)]
    pub others: Vec<Other>,
    /// The global stop in force.
    #[serde(default)]
    pub stop: Option<Stop>,
    /// What the Pipeline remembers of the environment.
    pub environment: Seen<EnvironmentStatus>,
    /// Other objects that it looks at or writes: those of [`super::looks_at`], each by
    /// [`ObjectRef`]'s words.
    #[serde(default)]
    pub objects: BTreeMap<String, Seen<ObjectSeen>>,
    /// The pods of hooks' Jobs that run, by the Job's name: those of [`super::hook_pods_wanted`].
    #[serde(default)]
    pub hook_pods: BTreeMap<String, Seen<JobPods>>,
    /// The quotas of the target's namespace. Looked at only before the first change.
    #[serde(default)]
    pub quotas: Seen<Vec<QuotaSeen>>,
    /// The plugins that serve now.
    pub plugins: Vec<PluginInfo>,
}

impl Observation {
    /// What was seen of an object; unknown where nobody looked.
    pub fn object(&self, object: &ObjectRef) -> Seen<ObjectSeen> {
        let found = self.objects.get(&object.to_string()).cloned();
        found.unwrap_or_else(|| Seen::Unknown("it was not looked at yet".into()))
    }
}

/// Another live Rollout, whatever its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// Its name.
    pub name: String,
    /// Its environment.
    pub environment: String,
    /// Whether it has begun.
    pub begun: bool,
    /// Since when it waits for a slot.
    pub slot_wanted_at: Option<Timestamp>,
}

/// A Deployment and how far its pods are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkloadSeen {
    /// What it is.
    #[serde(default)]
    pub kind: ObjectKind,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// uid.
    pub uid: String,
    /// resourceVersion: the guard of every write.
    pub resource_version: String,
    /// metadata.generation.
    pub generation: i64,
    /// status.observedGeneration.
    pub observed_generation: i64,
    /// spec.replicas: the pods that are wanted.
    pub replicas: u32,
    /// status.replicas: the pods that are there, old and new.
    pub pods: u32,
    /// status.updatedReplicas: of these, the ones of the newest template.
    pub updated: u32,
    /// status.readyReplicas, old and new.
    pub ready: u32,
    /// status.availableReplicas.
    pub available: u32,
    /// maxUnavailable of its rolling update, resolved to pods.
    pub max_unavailable: u32,
    /// Name of the revision of the newest template, where its kind tells.
    #[serde(default)]
    pub update_revision: Option<String>,
    /// The whole spec, byte for byte as the API server gave it.
    pub spec: Value,
    /// uid of the Rollout that stands in its claim annotation.
    pub claimed_by: Option<String>,
    /// Epoch of the leader that wrote it last, by its annotation; 0 where there is none.
    #[serde(default)]
    pub epoch: u64,
    /// uid of the Rollout that created it, by its label.
    pub created_by: Option<String>,
}

impl WorkloadSeen {
    /// The pod template.
    pub fn template(&self) -> &Value {
        self.spec.get("template").unwrap_or(&Value::Null)
    }

    /// What a write of it must find unchanged.
    pub fn guard(&self) -> Guard {
        Guard {
            kind: self.kind,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
        }
    }

    /// Whether the numbers speak of the newest spec.
    pub fn observed(&self) -> bool {
        self.observed_generation >= self.generation
    }

    /// Whether the Rollout of this uid created it: by its label, or, where somebody took that off,
    /// by its selector, which nobody can change.
    pub fn made_by(&self, rollout_uid: &str) -> bool {
        let selected = self
            .spec
            .pointer("/selector/matchLabels")
            .and_then(|labels| labels.get(ROLLOUT_LABEL)?.as_str());
        self.created_by.as_deref() == Some(rollout_uid) || selected == Some(rollout_uid)
    }

    /// Whether every wanted pod has the newest template and is available, and no other is left.
    pub fn settled(&self) -> bool {
        self.observed()
            && self.pods == self.replicas
            && self.updated == self.replicas
            && self.ready == self.replicas
            && self.available == self.replicas
    }
}

/// Another live Rollout of the same target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sibling {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its pipeline.
    pub pipeline: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// How far it is.
    pub stage: SiblingStage,
    /// Whether it is a way back.
    pub returns: bool,
    /// What it deploys, for messages.
    pub title: String,
}

/// How far another Rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SiblingStage {
    /// Waits for its turn.
    Queued,
    /// Plans or waits at the gate.
    Waiting,
    /// Has begun to change the target.
    Begun,
}

/// A person's wish about one Rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSeen {
    /// uid of the Request object.
    pub uid: String,
    /// The wish.
    pub action: Action,
    /// Who.
    pub by: Identity,
    /// What they said.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What a Request can ask of a Rollout that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Stop, and put the stable version back. The digest may be tried again.
    Abort,
    /// Put the stable version back and quarantine the digest.
    Rollback,
    /// Start no further step.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Skip the rest of this step's hold, or open the gate before the next.
    Promote,
}
