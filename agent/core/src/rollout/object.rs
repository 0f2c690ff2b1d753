//! Objects of the cluster that a Rollout looks at or writes, beside its own custom resources.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::effect::Guard;

/// What an object is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum ObjectKind {
    /// apps/v1.
    #[default]
    Deployment,
    /// apps/v1.
    StatefulSet,
    /// apps/v1.
    DaemonSet,
    /// v1.
    Service,
    /// gateway.networking.k8s.io/v1.
    HttpRoute,
    /// networking.k8s.io/v1.
    Ingress,
    /// batch/v1.
    Job,
    /// batch/v1.
    CronJob,
    /// v1.
    ConfigMap,
    /// v1.
    Secret,
    /// v1.
    Pod,
}

impl ObjectKind {
    /// The kind, as manifests have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Service => "Service",
            Self::HttpRoute => "HTTPRoute",
            Self::Ingress => "Ingress",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::Pod => "Pod",
        }
    }

    /// The kind of a manifest, where it is one of these.
    pub fn of(kind: &str) -> Option<Self> {
        [
            Self::Deployment,
            Self::StatefulSet,
            Self::DaemonSet,
            Self::Service,
            Self::HttpRoute,
            Self::Ingress,
            Self::Job,
            Self::CronJob,
            Self::ConfigMap,
            Self::Secret,
            Self::Pod,
        ]
        .into_iter()
        .find(|k| k.as_str() == kind)
    }

    /// Group and version, as manifests have them.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => "apps/v1",
            Self::HttpRoute => "gateway.networking.k8s.io/v1",
            Self::Ingress => "networking.k8s.io/v1",
            Self::Job | Self::CronJob => "batch/v1",
            Self::Service | Self::ConfigMap | Self::Secret | Self::Pod => "v1",
        }
    }

    /// The resource, as addresses of the API have it.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::Service => "services",
            Self::HttpRoute => "httproutes",
            Self::Ingress => "ingresses",
            Self::Job => "jobs",
            Self::CronJob => "cronjobs",
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
            Self::Pod => "pods",
        }
    }

    /// Whether what it holds stays out of every observation, journal and log.
    pub const fn is_confidential(self) -> bool {
        matches!(self, Self::ConfigMap | Self::Secret)
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An object by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// What it is.
    pub kind: ObjectKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// An object by its name.
    pub fn new(kind: ObjectKind, namespace: &str, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// An object as it was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectSeen {
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion: the guard of every write.
    pub resource_version: String,
    /// uid of the Rollout that created it, by its label.
    pub created_by: Option<String>,
    /// Epoch of the leader that wrote it last, by its annotation; 0 where there is none.
    pub epoch: u64,
    /// The whole object, byte for byte as the API server gave it; null for what is confidential.
    pub body: Value,
}

impl ObjectSeen {
    /// What a write of it must find unchanged.
    pub fn guard(&self, object: &ObjectRef) -> Guard {
        Guard {
            kind: object.kind,
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
        }
    }
}
