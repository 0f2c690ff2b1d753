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
    /// By ratio, with a worker in lockstep, configuration, and Jobs before and after.
    Course,
}

impl Shape {
    pub(crate) const ALL: [Self; 8] = [
        Self::Ratio,
        Self::NoSurge,
        Self::Rolling,
        Self::BlueGreen,
        Self::Route,
        Self::Ingress,
        Self::StatefulSet,
        Self::Course,
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
            Self::Course => "shape-course",
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
            Self::Ratio | Self::StatefulSet | Self::Course => canary(json!({"replicas": {}})),
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
        if self == Self::Course {
            let job = |what: &str| format!("{name}-{what}");
            environment["target"]["with"] = json!([{"deployment": job("worker")}]);
            environment["target"]["config"] = json!([{"configMap": job("config")}]);
            environment["before"] = json!([
                {"name": "backup", "cronJob": job("backup"), "verified": true, "timeout": "60s"},
                {"name": "migrate", "cronJob": job("migrate"), "undo": job("undo"), "timeout": "60s"},
            ]);
            environment["afterwards"] = json!([
                {"name": "tidy", "cronJob": job("tidy"), "timeout": "60s"}]);
            environment["watch"] = json!({"for": "3s"});
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
            self.workload(repository, name),
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
            Self::Course => {
                let config = json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": format!("{name}-config"), "namespace": STAGING},
                    "data": {"GREETING": "hello"},
                });
                // What pods refer to comes before them.
                out.insert(0, config);
                out.push(self.workload(repository, &format!("{name}-worker")));
                for (what, message) in [
                    (
                        "backup",
                        r#"{"verified": true, "restore": "restore-from s3://backup/1"}"#,
                    ),
                    ("migrate", "41 to 42"),
                    ("undo", "42 to 41"),
                    ("tidy", "done"),
                ] {
                    out.push(self.cron_job(repository, what, message));
                }
            }
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

    /// A template for Jobs, which never fires by itself.
    fn cron_job(self, repository: &str, what: &str, message: &str) -> Value {
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"name": format!("{}-{what}", self.name()), "namespace": STAGING},
            "spec": {
                "schedule": "0 0 1 1 *", "suspend": true,
                "jobTemplate": {"spec": {"template": {"spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": false,
                    "securityContext": restricted_pod(),
                    "containers": [{
                        "name": "job",
                        "image": format!("{repository}:v1.0.0"),
                        "args": ["job", "--message", message, "--log", format!("{what} begins")],
                        "securityContext": restricted_container(),
                    }],
                }}}},
            },
        })
    }

    fn workload(self, repository: &str, name: &str) -> Value {
        let mut template = json!({
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
        if self == Self::Course && name == self.name() {
            template["spec"]["containers"][0]["envFrom"] =
                json!([{"configMapRef": {"name": format!("{name}-config")}}]);
        }
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
