//! `helm uninstall` leaves the workloads serving, and what people wrote.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use sluice_scenarios::both::{Ground as _, Release};
use tokio::time::sleep;

use crate::app::{DELIVERY, PRODUCTION};
use crate::cluster::Cluster;
use crate::install::{RELEASE, SYSTEM, pods};
use crate::load::Load;
use crate::real::Real;
use crate::table::Traffic;
use crate::told::told;

const APP: &str = "stays";

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let ground = Real::start(cluster, APP, "120s").await?;
    let play = ground.play();
    let image = format!("{}:v1.0.0", ground.repository());
    let load = Load::start(cluster, APP, &image).await?;
    // Even in the middle of a rollout.
    let tag = Release::Good.tag();
    ground.push(Release::Good).await.map_err(told)?;
    play.approved(tag).await.map_err(told)?;
    play.why("production", tag, "Holds").await.map_err(told)?;
    let begin = Timestamp::now();
    cluster
        .helm(&["uninstall", RELEASE, "-n", SYSTEM, "--wait"])
        .await?;
    sleep(Duration::from_secs(10)).await;
    let met = load.met(Some(begin), None).await?;
    load.stop().await?;
    ensure!(pods(cluster).await?.is_empty(), "the agent still runs");
    let kept = cluster
        .kubectl(
            None,
            &["get", "pipelines,rollouts", "-n", DELIVERY, "-o", "name"],
        )
        .await?;
    ensure!(
        kept.out.contains("rollout.sluice.dev/"),
        "what is left: {}",
        kept.out
    );
    let serving = cluster
        .kubectl(
            None,
            &[
                "get",
                "deployments",
                "-n",
                PRODUCTION,
                "-o",
                "jsonpath={.items[*].status.readyReplicas}",
            ],
        )
        .await?;
    met.unharmed(vec![format!(
        "ready pods of stable and canary afterwards: {}",
        serving.out
    )])
}
