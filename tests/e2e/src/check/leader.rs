//! Two agents. The one that leads is stopped (SIGSTOP) past its Lease in mid-rollout; the other ends
//! the rollout; the first wakes up, and none of its writes is accepted.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use sluice_cluster_bed::Bed;
use sluice_core::rollout::Why;
use sluice_scenarios::both::{Ground as _, Release};
use tokio::time::sleep;

use crate::audit::{AGENT, writes};
use crate::check::same_end::cleared;
use crate::cluster::Cluster;
use crate::install::{self, SYSTEM, leader};
use crate::real::Real;
use crate::table::Traffic;
use crate::told::told;

/// Where in the rollout the leader stops: in the middle of moving pods, and while it watches.
const MOMENTS: [(&str, u32); 2] = [("moving pods", 0), ("watching step 2", 2)];
/// For what a process that wakes up still has in hand.
const WAKES_UP: Duration = Duration::from_secs(8);

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let Some(bed) = cluster.bed.clone() else {
        return Ok(Traffic::skipped(
            "a node of our own, on which a process can be stopped",
        ));
    };
    install::start(cluster, 2).await?;
    let mut notes = Vec::new();
    for (n, (moment, step)) in MOMENTS.iter().enumerate() {
        let app = format!("led-{n}");
        let ground = Real::start(cluster, &app, "4s").await?;
        notes.push(stopped_at(cluster, &bed, &ground, moment, *step).await?);
        cleared(cluster, &app).await?;
    }
    install::start(cluster, 1).await?;
    Ok(Traffic {
        notes,
        ..Traffic::default()
    })
}

async fn stopped_at(
    cluster: &Arc<Cluster>,
    bed: &Bed,
    ground: &Real,
    moment: &str,
    step: u32,
) -> anyhow::Result<String> {
    let play = ground.play();
    let tag = Release::Good.tag();
    ground.push(Release::Good).await.map_err(told)?;
    play.asked(tag).await.map_err(told)?;
    let old = leader(cluster).await?;
    play.approved(tag).await.map_err(told)?;
    // Step 0 stands for: as soon as it has begun.
    play.until("production", tag, moment, |r| {
        let Some(journal) = &r.status else {
            return false;
        };
        match &journal.why {
            Some(Why::Holds { step: watched, .. }) => *watched == step,
            Some(_) | None => step == 0 && journal.state.begun(),
        }
    })
    .await
    .map_err(told)?;
    bed.freeze(SYSTEM, &old, "agent").await?;
    let ended = play.phase("production", tag, "Succeeded").await;
    bed.thaw(SYSTEM, &old, "agent").await?;
    ended.map_err(told)?;
    sleep(WAKES_UP).await;
    let taken_over = first_of_another(bed, &old)?;
    let late: Vec<String> = writes(bed, taken_over)?
        .iter()
        .filter(|e| e.pod() == Some(old.as_str()))
        .map(|e| format!("{} {} {}", e.stage_timestamp, e.verb, e.uri))
        .collect();
    ensure!(
        late.is_empty(),
        "accepted writes of {old} after the other one led:\n{}",
        late.join("\n")
    );
    let refused = refused(bed, &old, taken_over)?;
    Ok(format!(
        "stopped while {moment}: the other one ended it; of the old one {refused} late writes were \
         refused and none accepted"
    ))
}

/// When another pod than this one wrote anything but the Lease for the last time it took over.
fn first_of_another(bed: &Bed, old: &str) -> anyhow::Result<Timestamp> {
    let all = writes(bed, Timestamp::UNIX_EPOCH)?;
    let last_of_old = all
        .iter()
        .filter(|e| e.pod() == Some(old))
        .map(|e| e.stage_timestamp)
        .max();
    let others = all.iter().filter(|e| e.pod().is_some_and(|p| p != old));
    // The first write of the other after the old one's last but those that came late.
    others
        .map(|e| e.stage_timestamp)
        .filter(|t| last_of_old.is_none_or(|last| *t > last) || is_takeover(&all, old, *t))
        .min()
        .context("nobody took over")
}

/// Whether the write at `t` is a new leader's first: before it the old one wrote last.
fn is_takeover(all: &[sluice_cluster_bed::AuditEvent], old: &str, t: Timestamp) -> bool {
    let before = all
        .iter()
        .filter(|e| e.stage_timestamp < t)
        .max_by_key(|e| e.stage_timestamp);
    before.is_some_and(|e| e.pod() == Some(old))
}

/// Writes of a pod that the API server refused.
fn refused(bed: &Bed, pod: &str, since: Timestamp) -> anyhow::Result<usize> {
    let mut n = 0;
    for event in bed.audit()? {
        let event = event?;
        let mine = event.username() == AGENT && event.pod() == Some(pod);
        let late = event.stage == "ResponseComplete" && event.stage_timestamp >= since;
        if mine && late && event.is_write() && event.code().is_some_and(|c| c >= 400) {
            n += 1;
        }
    }
    Ok(n)
}
