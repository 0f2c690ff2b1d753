//! The scene: people with wide rights, and guards that are in force.

use std::time::Duration;

use anyhow::{Context as _, bail};
use kube::Config;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Install;
use super::actor::{
    APPROVAL, Actor, BINDING, CONFIGMAP, DEPLOYMENT, INGRESS, JOB, PIPELINE, POD, REQUEST, ROLE,
    ROLLOUT, ROUTE, SECRET, SERVICE, STATEFULSET,
};

/// A new policy takes effect some seconds after it is created.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(60);
/// Part of the name of everything that is made here.
pub(super) const MARK: &str = "guard-proof";
const TARGETS: &str = "guard-proof-targets";
const SERVICES: &str = "guard-proof-services";
const OBJECTS: &str = "guard-proof-objects";
const NAMED: &str = "guard-proof-named";
/// An object that the agent makes.
pub(super) const OWN: &str = "guard-proof-own";
/// A Deployment that is nobody's; and other objects of that name.
pub(super) const FOREIGN: &str = "guard-proof-foreign";

/// Who plays, and where.
pub(super) struct Stage {
    pub(super) pipelines: String,
    pub(super) target: String,
    pub(super) admin: Actor,
    pub(super) agent: Actor,
    /// In tech-leads; may patch Deployments of the target.
    pub(super) alice: Actor,
    /// In no group; may read Services of the target, and change nothing there.
    pub(super) bob: Actor,
    /// An administrator of the cluster.
    pub(super) carol: Actor,
    /// May patch Deployments of the target, and read no Service there.
    pub(super) dave: Actor,
    /// May patch one Deployment of the target, and read its Service.
    pub(super) erin: Actor,
}

impl Stage {
    pub(super) async fn set(config: &Config, install: &Install) -> anyhow::Result<Self> {
        let stage = Self {
            pipelines: install.pipelines.clone(),
            target: install.target.clone(),
            admin: Actor::admin(config)?,
            agent: Actor::named(config, &install.agent, &["system:serviceaccounts"])?,
            alice: Actor::named(config, "alice@example.com", &["tech-leads"])?,
            bob: Actor::named(config, "bob@example.com", &[])?,
            carol: Actor::named(config, "carol@example.com", &["system:masters"])?,
            dave: Actor::named(config, "dave@example.com", &[])?,
            erin: Actor::named(config, "erin@example.com", &[])?,
        };
        stage.clear().await;
        let all = json!([{"apiGroups": ["sluice.dev"], "resources": ["*"], "verbs": ["*"]}]);
        let workloads = json!([
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]},
        ]);
        let services = json!([{"apiGroups": [""], "resources": ["services"], "verbs": ["get"]}]);
        let objects = json!([{"apiGroups": ["", "apps", "batch", "networking.k8s.io", "gateway.networking.k8s.io"],
            "resources": ["*"], "verbs": ["*"]}]);
        let named = json!([{"apiGroups": ["apps"], "resources": ["deployments"],
            "resourceNames": ["storefront"], "verbs": ["patch"]}]);
        let (alice, bob) = ("alice@example.com", "bob@example.com");
        let (dave, erin) = ("dave@example.com", "erin@example.com");
        let agent = install.agent.as_str();
        let (home, target) = (install.pipelines.clone(), install.target.clone());
        for (namespace, name, rules, users) in [
            (&home, MARK, &all, &[alice, bob, dave, erin, agent][..]),
            (&target, TARGETS, &workloads, &[alice, dave, agent]),
            (&target, SERVICES, &services, &[alice, bob, erin, agent]),
            (&target, OBJECTS, &objects, &[agent]),
            (&target, NAMED, &named, &[erin]),
        ] {
            stage.grant(namespace, name, rules, users).await?;
        }
        let admin = stage.admin.clone();
        admin
            .create(DEPLOYMENT, &target, FOREIGN, deployment(FOREIGN, 0))
            .await
            .map_err(anyhow::Error::msg)?;
        stage.wait_for_guards().await?;
        Ok(stage)
    }

    async fn grant(
        &self,
        namespace: &str,
        name: &str,
        rules: &Value,
        users: &[&str],
    ) -> anyhow::Result<()> {
        let subjects: Vec<Value> = users
            .iter()
            .map(|u| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": u}))
            .collect();
        let admin = self.admin.clone();
        let said = admin
            .create(ROLE, namespace, name, json!({"rules": rules}))
            .await;
        said.map_err(anyhow::Error::msg)?;
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name});
        let body = json!({"roleRef": role, "subjects": subjects});
        let said = admin.create(BINDING, namespace, name, body).await;
        said.map_err(anyhow::Error::msg)
    }

    /// Policies are loaded together; the bindings of these two are the first and the last.
    async fn wait_for_guards(&self) -> anyhow::Result<()> {
        let limit = Instant::now() + IN_FORCE_WITHIN;
        loop {
            let vote = super::votes::vote("carol@example.com", &[]);
            let name = "guard-proof-probe";
            let first = self
                .alice
                .create_with(APPROVAL, &self.pipelines, name, vote, true)
                .await;
            let last = self
                .agent
                .delete(DEPLOYMENT, &self.target, FOREIGN, true)
                .await;
            if first.is_err() && last.is_err() {
                return Ok(());
            }
            if Instant::now() > limit {
                bail!(
                    "no guard is in force: are both charts installed, and is the agent {:?}?",
                    last
                );
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Removes what was made, by the hands that may.
    pub(super) async fn clear(&self) {
        let (home, target) = (&self.pipelines, &self.target);
        for name in [
            "guard-proof-a",
            "guard-proof-b",
            "guard-proof-c",
            "guard-proof-slack",
            "guard-proof-caller",
        ] {
            for kind in [PIPELINE, ROLLOUT, REQUEST] {
                let _ = self.agent.delete(kind, home, name, false).await;
            }
            // Votes are deleted by their voters alone.
            for who in [&self.alice, &self.bob] {
                let _ = who.delete(APPROVAL, home, name, false).await;
            }
            let _ = self.admin.delete(DEPLOYMENT, target, name, false).await;
        }
        let made = [SERVICE, INGRESS, JOB, CONFIGMAP, SECRET];
        for kind in made {
            let _ = self.admin.delete(kind, target, OWN, false).await;
        }
        for kind in made
            .into_iter()
            .chain([DEPLOYMENT, STATEFULSET, POD, ROUTE])
        {
            let _ = self.admin.delete(kind, target, FOREIGN, false).await;
        }
        for namespace in [home, target] {
            for name in [MARK, TARGETS, SERVICES, OBJECTS, NAMED] {
                let _ = self.admin.delete(BINDING, namespace, name, false).await;
                let _ = self.admin.delete(ROLE, namespace, name, false).await;
            }
        }
    }

    /// The schema of a status, as the API server has it.
    pub(super) async fn schema(&self, plural: &str) -> anyhow::Result<Value> {
        let path =
            format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.sluice.dev");
        let found = self.admin.raw(&path).await?;
        let schema = found.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/status");
        schema.cloned().context("the definition has no status")
    }
}

/// The body of a Deployment.
pub(super) fn deployment(app: &str, replicas: u32) -> Value {
    json!({"spec": {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": app}},
        "template": {
            "metadata": {"labels": {"app": app}},
            "spec": {"containers": [{"name": "c", "image": "registry.example.com/c:1"}]},
        },
    }})
}
