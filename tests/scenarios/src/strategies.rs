//! The stories of the strategies: how production moves traffic in them, and what must have held.

mod kept;

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_sim::{Cluster, Resource};

use crate::crew::Crew;
use crate::stage::{POLICY, PRODUCTION, Stage};
use crate::story::Story;
use crate::watchers::status;

pub use kept::{back, kept};

/// Name of the HTTPRoute and of the Ingress in production.
pub const ROUTE: &str = "storefront";
/// Name of the rule of that HTTPRoute which is shared out.
pub const RULE: &str = "web";
/// How long a version is kept that blue-green has taken the traffic from.
const WINDOW: &str = "10m";
/// Name of the Request of somebody who wants the old version back.
const BACK: &str = "back";
/// Into the time for which it is kept, somebody wants it back.
const REGRETS: Duration = Duration::from_secs(60);

/// The policy of the stories, which also lets production use every strategy and router.
pub fn policy() -> String {
    POLICY.replace("allow: [canary]", "allow: [canary, blue-green, rolling]")
}

/// How production's pods and its traffic are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the number of pods behind the Service.
    Canary,
    /// As before, and never with one pod more.
    NoSurge,
    /// By the Service's selector, all at once.
    BlueGreen,
    /// By an HTTPRoute's weights.
    Route,
    /// By a second Ingress.
    Ingress,
    /// By the target's own rolling update.
    Rolling,
}

impl Way {
    fn strategy(self) -> Value {
        match self {
            Self::Canary => json!({"plugin": "canary", "router": {"replicas": {}}}),
            Self::NoSurge => json!({"plugin": "canary", "router": {"replicas": {"surge": 0}}}),
            Self::BlueGreen => json!({"plugin": "blue-green", "router": {"service": {}}}),
            Self::Route => {
                json!({"plugin": "canary", "router": {"httpRoute": {"name": ROUTE, "rule": RULE}}})
            }
            Self::Ingress => {
                json!({"plugin": "canary", "router": {"ingressNginx": {"ingress": ROUTE}}})
            }
            Self::Rolling => json!({"plugin": "rolling", "router": {"replicas": {}}}),
        }
    }

    /// Lets production be moved so, and puts there what it needs.
    pub fn lay(self, stage: &Stage) {
        stage
            .cluster
            .modify(Resource::Pipelines, "delivery", "storefront", |pipeline| {
                let production = &mut pipeline["spec"]["environments"][1];
                production["strategy"] = self.strategy();
                if self == Self::BlueGreen {
                    production["rollbackWindow"] = json!(WINDOW);
                }
            });
        let apply = |object: Value| {
            stage.cluster.apply(object).expect("an object");
        };
        match self {
            Self::Route => apply(route()),
            Self::Ingress => apply(ingress()),
            Self::NoSurge => {
                limit(&stage.cluster);
                count_pods(stage);
            }
            Self::Canary | Self::BlueGreen | Self::Rolling => {}
        }
    }
}

/// Whoever has room for ten pods only lets the Deployment have no eleventh by itself either.
fn limit(cluster: &Cluster) {
    cluster.modify(Resource::Deployments, PRODUCTION, "storefront", |d| {
        d["spec"]["strategy"]["rollingUpdate"] = json!({"maxSurge": 0, "maxUnavailable": 1});
    });
}

/// From now on the most pods are noted that production ever had, but for those that are on their way
/// out.
fn count_pods(stage: &Stage) {
    let most = stage.most_pods.clone();
    stage.cluster.on_event(move |moment| {
        if moment.resource() != Resource::Pods || moment.namespace() != PRODUCTION {
            return;
        }
        let pods = moment.objects(Resource::Pods, PRODUCTION);
        let there = pods
            .iter()
            .filter(|p| p["metadata"]["deletionTimestamp"].is_null());
        most.fetch_max(there.count(), Ordering::Relaxed);
    });
}

/// An HTTPRoute with rules, filters and fields that are none of Sluice's business. Written as the API
/// server stores it, so that it can be compared with what is there in the end.
pub fn route() -> Value {
    let backend = |name: &str, port: u16| json!({"group": "", "kind": "Service", "name": name, "port": port, "weight": 1});
    let at = |path: &str| json!([{"path": {"type": "PathPrefix", "value": path}}]);
    let mut ours = backend("storefront", 8080);
    ours["filters"] = json!([{"type": "RequestHeaderModifier",
        "requestHeaderModifier": {"add": [{"name": "x-served-by", "value": "storefront"}]}}]);
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {
            "name": ROUTE, "namespace": PRODUCTION,
            "annotations": {"owner": "the gateway team"},
        },
        "spec": {
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway",
                            "name": "public", "sectionName": "https"}],
            "hostnames": ["shop.example.com", "*.shop.example.com"],
            "rules": [
                {"name": "admin", "matches": at("/admin"),
                 "filters": [{"type": "RequestRedirect",
                              "requestRedirect": {"hostname": "admin.example.com"}}]},
                {"name": RULE, "matches": at("/"), "timeouts": {"request": "10s"},
                 "filters": [{"type": "URLRewrite",
                              "urlRewrite": {"path": {"type": "ReplacePrefixMatch",
                                                      "replacePrefixMatch": "/v2"}}}],
                 "backendRefs": [ours]},
                {"matches": at("/legacy"),
                 "backendRefs": [backend("legacy", 80), backend("older", 80)]},
            ],
        },
    })
}

/// An Ingress with a path to another Service, too.
pub fn ingress() -> Value {
    let path = |path: &str, service: &str, port: u16| {
        json!({"path": path, "pathType": "Prefix",
               "backend": {"service": {"name": service, "port": {"number": port}}}})
    };
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {
            "name": ROUTE, "namespace": PRODUCTION,
            "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "8m"},
        },
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}],
            "rules": [{"host": "shop.example.com", "http": {"paths": [
                path("/", "storefront", 8080), path("/legacy", "legacy", 80),
            ]}}],
        },
    })
}

impl Story {
    /// How production is moved in it.
    pub fn way(self) -> Way {
        match self {
            Self::BlueGreen | Self::BlueGreenBack | Self::BlueGreenBad => Way::BlueGreen,
            Self::Route | Self::RouteBad => Way::Route,
            Self::Ingress => Way::Ingress,
            Self::NoSurge => Way::NoSurge,
            _ => Way::Canary,
        }
    }
}

/// Somebody wants the old version back while it is still kept beside the new one.
pub(crate) async fn regret(stage: &Stage) {
    while status(stage, "production", "v1.1.0")["why"]["code"] != "Watches" {
        stage.pass(Duration::from_secs(1)).await;
    }
    stage.pass(REGRETS).await;
    let name = crate::scene::rollout_name(stage, "production", "v1.1.0");
    let spec = json!({"action": "rollback", "rollout": name, "reason": "baskets are empty"});
    Crew::ask(stage, "carol@example.com", BACK, spec).await;
}
