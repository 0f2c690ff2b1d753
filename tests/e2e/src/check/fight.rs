//! A GitOps controller that puts its number of replicas back every few seconds is not fought.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use serde_json::json;
use sluice_scenarios::both::{Ground as _, Release};
use tokio::time::{Instant, sleep};

use crate::app::PODS;
use crate::audit::most_in_a_minute;
use crate::check::same_end::cleared;
use crate::cluster::Cluster;
use crate::real::Real;
use crate::table::Traffic;
use crate::told::told;

const APP: &str = "fight";
/// More writes than this to one object within a minute are a fight.
const FIGHT: usize = 3;
/// How often the other one syncs.
const SYNC: Duration = Duration::from_secs(3);

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let Some(bed) = cluster.bed.clone() else {
        return Ok(Traffic::skipped(
            "the audit log of the API server, which counts the writes",
        ));
    };
    let ground = Real::start(cluster, APP, "5s").await?;
    let play = ground.play();
    let tag = Release::Good.tag();
    ground.push(Release::Good).await.map_err(told)?;
    play.approved(tag).await.map_err(told)?;
    play.why("production", tag, "Holds").await.map_err(told)?;
    let begin = Timestamp::now();
    let start = Instant::now();
    // Until the Rollout gives up and puts the stable version back.
    loop {
        play.change_target(json!({"spec": {"replicas": PODS}}))
            .await
            .map_err(told)?;
        let rollout = play.rollout("production", tag).await.map_err(told)?;
        let phase = rollout
            .and_then(|r| r.status)
            .map(|j| j.phase)
            .unwrap_or_default();
        if phase == "RolledBack" {
            break;
        }
        ensure!(start.elapsed() < Duration::from_secs(240), "still {phase}");
        sleep(SYNC).await;
    }
    let most = most_in_a_minute(&bed, APP, begin)?;
    ensure!(most <= FIGHT, "{most} writes to the target within a minute");
    cleared(cluster, APP).await?;
    Ok(Traffic::note(format!(
        "at most {most} writes of the agent to the target within a minute; ended rolled back"
    )))
}
