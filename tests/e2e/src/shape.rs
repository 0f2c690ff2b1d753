//! One service for each way to shift traffic, in an environment without votes, as a team would write
//! them.

use serde_json::{Value, json};
use sluice_cluster_bed::Bed;

use crate::app::{DELIVERY, STAGING, restricted_container, restricted_pod};

/// Pods of each service.
pub(crate) const PODS: u32 = 4;
/// How long each step is watched.
const HOLD: &str = "4s";
/// How long the old colour is kept.
pub(crate) const KEPT: &str = "14s";

/// A way to shift traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Ratio,
    NoSurge,
    Rolling,
    BlueGreen,
    Route,
    Ingress,
    StatefulSet,
}

impl Shape {
    pub(crate) const ALL: [Self; 7] = [
        Self::Ratio,
        Self::NoSurge,
        Self::Rolling,
        Self::BlueGreen,
        Self::Route,
        Self::Ingress,
        Self::StatefulSet,
    ];

    /// Its name, and that of its service.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ratio => "shape-ratio",
            Self::NoSurge => "shape-no-surge",
            Self::Rolling => "shape-rolling",
            Self::BlueGreen => "shape-blue-green",
            Self::Route => "shape-route",
            Self::Ingress => "shape-ingress",
            Self::StatefulSet => "shape-statefulset",
        }
    }

    fn is_stateful(self) -> bool {
        self == Self::StatefulSet
    }

    fn strategy(self) -> Value {
        let shares = json!({"steps": [
            {"weight": "25%", "hold": HOLD}, {"weight": "50%", "hold": HOLD},
            {"weight": "100%", "hold": "2s"}]});
        let canary =
            |router: Value| json!({"plugin": "canary", "router": router, "settings": shares});
        match self {
            Self::Ratio | Self::StatefulSet => canary(json!({"replicas": {}})),
            Self::NoSurge => canary(json!({"replicas": {"surge": 0}})),
            Self::Rolling => json!({"plugin": "rolling"}),
            Self::BlueGreen => json!({"plugin": "blue-green", "router": {"service": {}},
                "settings": {"switch": {"hold": "2s"}}}),
            Self::Route => canary(json!({"httpRoute": {"name": self.name(), "rule": "web"}})),
            Self::Ingress => canary(json!({"ingressNginx": {"ingress": self.name()}})),
        }
    }

    /// The Pipeline.
    pub(crate) fn pipeline(self, repository: &str) -> Value {
        let name = self.name();
        let mut target = json!({"namespace": STAGING, "service": name});
        let kind = if self.is_stateful() {
            "statefulSet"
        } else {
            "deployment"
        };
        target[kind] = json!(name);
        let mut environment = json!({
            "name": "staging",
            "target": target,
            "triggers": [{"registry": {"every": "2s"}}, {"manual": {}}],
            "strategy": self.strategy(),
            "checks": [{"plugin": "http-smoke", "settings": {"requests": [
                {"name": "health", "path": "/health",
                 "expect": {"status": 200, "json": {"status": "ok"}}}]}}],
        });
        if self == Self::BlueGreen {
            environment["rollbackWindow"] = json!(KEPT);
        }
        json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Pipeline",
            "metadata": {"name": name, "namespace": DELIVERY},
            "spec": {
                "image": {"repository": repository, "tags": {"semver": ">=1.0.0 <2.0.0"}},
                "environments": [environment],
            },
        })
    }

    /// The workload, its Service, and what stands before that.
    pub(crate) fn objects(self, repository: &str) -> Vec<Value> {
        let name = self.name();
        let mut out = vec![
            self.workload(repository),
            json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": name, "namespace": STAGING},
                "spec": {"selector": {"app": name},
                         "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
            }),
        ];
        match self {
            Self::Route => out.push(self.route()),
            Self::Ingress => out.push(self.ingress()),
            Self::Ratio | Self::NoSurge | Self::Rolling | Self::BlueGreen | Self::StatefulSet => {}
        }
        out
    }

    /// With a rule and a filter that are nobody's business.
    pub(crate) fn route(self) -> Value {
        let name = self.name();
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name, "namespace": STAGING},
            "spec": {"parentRefs": [Bed::route_parent()], "rules": [
                {"name": "old", "matches": [{"path": {"type": "PathPrefix", "value": "/old"}}],
                 "filters": [{"type": "RequestRedirect",
                              "requestRedirect": {"statusCode": 301, "hostname": "example.com"}}]},
                {"name": "web", "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                 "filters": [{"type": "RequestHeaderModifier",
                              "requestHeaderModifier": {"set": [{"name": "x-kept", "value": "yes"}]}}],
                 "backendRefs": [{"name": name, "port": 80}]},
            ]},
        })
    }

    fn ingress(self) -> Value {
        let name = self.name();
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": name, "namespace": STAGING},
            "spec": {"ingressClassName": "nginx", "rules": [{"http": {"paths": [
                {"path": "/", "pathType": "Prefix",
                 "backend": {"service": {"name": name, "port": {"number": 80}}}},
            ]}}]},
        })
    }

    fn workload(self, repository: &str) -> Value {
        let name = self.name();
        let template = json!({
            "metadata": {"labels": {"app": name}},
            "spec": {
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "terminationGracePeriodSeconds": 15,
                "securityContext": restricted_pod(),
                "containers": [{
                    "name": "web",
                    "image": format!("{repository}:v1.0.0"),
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {
                        "httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1,
                    },
                    "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}},
                    "securityContext": restricted_container(),
                }],
            },
        });
        let selector = json!({"matchLabels": {"app": name}});
        if self.is_stateful() {
            return json!({
                "apiVersion": "apps/v1", "kind": "StatefulSet",
                "metadata": {"name": name, "namespace": STAGING},
                "spec": {"replicas": PODS, "serviceName": name, "selector": selector,
                         "podManagementPolicy": "OrderedReady", "template": template},
            });
        }
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": STAGING},
            "spec": {
                "replicas": PODS, "selector": selector, "template": template,
                "strategy": {"type": "RollingUpdate",
                             "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            },
        })
    }
}
