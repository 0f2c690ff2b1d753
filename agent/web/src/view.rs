//! What is shown, as plain values: pages and API are made of these and of nothing else.

mod approval;
mod banner;
mod listed;
mod metric;
mod offer;
mod picture;
mod pipeline;
mod rollout;
mod step;
mod summary;
mod time;
mod way;

use std::sync::Arc;

use jiff::Timestamp;
use sluice_cluster::crd::Rollout;
use sluice_controller::{World, votes_of};
use sluice_core::pipeline::TargetSpec;
use sluice_core::policy::{Identity, Policy};
use sluice_core::rollout::{Facts, Journal, Known, ObjectKind};

pub(crate) use approval::ApprovalView;
pub(crate) use banner::Banner;
pub(crate) use listed::{QuarantineRow, RefusalRow, quarantine, refusals};
pub(crate) use offer::OfferView;
pub(crate) use pipeline::PipelineView;
pub(crate) use rollout::RolloutView;
pub(crate) use summary::{Summary, href};

use crate::app::App;
use crate::problem::Problem;

/// Characters of a digest or a hash that a person compares.
const SHORT: usize = 12;

/// Everything that a view is made from.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) policy: Arc<Policy>,
    pub(crate) now: Timestamp,
}

impl Scene {
    pub(crate) fn of(app: &App) -> Self {
        Self {
            world: app.world.clone(),
            policy: app.policy(),
            now: app.now(),
        }
    }
}

/// What an approver sees of a Rollout: the same here, in the CLI and in a chat.
pub(crate) fn facts(
    scene: &Scene,
    rollout: &sluice_core::rollout::RolloutView,
    journal: &Journal,
) -> Facts {
    let pipeline = scene
        .world
        .pipeline(&rollout.namespace, &rollout.spec.pipeline);
    let votes = votes_of(&scene.world, &rollout.namespace, &rollout.uid);
    let stop = scene.world.stop(&scene.policy, scene.now);
    let known = Known {
        votes: &votes,
        pipeline: pipeline.as_ref().and_then(|p| p.status.as_ref()),
        stop: stop.as_ref(),
    };
    sluice_core::rollout::facts(rollout, journal, &scene.policy, &known, scene.now)
}

/// All pipelines, by name.
pub(crate) fn pipelines(scene: &Scene) -> Vec<PipelineView> {
    let mut all = scene.world.pipelines.state();
    all.sort_by(|a, b| {
        (&a.metadata.name, &a.metadata.namespace).cmp(&(&b.metadata.name, &b.metadata.namespace))
    });
    all.iter().map(|p| PipelineView::new(scene, p)).collect()
}

/// The newest Rollouts that fit.
pub(crate) fn recent(scene: &Scene, limit: usize, fits: impl Fn(&Rollout) -> bool) -> Vec<Summary> {
    let mut found = scene.world.rollouts.state_filter(fits);
    found.sort_by(|a, b| {
        let made = |r: &Rollout| r.metadata.creation_timestamp.as_ref().map(|t| t.0);
        (made(b), &b.metadata.name).cmp(&(made(a), &a.metadata.name))
    });
    found
        .iter()
        .take(limit)
        .map(|r| Summary::new(scene, r))
        .collect()
}

/// One Rollout with everything about it, and what this person may do.
pub(crate) fn rollout(
    scene: &Scene,
    who: Option<&Identity>,
    namespace: &str,
    name: &str,
) -> Result<RolloutView, Problem> {
    let found = scene
        .world
        .rollout(namespace, name)
        .ok_or_else(|| Problem::not_found(&format!("the rollout {namespace}/{name}")))?;
    RolloutView::new(scene, who, &found)
}

/// The part of a digest or hash that people compare.
fn short(text: &str) -> String {
    text.strip_prefix("sha256:")
        .unwrap_or(text)
        .chars()
        .take(SHORT)
        .collect()
}

/// What the workload is: a Deployment needs no word for it.
fn target(target: &TargetSpec) -> String {
    let mut out = match target.kind() {
        ObjectKind::Deployment => target.to_string(),
        kind => format!("{kind} {target}"),
    };
    if !target.with.is_empty() {
        let names: Vec<&str> = target.with.iter().map(|m| m.deployment.as_str()).collect();
        out.push_str(&format!(" in lockstep with {}", names.join(", ")));
    }
    out
}

/// A version as people know it: the tag, or the start of the digest.
fn version(tag: Option<&str>, digest: &str) -> String {
    tag.map_or_else(|| short(digest), str::to_owned)
}
