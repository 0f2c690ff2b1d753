//! A scenario on the real cluster ends as it does on the simulated one.

use std::sync::Arc;

use anyhow::ensure;
use sluice_scenarios::both::{Ending, Scenario, on_the_simulator};

use crate::cluster::Cluster;
use crate::real::Real;
use crate::table::Traffic;
use crate::told::told;

/// How long each step is watched.
const HOLD: &str = "5s";

pub(crate) async fn check(cluster: &Arc<Cluster>, scenario: Scenario) -> anyhow::Result<Traffic> {
    // Its runtime has a clock of its own, and cannot be started within this one.
    let simulated = tokio::task::spawn_blocking(move || on_the_simulator(scenario));
    let ground = Real::start(cluster, scenario.name(), HOLD).await?;
    let play = ground.play();
    scenario.play(&play).await.map_err(told)?;
    let real = Ending::of(&play).await.map_err(told)?;
    let simulated = simulated.await?.map_err(told)?;
    ensure!(
        real == simulated,
        "it ends otherwise than on the simulator, which is wrong then.\nreal: {real:#?}\nsimulated: {simulated:#?}"
    );
    cleared(cluster, scenario.name()).await?;
    Ok(Traffic::default())
}

/// Makes room on the node.
pub(crate) async fn cleared(cluster: &Cluster, app: &str) -> anyhow::Result<()> {
    let delivery = crate::app::DELIVERY;
    cluster
        .kubectl(None, &["delete", "pipeline", app, "-n", delivery])
        .await?;
    for namespace in [crate::app::STAGING, crate::app::PRODUCTION] {
        let kinds = "deployment,service,horizontalpodautoscaler";
        let arguments = [
            "delete",
            kinds,
            app,
            "-n",
            namespace,
            "--ignore-not-found",
            "--wait=false",
        ];
        cluster.kubectl(None, &arguments).await?;
    }
    Ok(())
}
