//! The cluster of the stories: one storefront, two environments, three people.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_core::policy::Policy;
use sluice_sim::{Behaviour, Cluster, Readiness, Rule};

use crate::scripted::{MemorySink, ScriptedPlugins, ScriptedRegistry};

/// The image of the stories.
pub const REPOSITORY: &str = "registry.example.com/shop/storefront";
/// Namespace of the staging target.
pub const STAGING: &str = "staging";
/// Namespace of the production target.
pub const PRODUCTION: &str = "shop";
/// The policy of the stories: staging is open to the registry, production needs two roles.
pub const POLICY: &str = "
apiVersion: sluice.dev/v1alpha1
kind: Policy
roles:
  devops-lead: {people: [alice]}
  tech-lead: {people: [bob]}
people:
  - {name: alice, kubernetes: alice@example.com}
  - {name: bob, kubernetes: bob@example.com}
environments:
  staging:
    targets: {namespaces: [staging]}
    triggers: [registry, manual]
    images: {repositories: [registry.example.com/shop/*]}
    checks: {require: [http-smoke]}
  production:
    targets: {namespaces: [shop]}
    triggers: [upstream, manual]
    images: {repositories: [registry.example.com/shop/*], tags: ['v*']}
    after: [staging]
    approvals: {require: [{role: devops-lead}, {role: tech-lead}]}
    strategy: {allow: [canary], firstStepAtMost: 10%}
    checks: {require: [http-smoke]}
";

/// A digest that is easy to tell apart: `sha256:` and a letter 64 times.
pub fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

/// The cluster and everything around it.
pub struct Stage {
    /// The cluster.
    pub cluster: Cluster,
    /// What the agent takes for plugins.
    pub plugins: Arc<ScriptedPlugins>,
    /// What it takes for a registry.
    pub registry: Arc<ScriptedRegistry>,
    /// Where its records go.
    pub sink: Arc<MemorySink>,
    /// Its policy.
    pub policy: Arc<Policy>,
    /// The most pods that production ever had, where a story counts them.
    pub most_pods: Arc<AtomicUsize>,
}

impl Stage {
    /// v1.0.0 serves in both environments; v1.1.0 is good; v1.2.0 lies about its health under
    /// production's data; v1.3.0 never becomes ready.
    pub fn new(seed: u64) -> Self {
        let cluster = Cluster::fast(seed);
        let images = cluster.images();
        let set = |letter, tag: &str, behaviour: Behaviour| {
            images.set(REPOSITORY, &digest(letter), behaviour);
            images.tag(REPOSITORY, tag, &digest(letter));
        };
        set('a', "v1.0.0", Behaviour::serving("v1.0.0"));
        set('b', "v1.1.0", Behaviour::serving("v1.1.0"));
        let sick = Rule::at("/health")
            .in_namespace(PRODUCTION)
            .answers(200, json!({"status": "degraded"}));
        set('c', "v1.2.0", Behaviour::serving("v1.2.0").rule(sick));
        set(
            'd',
            "v1.3.0",
            Behaviour::serving("v1.3.0").readiness(Readiness::Never),
        );
        for (namespace, replicas) in [(STAGING, 3), (PRODUCTION, 10)] {
            cluster
                .apply(deployment(namespace, replicas))
                .expect("a Deployment");
            cluster.apply(service(namespace)).expect("a Service");
        }
        for (user, groups) in [
            ("alice@example.com", ["people"]),
            ("bob@example.com", ["people"]),
            ("carol@example.com", ["people"]),
        ] {
            cluster.user(user, &groups);
        }
        cluster.apply(pipeline()).expect("a Pipeline");
        Self {
            plugins: Arc::new(ScriptedPlugins::new(cluster.clone())),
            registry: Arc::new(ScriptedRegistry::default()),
            sink: Arc::new(MemorySink::default()),
            policy: Arc::new(Policy::parse(POLICY).expect("the policy of the stories")),
            most_pods: Arc::default(),
            cluster,
        }
    }

    /// One more service of that image in staging, with a Pipeline of its own that people start.
    pub fn add_service(&self, name: &str, replicas: u32, strategy: &Value, smoke: &Value) {
        let apply = |object: Value| self.cluster.apply(object).expect("an object");
        apply(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": STAGING},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{
                        "name": "web", "image": format!("{REPOSITORY}:v1.0.0"),
                        "ports": [{"name": "http", "containerPort": 8080}],
                    }]},
                },
            },
        }));
        apply(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": STAGING},
            "spec": {"selector": {"app": name}, "ports": [{"port": 8080, "targetPort": "http"}]},
        }));
        apply(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Pipeline",
            "metadata": {"name": name, "namespace": "delivery"},
            "spec": {
                "image": {"repository": REPOSITORY, "tags": {"semver": ">=1.0.0 <2.0.0"}},
                "environments": [{
                    "name": "staging",
                    "target": {"namespace": STAGING, "deployment": name, "service": name},
                    "triggers": [{"manual": {}}],
                    "strategy": strategy,
                    "checks": [{"plugin": "http-smoke", "settings": smoke}],
                }],
            },
        }));
    }

    /// A person pushes a tag.
    pub fn push(&self, tag: &str, letter: char) {
        self.registry.push(REPOSITORY, tag, &digest(letter));
    }

    /// Lets virtual time pass.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

fn deployment(namespace: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "storefront", "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "storefront"}},
            "strategy": {"type": "RollingUpdate",
                         "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": "storefront"}},
                "spec": {"containers": [{
                    "name": "web", "image": format!("{REPOSITORY}:v1.0.0"),
                    "ports": [{"name": "http", "containerPort": 8080}],
                }]},
            },
        },
    })
}

fn service(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "storefront", "namespace": namespace},
        "spec": {"selector": {"app": "storefront"},
                 "ports": [{"port": 8080, "targetPort": "http"}]},
    })
}

fn pipeline() -> Value {
    let checks = json!([{"plugin": "http-smoke", "settings": {"requests": [
        {"path": "/health", "expect": {"status": 200, "json": {"status": "ok"}}}]}}]);
    json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Pipeline",
        "metadata": {"name": "storefront", "namespace": "delivery"},
        "spec": {
            "image": {"repository": REPOSITORY, "tags": {"semver": ">=1.0.0 <2.0.0"}},
            "environments": [
                {"name": "staging",
                 "target": {"namespace": STAGING, "deployment": "storefront",
                            "service": "storefront"},
                 "triggers": [{"registry": {"every": "1m"}}, {"manual": {}}],
                 "strategy": {"plugin": "rolling"}, "checks": checks},
                {"name": "production", "after": ["staging"],
                 "target": {"namespace": PRODUCTION, "deployment": "storefront",
                            "service": "storefront"},
                 "triggers": [{"upstream": {}}, {"manual": {}}],
                 "strategy": {"plugin": "canary", "router": {"replicas": {}}},
                 "checks": checks},
            ],
            "notify": [{"plugin": "notes", "settings": {}}],
        },
    })
}
