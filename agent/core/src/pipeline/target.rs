//! The workload of an environment, and what goes with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::rollout::ObjectKind;
use crate::workload::config::SOURCE_NAME_LIMIT;

/// Workloads of one lockstep group beside the first.
const MEMBER_LIMIT: usize = 7;
/// ConfigMaps and Secrets whose versions go with the image.
const CONFIG_LIMIT: usize = 8;

/// The workload of an environment: exactly one of `deployment`, `statefulSet` and `daemonSet`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSpec {
    /// Namespace of the workload.
    pub namespace: String,
    /// Name of the Deployment that serves, before and after.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub deployment: String,
    /// Name of the StatefulSet that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stateful_set: Option<String>,
    /// Name of the DaemonSet that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon_set: Option<String>,
    /// Name of the Service in front of it.
    pub service: String,
    /// The container that carries the image. Default: every container whose image comes from the
    /// Pipeline's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Workloads of the same namespace and image that go in lockstep with it, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<MemberSpec>,
    /// ConfigMaps and Secrets of which each release keeps its own version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<ConfigSource>,
}

/// A workload that goes in lockstep with the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberSpec {
    /// Name of the Deployment.
    pub deployment: String,
    /// The container that carries the image. Default: every container whose image comes from the
    /// Pipeline's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// A ConfigMap or Secret in the target's namespace. Written as a map with one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConfigSource {
    /// A ConfigMap.
    ConfigMap(String),
    /// A Secret.
    Secret(String),
}

impl ConfigSource {
    /// What it is, and its name.
    pub fn object(&self) -> (ObjectKind, &str) {
        match self {
            Self::ConfigMap(name) => (ObjectKind::ConfigMap, name),
            Self::Secret(name) => (ObjectKind::Secret, name),
        }
    }
}

impl TargetSpec {
    /// A Deployment behind a Service.
    pub fn of_deployment(namespace: &str, deployment: &str, service: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            deployment: deployment.to_owned(),
            service: service.to_owned(),
            ..Self::default()
        }
    }

    /// What the workload is.
    pub fn kind(&self) -> ObjectKind {
        if self.stateful_set.is_some() {
            ObjectKind::StatefulSet
        } else if self.daemon_set.is_some() {
            ObjectKind::DaemonSet
        } else {
            ObjectKind::Deployment
        }
    }

    /// Name of the workload.
    pub fn name(&self) -> &str {
        self.stateful_set
            .as_deref()
            .or(self.daemon_set.as_deref())
            .unwrap_or(&self.deployment)
    }

    /// Every workload that a Rollout changes: namespace, kind, name; the target first.
    pub fn workloads(&self) -> impl Iterator<Item = (&str, ObjectKind, &str)> {
        let first = (self.namespace.as_str(), self.kind(), self.name());
        let with = self.with.iter();
        std::iter::once(first).chain(with.map(|m| {
            (
                self.namespace.as_str(),
                ObjectKind::Deployment,
                m.deployment.as_str(),
            )
        }))
    }

    /// Whether the two have a workload in common.
    pub fn shares(&self, other: &Self) -> bool {
        self.workloads()
            .any(|own| other.workloads().any(|w| w == own))
    }

    /// A member of the group as if it was the target.
    pub fn as_target(&self, member: &MemberSpec) -> Self {
        Self {
            container: member.container.clone(),
            config: self.config.clone(),
            ..Self::of_deployment(&self.namespace, &member.deployment, &self.service)
        }
    }

    /// Everything that is wrong with it. `at` is where it stands.
    pub(super) fn problems(&self, at: &str, out: &mut Vec<Problem>) {
        let named = [
            !self.deployment.is_empty(),
            self.stateful_set.is_some(),
            self.daemon_set.is_some(),
        ];
        if named.iter().filter(|n| **n).count() != 1 {
            out.push(
                Problem::new(at, "names not exactly one workload")
                    .with_hint("write one of deployment, statefulSet and daemonSet"),
            );
        }
        if !self.with.is_empty() && self.kind() != ObjectKind::Deployment {
            out.push(Problem::new(
                format!("{at}.with"),
                "only a Deployment can lead a lockstep group",
            ));
        }
        for (field, len, limit) in [
            ("with", self.with.len(), MEMBER_LIMIT),
            ("config", self.config.len(), CONFIG_LIMIT),
        ] {
            if len > limit {
                out.push(Problem::new(
                    format!("{at}.{field}"),
                    format!("has {len} entries; {limit} is the limit"),
                ));
            }
        }
        let workloads: Vec<_> = self.workloads().collect();
        for (i, member) in workloads.iter().enumerate().skip(1) {
            if workloads.iter().take(i).any(|other| other == member) {
                out.push(Problem::new(
                    format!("{at}.with[{}]", i - 1),
                    format!("`{}` is in the group already", member.2),
                ));
            }
        }
        for (i, source) in self.config.iter().enumerate() {
            let (kind, name) = source.object();
            if name.is_empty() || name.len() > SOURCE_NAME_LIMIT {
                out.push(Problem::new(
                    format!("{at}.config[{i}]"),
                    format!(
                        "a {kind} of 1 to {SOURCE_NAME_LIMIT} bytes: its copies have longer names"
                    ),
                ));
            }
            if self.config.iter().take(i).any(|other| other == source) {
                out.push(Problem::new(
                    format!("{at}.config[{i}]"),
                    format!("`{}` stands here twice", source.object().1),
                ));
            }
        }
    }
}

impl std::fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name())
    }
}
