//! The agent's pod is killed again and again, at random instants over good and bad rollouts. Each ends
//! as it would have ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use kube::ResourceExt as _;
use rand::RngExt as _;
use sluice_scenarios::both::{Ending, Release};
use tokio::time::{Instant, sleep};

use crate::check::same_end::cleared;
use crate::cluster::Cluster;
use crate::install::{SYSTEM, pods};
use crate::real::Real;
use crate::table::Traffic;
use crate::told::told;

/// Kills in all.
const KILLS: u32 = 30;
/// Between two kills: from an agent that has not even begun to lead, to one that has done a step.
const PAUSE_MS: std::ops::Range<u64> = 500..12_000;
/// Apps that are released beside each other.
const APPS: [&str; 3] = ["killed-a", "killed-b", "killed-c"];
/// A round of releases under fire.
const LONGEST: Duration = Duration::from_secs(420);

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let mut grounds = Vec::new();
    for app in APPS {
        grounds.push(Real::start(cluster, app, "4s").await?);
    }
    let kills = AtomicU32::new(0);
    let mut ended: BTreeMap<&str, u32> = BTreeMap::new();
    let mut round = 0;
    while kills.load(Ordering::Relaxed) < KILLS {
        // One good and one bad after the other, not the same for all at a time.
        let plan: Vec<(&Real, String, Release)> = grounds
            .iter()
            .enumerate()
            .map(|(n, ground)| {
                let bad = (n + round) % 2 == 1;
                let release = if bad {
                    Release::SickInProduction
                } else {
                    Release::Good
                };
                (ground, format!("v1.{}.0", round + 10), release)
            })
            .collect();
        for (ground, tag, release) in &plan {
            ground.push_as(tag, *release).await?;
        }
        let over = async {
            for (ground, tag, release) in &plan {
                let expected = match release {
                    Release::SickInProduction => "RolledBack",
                    Release::Stable | Release::Good | Release::NeverReady => "Succeeded",
                };
                ended_as(ground, tag, expected).await?;
                *ended.entry(expected).or_default() += 1;
            }
            anyhow::Ok(())
        };
        tokio::select! {
            done = over => done?,
            killed = kill(cluster, &kills) => killed?,
        }
        round += 1;
    }
    for ground in &grounds {
        let ending = Ending::of(&ground.play()).await.map_err(told)?;
        let leftovers: Vec<_> = ending
            .deployments
            .keys()
            .filter(|k| k.ends_with("canary"))
            .collect();
        ensure!(leftovers.is_empty(), "canaries are left: {leftovers:?}");
        let target = ending
            .deployments
            .get("shop target")
            .cloned()
            .unwrap_or_default();
        ensure!(
            target.ends_with("x10 ready 10"),
            "the target is left as {target}"
        );
    }
    for app in APPS {
        cleared(cluster, app).await?;
    }
    Ok(Traffic::note(format!(
        "{} kills in {round} rounds; production ended {ended:?}, each as it must",
        kills.load(Ordering::Relaxed)
    )))
}

/// Kills the agent's pods for ever: without a warning, as a machine that loses its power.
async fn kill(cluster: &Cluster, kills: &AtomicU32) -> anyhow::Result<()> {
    loop {
        let pause = rand::rng().random_range(PAUSE_MS);
        sleep(Duration::from_millis(pause)).await;
        if kills.load(Ordering::Relaxed) >= KILLS {
            std::future::pending::<()>().await;
        }
        for pod in pods(cluster).await? {
            let arguments = [
                "delete",
                "pod",
                &pod,
                "-n",
                SYSTEM,
                "--grace-period=0",
                "--force",
            ];
            let said = cluster.try_kubectl(None, &arguments, "").await?;
            if said.ok {
                kills.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Waits for the end of a release in production, and signs when it asks.
pub(super) async fn ended_as(ground: &Real, tag: &str, expected: &str) -> anyhow::Result<()> {
    let play = ground.play();
    let start = Instant::now();
    let mut signed = false;
    loop {
        let rollout = play.rollout("production", tag).await.map_err(told)?;
        if let Some(r) = &rollout {
            let journal = r.status.clone().unwrap_or_default();
            if journal.state.ended() {
                ensure!(
                    journal.phase == expected,
                    "{} ended {} and not {expected}: {}",
                    r.name_any(),
                    journal.phase,
                    journal.message
                );
                return Ok(());
            }
            if !signed && journal.approval.is_some() && journal.phase == "AwaitingApproval" {
                play.approved(tag).await.map_err(told)?;
                signed = true;
            }
        }
        if start.elapsed() > LONGEST {
            let journal = rollout
                .and_then(|r| r.status)
                .context("no Rollout in production")?;
            anyhow::bail!("{tag} is stuck: {} {}", journal.phase, journal.message);
        }
        sleep(Duration::from_millis(500)).await;
    }
}
