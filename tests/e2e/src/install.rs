//! Into an empty cluster: namespaces that enforce *restricted*, both charts, a policy, people.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use sluice_scenarios::POLICY;
use sluice_scenarios::both::{ALICE, BOB, CAROL};
use tokio::time::{Instant, sleep};

use crate::app::{DELIVERY, PRODUCTION, STAGING};
use crate::cluster::Cluster;
use crate::table::Traffic;

/// Namespace of the agent.
pub(crate) const SYSTEM: &str = "sluice-system";
/// Helm's name for the agent, and with it the name of its objects.
pub(crate) const RELEASE: &str = "sluice";
/// A leader that is killed holds the others up for so long: shorter than the default, because the
/// tests kill it often.
const LEASE: &str = "5s";

/// Creates the namespaces, pushes the images and installs both charts, without an agent yet.
pub(crate) async fn install(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let namespaces: Vec<Value> = [SYSTEM, DELIVERY, STAGING, PRODUCTION]
        .iter()
        .map(|name| namespace(name))
        .collect();
    cluster.apply(&namespaces).await?;
    let image = agent_image(cluster).await?;
    std::fs::write(values_file(cluster), values(cluster, &image).to_string())?;
    let crds = cluster.repository("charts/sluice-crds");
    let said = cluster
        .helm(&[
            "install",
            "sluice-crds",
            &text(&crds),
            "-n",
            SYSTEM,
            "--wait",
        ])
        .await?;
    without_warning(&said.err)?;
    let chart = cluster.repository("charts/sluice");
    let values = text(&values_file(cluster));
    let said = cluster
        .helm(&[
            "install",
            RELEASE,
            &text(&chart),
            "-n",
            SYSTEM,
            "-f",
            &values,
            "--set",
            "replicas=0",
        ])
        .await?;
    without_warning(&said.err)?;
    people(cluster).await?;
    Ok(Traffic::note(format!("the agent's image is {image}")))
}

/// A namespace that enforces *restricted*.
pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    }}})
}

/// Starts the agent, and asks it as `helm test` does.
pub(crate) async fn first_start(cluster: &Cluster) -> anyhow::Result<Traffic> {
    start(cluster, 1).await?;
    cluster
        .helm(&["test", RELEASE, "-n", SYSTEM, "--timeout", "60s"])
        .await?;
    Ok(Traffic::default())
}

/// Starts the agents and waits until one of them leads.
pub(crate) async fn start(cluster: &Cluster, replicas: u32) -> anyhow::Result<()> {
    upgrade(cluster, &["--set", &format!("replicas={replicas}")]).await?;
    leader(cluster).await.map(drop)
}

/// `helm upgrade` with what was installed and something else.
pub(crate) async fn upgrade(cluster: &Cluster, more: &[&str]) -> anyhow::Result<()> {
    let chart = text(&cluster.repository("charts/sluice"));
    let values = text(&values_file(cluster));
    let mut arguments = vec!["upgrade", RELEASE, &chart, "-n", SYSTEM, "-f", &values];
    arguments.extend(["--wait", "--timeout", "120s"]);
    arguments.extend(more);
    let said = cluster.helm(&arguments).await?;
    without_warning(&said.err)
}

/// The name of the pod that leads.
pub(crate) async fn leader(cluster: &Cluster) -> anyhow::Result<String> {
    let start = Instant::now();
    loop {
        let path = "jsonpath={.spec.holderIdentity} {.spec.renewTime}";
        let lease = ["get", "lease", RELEASE, "-n", SYSTEM, "-o", path];
        let holder = cluster.try_kubectl(None, &lease, "").await?.out;
        let holder = holder.split(' ').next().unwrap_or_default().to_owned();
        for pod in pods(cluster).await? {
            if holder.starts_with(&pod) {
                return Ok(pod);
            }
        }
        if start.elapsed() > Duration::from_secs(60) {
            bail!(
                "no agent leads: the Lease is held by {holder:?}, pods {:?}",
                pods(cluster).await?
            );
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// The pods of the agent that run.
pub(crate) async fn pods(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    let selector =
        format!("app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=agent");
    let path =
        "jsonpath={range .items[?(@.status.phase==\"Running\")]}{.metadata.name}{\"\\n\"}{end}";
    let said = cluster
        .kubectl(
            None,
            &["get", "pods", "-n", SYSTEM, "-l", &selector, "-o", path],
        )
        .await?;
    Ok(said.out.lines().map(str::to_owned).collect())
}

/// The API server's own warnings would be shown to whoever installs.
fn without_warning(err: &str) -> anyhow::Result<()> {
    let warned = err.lines().find(|l| l.to_lowercase().contains("warning"));
    ensure!(
        warned.is_none(),
        "the API server warns: {}",
        warned.unwrap_or_default()
    );
    Ok(())
}

fn text(path: &std::path::Path) -> String {
    path.display().to_string()
}

pub(crate) fn values_file(cluster: &Cluster) -> PathBuf {
    cluster.scratch.path().join("values.json")
}

async fn agent_image(cluster: &Cluster) -> anyhow::Result<String> {
    let archive = cluster.agent_image();
    ensure!(
        archive.exists(),
        "{} is not there: run `make image` first",
        archive.display()
    );
    let repository = format!("{}/sluice", cluster.registry);
    let name = format!("{repository}:{}", env!("CARGO_PKG_VERSION"));
    let digest = sluice_image::push(&archive, &name, cluster.insecure)
        .await
        .context("the agent's image cannot be pushed")?;
    Ok(format!("{repository}@{digest}"))
}

/// The policy of the scenarios, for this registry. Pods that never come do so in staging, where little
/// patience is enough; production must bear an agent that is killed all the time.
pub(crate) fn policy(cluster: &Cluster) -> String {
    let limits = |time: &str| format!("    limits: {{progressDeadline: {time}}}\n    checks:");
    POLICY
        .replace("registry.example.com", &cluster.registry)
        .replacen("    checks:", &limits("40s"), 1)
        .replacen(
            "strategy: {allow",
            "limits: {progressDeadline: 90s}\n    strategy: {allow",
            1,
        )
}

fn values(cluster: &Cluster, image: &str) -> Value {
    let (repository, digest) = image.split_once('@').unwrap_or((image, ""));
    let host = json!({"insecure": cluster.insecure});
    json!({
        "image": {"repository": repository, "digest": digest},
        "pipelinesNamespace": DELIVERY,
        "targetNamespaces": [STAGING, PRODUCTION],
        "targets": {"features": {
            "services": true, "httpRoutes": true, "ingresses": true, "statefulSets": true,
            "daemonSets": true, "hooks": true, "configMaps": true, "secrets": true,
        }},
        "policy": {"config": policy(cluster)},
        "registry": {"config": {"hosts": {cluster.registry.as_str(): host}}},
        "records": {"persistence": {"enabled": false}},
        "lease": {"duration": LEASE},
        "log": {"format": "text"},
    })
}

/// Everybody here may ask and vote, as far as RBAC goes: what it achieves is for the policy to say.
async fn people(cluster: &Cluster) -> anyhow::Result<()> {
    let subjects: Vec<Value> = [ALICE, BOB, CAROL]
        .iter()
        .map(|name| json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}))
        .collect();
    let bindings: Vec<Value> = ["requester", "approver"]
        .iter()
        .map(|role| {
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": format!("everybody-{role}"), "namespace": DELIVERY},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role",
                            "name": format!("{RELEASE}-{role}")},
                "subjects": subjects,
            })
        })
        .collect();
    cluster.apply(&bindings).await.map(drop)
}
