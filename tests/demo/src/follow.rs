//! The Rollouts as the agent's watches show them, told as a story.

use std::collections::HashMap;
use std::sync::Arc;

use kube::ResourceExt;
use sluice_cluster::crd::Rollout;
use sluice_controller::World;
use sluice_core::rollout::{Stage, State};
use tokio::time::Instant;

/// What is under way in production, as far as shares go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Step {
    /// Tag that is rolled out.
    pub(crate) tag: String,
    /// Index of the step.
    pub(crate) index: u32,
    /// Announced share of the candidate, in basis points.
    pub(crate) share_bp: u16,
}

/// Finds the production step whose pods all stand: between shifts, when a share is announced.
pub(crate) fn settled_step(world: &World) -> Option<Step> {
    world.rollouts.state().iter().find_map(|r| {
        let spec = &r.spec.body;
        let journal = r.status.as_ref()?;
        let step = journal.state.step()?;
        let at_rest = match step.stage {
            Stage::Shift => false,
            Stage::Check { .. } | Stage::Hold { .. } | Stage::Judge { .. } => true,
        };
        if spec.environment != "production" || !at_rest {
            return None;
        }
        let planned = journal
            .plan
            .as_ref()?
            .steps
            .get(usize::try_from(step.index).ok()?)?;
        Some(Step {
            tag: spec.image.tag.clone()?,
            index: step.index,
            share_bp: planned.achieved_bp,
        })
    })
}

/// The Rollout of a tag in an environment.
pub(crate) fn rollout(world: &World, environment: &str, tag: &str) -> Option<Arc<Rollout>> {
    world.rollouts.state().into_iter().find(|r| {
        r.spec.body.environment == environment && r.spec.body.image.tag.as_deref() == Some(tag)
    })
}

/// Whether it waits for votes.
pub(crate) fn waits_for_votes(r: &Rollout) -> bool {
    r.status.as_ref().is_some_and(|j| {
        matches!(j.state, State::AwaitingApproval)
            && matches!(j.why, Some(sluice_core::rollout::Why::WaitsForVotes { .. }))
    })
}

/// Prints every new moment of every Rollout's timeline, once.
pub(crate) struct Narrator {
    told: HashMap<String, usize>,
    start: Instant,
}

impl Narrator {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            told: HashMap::new(),
            start,
        }
    }

    /// One that has told what there is so far.
    pub(crate) fn silent_about(start: Instant, world: &World) -> Self {
        let mut narrator = Self::new(start);
        for r in world.rollouts.state() {
            let known = r.status.as_ref().map_or(0, |j| j.timeline.len());
            narrator.told.insert(r.uid().unwrap_or_default(), known);
        }
        narrator
    }

    /// Tells what is new.
    pub(crate) fn tell(&mut self, world: &World) {
        let mut rollouts = world.rollouts.state();
        rollouts.sort_by_key(|r| r.creation_timestamp().map(|t| t.0));
        for r in rollouts {
            let Some(journal) = &r.status else { continue };
            let told = self.told.entry(r.uid().unwrap_or_default()).or_default();
            for moment in journal.timeline.iter().skip(*told) {
                println!(
                    "{:6.1}s  {:<28} {:<18} {}",
                    self.start.elapsed().as_secs_f64(),
                    r.spec.body.title(),
                    moment.kind,
                    moment.text
                );
            }
            *told = journal.timeline.len();
        }
    }
}
