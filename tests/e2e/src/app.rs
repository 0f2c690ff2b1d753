//! A service in two environments, and its Pipeline, as a team would write them.

use serde_json::{Value, json};

/// Namespace of Pipelines, Rollouts, Approvals and Requests.
pub(crate) const DELIVERY: &str = "delivery";
/// Where production is.
pub(crate) const PRODUCTION: &str = "shop";
/// Where staging is.
pub(crate) const STAGING: &str = "staging";
/// Pods in production: the fewest with which one of them is 10 %.
pub(crate) const PODS: u32 = 10;

/// The namespaces of apps, and their size.
pub(crate) struct Place {
    /// Of their Pipelines.
    pub(crate) delivery: &'static str,
    pub(crate) staging: &'static str,
    pub(crate) production: &'static str,
    /// Pods in production.
    pub(crate) pods: u32,
}

/// Where the apps of the first agent are.
pub(crate) const HOME: Place = Place {
    delivery: DELIVERY,
    staging: STAGING,
    production: PRODUCTION,
    pods: PODS,
};

/// What differs between the apps.
pub(crate) struct App<'a> {
    pub(crate) place: &'a Place,
    pub(crate) name: &'a str,
    /// Its image, without tag.
    pub(crate) repository: &'a str,
    /// How long each step of the canary is watched.
    pub(crate) hold: &'a str,
}

impl App<'_> {
    /// Deployments and Services in both environments.
    pub(crate) fn workloads(&self) -> Vec<Value> {
        let mut out = Vec::new();
        for (namespace, replicas) in [
            (self.place.staging, 3.min(self.place.pods)),
            (self.place.production, self.place.pods),
        ] {
            out.push(self.deployment(namespace, replicas));
            out.push(json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": self.name, "namespace": namespace},
                "spec": {"selector": {"app": self.name},
                         "ports": [{"port": 80, "targetPort": "http"}]},
            }));
        }
        out
    }

    fn deployment(&self, namespace: &str, replicas: u32) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": self.name, "namespace": namespace},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": self.name}},
                "strategy": {"type": "RollingUpdate",
                             "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}},
                "template": {
                    "metadata": {"labels": {"app": self.name}},
                    "spec": {
                        "automountServiceAccountToken": false,
                        "enableServiceLinks": false,
                        "terminationGracePeriodSeconds": 15,
                        "securityContext": restricted_pod(),
                        "containers": [{
                            "name": "web",
                            "image": format!("{}:v1.0.0", self.repository),
                            "env": [{"name": "ENVIRONMENT", "value": self.environment(namespace)}],
                            "ports": [{"name": "http", "containerPort": 8080}],
                            "readinessProbe": {
                                "httpGet": {"path": "/ready", "port": "http"},
                                "periodSeconds": 1,
                            },
                            "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}},
                            "securityContext": restricted_container(),
                        }],
                    },
                },
            },
        })
    }

    fn environment(&self, namespace: &str) -> &'static str {
        if namespace == self.place.production {
            "production"
        } else {
            "staging"
        }
    }

    /// The Pipeline.
    pub(crate) fn pipeline(&self) -> Value {
        let checks = json!([{"plugin": "http-smoke", "settings": {"requests": [
            {"name": "health", "path": "/health",
             "expect": {"status": 200, "json": {"status": "ok"}}}]}}]);
        let target = |namespace: &str| json!({"namespace": namespace, "deployment": self.name, "service": self.name});
        json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Pipeline",
            "metadata": {"name": self.name, "namespace": self.place.delivery},
            "spec": {
                "image": {"repository": self.repository, "tags": {"semver": ">=1.0.0 <2.0.0"}},
                "environments": [
                    {"name": "staging", "target": target(self.place.staging),
                     "triggers": [{"registry": {"every": "2s"}}, {"manual": {}}],
                     "strategy": {"plugin": "rolling"}, "checks": checks},
                    {"name": "production", "after": ["staging"], "target": target(self.place.production),
                     "triggers": [{"upstream": {}}, {"manual": {}}],
                     "strategy": {"plugin": "canary", "router": {"replicas": {}},
                        "settings": {"steps": [
                            {"weight": "10%", "hold": self.hold},
                            {"weight": "50%", "hold": self.hold},
                            {"weight": "100%", "hold": "2s"}]}},
                     "checks": checks},
                ],
            },
        })
    }
}

/// What Pod Security *restricted* asks of a pod.
pub(crate) fn restricted_pod() -> Value {
    json!({
        "runAsNonRoot": true, "runAsUser": 10_001, "runAsGroup": 10_001,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// What it asks of a container.
pub(crate) fn restricted_container() -> Value {
    json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    })
}
