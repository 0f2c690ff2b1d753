//! Hints from outside that a repository may hold something new: the next look comes now. What it
//! finds is found as always; a hint is never data (reliability.md H4).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use kube::ResourceExt as _;
use sluice_core::image::Repository;
use sluice_core::pipeline::Trigger;
use tokio::time::Instant;

use crate::context::Context;
use crate::queue::Key;

/// However many hints come, a repository is looked at so often at most. A hint that comes earlier is
/// not lost: the look comes when this time is over.
const APART: Duration = Duration::from_secs(5);

/// Takes hints, as long as the agent lives. On an agent that does not lead they do nothing: its
/// registry is looked at by the one that leads, at its interval.
#[derive(Clone)]
pub struct Hints {
    context: Weak<Context>,
    /// When each repository that some Pipeline watches is looked at next, or was last.
    looks: Arc<Mutex<HashMap<Repository, Instant>>>,
}

impl Hints {
    pub(crate) fn new(context: &Arc<Context>) -> Self {
        Self {
            context: Arc::downgrade(context),
            looks: Arc::default(),
        }
    }

    /// Looks soon at this repository, however it is spelled: `nginx` is `docker.io/library/nginx`.
    /// Answers how many Pipelines watch it. One whose registry asked for patience, or gave no answer,
    /// keeps its own time: a forged hint must not undo a wait.
    pub fn look(&self, repository: &str) -> usize {
        let (Some(context), Ok(wanted)) = (self.context.upgrade(), repository.parse()) else {
            return 0;
        };
        let watching = context.world.pipelines.state_filter(|p| {
            let body = &p.spec.body;
            body.image.repository.parse::<Repository>().as_ref() == Ok(&wanted)
                && body.environments.iter().any(|e| polled(&e.triggers))
        });
        if watching.is_empty() {
            return 0;
        }
        let at = self.next_look(wanted);
        for pipeline in &watching {
            let (namespace, name) = (
                pipeline.namespace().unwrap_or_default(),
                pipeline.name_any(),
            );
            let place = format!("{namespace}/{name}");
            for e in &pipeline.spec.body.environments {
                if polled(&e.triggers) {
                    context.polls.sooner(&place, &e.name, at);
                }
            }
            let wait = at.saturating_duration_since(Instant::now());
            context.queue.after(Key::Pipeline { namespace, name }, wait);
        }
        watching.len()
    }

    /// Now, or when the last look is long enough ago.
    fn next_look(&self, repository: Repository) -> Instant {
        let now = Instant::now();
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        // As many as there are repositories that were hinted at within the time.
        looks.retain(|_, at| *at + APART > now);
        let at = match looks.get(&repository) {
            // One that is still to come serves this hint, too.
            Some(last) if *last > now => *last,
            Some(last) => *last + APART,
            None => now,
        };
        looks.insert(repository, at);
        at
    }
}

fn polled(triggers: &[Trigger]) -> bool {
    triggers.iter().any(|t| matches!(t, Trigger::Registry(_)))
}
