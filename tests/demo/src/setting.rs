//! Where the story takes place: a cluster, a registry, two environments, two people.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use sluice_registry::{HostConfig, RegistryConfig};
use sluice_registry_sim::Registry;
use sluice_sim::{Behaviour, Cluster, Rule};

/// Namespace of Pipelines and Rollouts.
pub(crate) const DELIVERY: &str = "delivery";
/// Namespace of the production target.
pub(crate) const PRODUCTION: &str = "shop";
/// Name of the image within the registry.
const NAME: &str = "shop/storefront";
/// The people who approve.
pub(crate) const PEOPLE: [&str; 2] = ["alice@example.com", "bob@example.com"];
/// How long each canary step is watched: enough for 4,000 requests of the client on two cores.
const HOLD: &str = "20s";
/// The plugins that the story needs.
const PLUGINS: [&str; 3] = ["http_smoke.wasm", "canary.wasm", "rolling.wasm"];

/// Everything that exists before the agent starts.
pub(crate) struct Setting {
    pub(crate) cluster: Cluster,
    pub(crate) registry: Registry,
    pub(crate) repository: String,
    /// Folder with policy, plugins, records and kubeconfig.
    pub(crate) folder: PathBuf,
}

impl Setting {
    /// v1.0.0 serves in staging and production.
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let cluster = Cluster::real()?;
        let registry = Registry::start()
            .await
            .context("the registry does not start")?;
        let repository = registry.repository(NAME);
        let folder = folder(registry.host())?;
        let setting = Self {
            cluster,
            registry,
            repository,
            folder,
        };
        setting.push("v1.0.0", Behaviour::serving("v1.0.0"))?;
        for (namespace, replicas) in [("staging", 3), (PRODUCTION, 10)] {
            setting
                .cluster
                .apply(setting.deployment(namespace, replicas))?;
            setting.cluster.apply(service(namespace))?;
        }
        for person in PEOPLE {
            setting.cluster.user(person, &[]);
        }
        setting.cluster.apply(setting.pipeline())?;
        Ok(setting)
    }

    /// Somebody pushes a release.
    pub(crate) fn push(&self, tag: &str, behaviour: Behaviour) -> anyhow::Result<String> {
        // The kubelet must know the image before the agent can see its tag: it comes under a name
        // that is no release, and gets its tag when it can run.
        let content = format!("storefront {tag}");
        let digest = self.registry.push(NAME, &format!("build-{tag}"), &content);
        self.cluster
            .images()
            .set(&self.repository, &digest, behaviour);
        self.cluster.images().tag(&self.repository, tag, &digest);
        self.registry.retag(NAME, tag, &digest)?;
        Ok(digest)
    }

    /// v1.2.0: says that it is well everywhere but under production's data.
    pub(crate) fn push_bad(&self, tag: &str) -> anyhow::Result<String> {
        let sick = Rule::at("/health").in_namespace(PRODUCTION).answers(
            200,
            json!({"status": "degraded", "cause": "orders table is not readable"}),
        );
        self.push(tag, Behaviour::serving(tag).rule(sick))
    }

    /// How the agent reaches the registry: over plain HTTP, on loopback.
    pub(crate) fn registry_config(&self) -> RegistryConfig {
        let host = HostConfig {
            insecure: true,
            ..HostConfig::default()
        };
        RegistryConfig {
            hosts: [(self.registry.host().to_owned(), host)].into(),
            ..RegistryConfig::default()
        }
    }

    fn deployment(&self, namespace: &str, replicas: u32) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "storefront", "namespace": namespace},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "storefront"}},
                "strategy": {"type": "RollingUpdate",
                             "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}},
                "template": {
                    "metadata": {"labels": {"app": "storefront"}},
                    "spec": {"containers": [{
                        "name": "web", "image": format!("{}:v1.0.0", self.repository),
                        "ports": [{"name": "http", "containerPort": 8080}],
                    }]},
                },
            },
        })
    }

    fn pipeline(&self) -> Value {
        let checks = json!([{"plugin": "http-smoke", "settings": {"requests": [
            {"name": "health", "path": "/health",
             "expect": {"status": 200, "json": {"status": "ok"}}}]}}]);
        let target = |namespace: &str| json!({"namespace": namespace, "deployment": "storefront", "service": "storefront"});
        json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Pipeline",
            "metadata": {"name": "storefront", "namespace": DELIVERY},
            "spec": {
                "image": {"repository": self.repository, "tags": {"semver": ">=1.0.0 <2.0.0"}},
                "environments": [
                    {"name": "staging", "target": target("staging"),
                     "triggers": [{"registry": {"every": "2s"}}, {"manual": {}}],
                     "strategy": {"plugin": "rolling"}, "checks": checks},
                    {"name": "production", "after": ["staging"], "target": target(PRODUCTION),
                     "triggers": [{"upstream": {}}, {"manual": {}}],
                     "strategy": {"plugin": "canary", "router": {"replicas": {}},
                        "settings": {"steps": [
                            {"weight": "10%", "hold": HOLD}, {"weight": "50%", "hold": HOLD},
                            {"weight": "100%", "hold": "2s"}]}},
                     "checks": checks},
                ],
            },
        })
    }
}

fn service(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "storefront", "namespace": namespace},
        "spec": {"selector": {"app": "storefront"},
                 "ports": [{"port": 8080, "targetPort": "http"}]},
    })
}

/// A fresh folder beside the program, with the policy and the plugins in it.
fn folder(registry: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("where is this program?")?;
    let target = program
        .ancestors()
        .find(|p| p.file_name().is_some_and(|n| n == "target"))
        .or_else(|| program.ancestors().nth(2))
        .context("where was this program built?")?
        .to_owned();
    let folder = target.join("demo");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("the folder of the last run stays")?;
    }
    let plugins = folder.join("plugins");
    std::fs::create_dir_all(&plugins)?;
    let built = target.join("wasm32-wasip2").join("plugin");
    for name in PLUGINS {
        let from = built.join(name);
        if !from.exists() {
            bail!("{} is not built: run `make plugins` first", from.display());
        }
        std::fs::copy(&from, plugins.join(name))?;
    }
    write(
        &plugins,
        "plugins.yaml",
        include_str!("../files/plugins.yaml"),
    )?;
    let policy = include_str!("../files/policy.yaml").replace("REGISTRY", registry);
    write(&folder, "policy.yaml", &policy)?;
    Ok(folder)
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    std::fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))
}

/// Waits until something holds, looking often. The sentence says what was waited for.
pub(crate) async fn until(
    what: &str,
    limit: Duration,
    mut holds: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let start = tokio::time::Instant::now();
    while !holds() {
        if start.elapsed() > limit {
            bail!("waited {} s in vain: {what}", limit.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
