//! Visitors notice nothing: 200 fresh connections a second through the ClusterIP, while a good release
//! is rolled out and promoted, and a bad one is rolled out and rolled back. The shares are what the
//! router announced.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use sluice_core::rollout::Why;
use sluice_scenarios::both::{Ground as _, Release};
use tokio::time::sleep;

use crate::check::same_end::cleared;
use crate::cluster::Cluster;
use crate::load::Load;
use crate::real::Real;
use crate::table::Traffic;
use crate::told::told;

const APP: &str = "traffic";
/// At 200 connections a second, enough for 4,000 of them.
const HOLD: &str = "23s";
/// Fewest connections over which a share is measured.
const CONNECTIONS: u64 = 4000;
/// How far a share may be off, in points of percent.
const TOLERANCE: f64 = 3.0;

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let ground = Real::start(cluster, APP, HOLD).await?;
    let image = format!("{}:v1.0.0", ground.repository());
    let load = Load::start(cluster, APP, &image).await?;
    let begin = Timestamp::now();
    let mut notes = Vec::new();
    let shares = rolled_out(&ground, &load).await?;
    notes.extend(shares);
    rolled_back(&ground).await?;
    // What the last pods of the canary still had to answer.
    sleep(Duration::from_secs(8)).await;
    let met = load.met(Some(begin), None).await?;
    load.stop().await?;
    cleared(cluster, APP).await?;
    met.unharmed(notes)
}

/// The good release, with the shares of its steps.
async fn rolled_out(ground: &Real, load: &Load) -> anyhow::Result<Vec<String>> {
    let play = ground.play();
    let tag = Release::Good.tag();
    ground.push(Release::Good).await.map_err(told)?;
    play.approved(tag).await.map_err(told)?;
    let mut notes = Vec::new();
    for number in [1, 2] {
        let held = play
            .until("production", tag, "the step is watched", |r| {
                matches!(
                    r.status.as_ref().and_then(|j| j.why.as_ref()),
                    Some(Why::Holds { step, .. }) if *step == number
                )
            })
            .await
            .map_err(told)?;
        let from = Timestamp::now();
        let announced = match held.status.and_then(|j| j.why) {
            Some(Why::Holds { share_bp, .. }) => f64::from(share_bp) / 100.0,
            other => anyhow::bail!("{other:?}"),
        };
        play.until("production", tag, "the step is over", |r| {
            !matches!(
                r.status.as_ref().and_then(|j| j.why.as_ref()),
                Some(Why::Holds { step, .. }) if *step == number
            )
        })
        .await
        .map_err(told)?;
        let met = load.met(Some(from), Some(Timestamp::now())).await?;
        let share = met.share(tag);
        let line = format!(
            "announced {announced:.1} %, met {share:.2} % over {} connections",
            met.answered()
        );
        ensure!(met.answered() >= CONNECTIONS, "too few to tell: {line}");
        ensure!((share - announced).abs() <= TOLERANCE, "{line}");
        notes.push(line);
    }
    play.phase("production", tag, "Succeeded")
        .await
        .map_err(told)?;
    Ok(notes)
}

/// The release that lies about its health in production.
async fn rolled_back(ground: &Real) -> anyhow::Result<()> {
    let play = ground.play();
    let tag = Release::SickInProduction.tag();
    ground.push(Release::SickInProduction).await.map_err(told)?;
    play.approved(tag).await.map_err(told)?;
    play.phase("production", tag, "RolledBack")
        .await
        .map_err(told)?;
    Ok(())
}
