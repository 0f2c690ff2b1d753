//! `helm upgrade` and a change of the configuration in mid-rollout lose nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use sluice_scenarios::both::{Ground as _, Release};
use tokio::time::sleep;

use crate::check::same_end::cleared;
use crate::cluster::Cluster;
use crate::install::{self, pods};
use crate::real::Real;
use crate::table::Traffic;
use crate::told::told;

const APP: &str = "upgraded";
/// A pod of the agent ends within its grace period, which is 15 s.
const ENDS: Duration = Duration::from_secs(45);
/// Another environment, which changes nothing for those that are there.
const MORE_POLICY: &str = "
  rehearsal:
    targets: {namespaces: [rehearsal]}
    triggers: [manual]
    images: {repositories: [registry.example.com/rehearsal]}
";

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let ground = Real::start(cluster, APP, "12s").await?;
    let play = ground.play();
    let tag = Release::Good.tag();
    ground.push(Release::Good).await.map_err(told)?;
    play.approved(tag).await.map_err(told)?;
    play.why("production", tag, "Holds").await.map_err(told)?;
    let before = pods(cluster).await?;
    let policy = cluster.scratch.path().join("policy.yaml");
    std::fs::write(&policy, install::policy(cluster) + MORE_POLICY)?;
    let file = format!("policy.config={}", policy.display());
    // A new pod, and a new policy in the ConfigMap.
    install::upgrade(
        cluster,
        &[
            "--set",
            "podAnnotations.example\\.com/why=upgrade",
            "--set-file",
            &file,
        ],
    )
    .await?;
    replaced(cluster, &before).await?;
    play.phase("production", tag, "Succeeded")
        .await
        .map_err(told)?;
    cleared(cluster, APP).await?;
    Ok(Traffic::note(
        "a new pod and a new policy in mid-rollout; it went on to its end",
    ))
}

/// Helm waits for the new pod alone: the old one may still be ending.
async fn replaced(cluster: &Cluster, before: &[String]) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let now = pods(cluster).await?;
        if !now.is_empty() && now.iter().all(|p| !before.contains(p)) {
            return Ok(());
        }
        ensure!(begun.elapsed() < ENDS, "the pod was not replaced: {now:?}");
        sleep(Duration::from_millis(500)).await;
    }
}
