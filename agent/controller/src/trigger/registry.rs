//! The newest eligible tag of a registry, looked at over and over. Level-based: every pass proposes
//! the same until it is deployed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt;
use sluice_core::admit::{Candidate, PipelineView};
use sluice_core::pipeline::{EnvironmentSpec, RegistryTrigger, TriggerKind};
use sluice_core::port::RegistryFault;
use sluice_core::rollout::{CandidateImage, Cause};
use sluice_core::trigger::newer_tags;
use tokio::time::Instant;

use crate::backoff;
use crate::context::Context;
use crate::pipeline::{Held, propose, status_of};

/// When each environment's registry is looked at next. Lost at a restart: then it is looked at once
/// more than needed.
#[derive(Default)]
pub(crate) struct Polls {
    next: Mutex<HashMap<(String, String), Poll>>,
}

#[derive(Clone)]
struct Poll {
    at: Instant,
    failures: u32,
    /// Why the last look brought nothing: it holds until the next one.
    held: Option<String>,
}

impl Polls {
    fn get(&self, pipeline: &str, environment: &str) -> Option<Poll> {
        let key = (pipeline.to_owned(), environment.to_owned());
        self.next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned()
    }

    fn set(&self, pipeline: &str, environment: &str, poll: Poll) {
        let key = (pipeline.to_owned(), environment.to_owned());
        self.next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, poll);
    }

    /// Looks at the registry with the next turn.
    pub(crate) fn hurry(&self, pipeline: &str, environment: &str) {
        let key = (pipeline.to_owned(), environment.to_owned());
        self.next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
    }

    /// Looks at this instant at the latest, because somebody outside says that there is something new.
    /// Where the last look brought nothing, the wait stays as it is.
    pub(crate) fn sooner(&self, pipeline: &str, environment: &str, at: Instant) {
        let key = (pipeline.to_owned(), environment.to_owned());
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(poll) = next.get_mut(&key).filter(|poll| poll.held.is_none()) {
            poll.at = poll.at.min(at);
        }
    }
}

/// Looks, if it is time. Returns when to look next.
pub(crate) async fn fire(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
    trigger: &RegistryTrigger,
) -> Result<Option<Duration>, Held> {
    let pipeline = format!("{namespace}/{}", view.name);
    let last = context.polls.get(&pipeline, &environment.name);
    if let Some(poll) = &last
        && poll.at > Instant::now()
    {
        let wait = poll.at - Instant::now();
        return match &poll.held {
            None => Ok(Some(wait)),
            Some(why) => Err(Held {
                why: why.clone(),
                look_again: Some(wait),
            }),
        };
    }
    let found = look(
        context,
        namespace,
        view,
        environment,
        TriggerKind::Registry,
        None,
    )
    .await;
    let failures = match &found {
        Ok(()) => 0,
        Err(_) => last.map_or(0, |p| p.failures).saturating_add(1),
    };
    let (wait, held) = match found {
        Ok(()) => (
            jittered(Duration::from_millis(trigger.every.as_millis())),
            None,
        ),
        Err(LookFault::Registry(fault)) => {
            let wait = match &fault {
                RegistryFault::RateLimited {
                    retry_after_seconds,
                    ..
                } => Duration::from_secs(u64::from(*retry_after_seconds)),
                RegistryFault::NotFound(_)
                | RegistryFault::Denied(_)
                | RegistryFault::Unavailable(_) => backoff::wait(failures.saturating_add(2)),
            };
            (wait, Some(no_whole_answer(&fault)))
        }
        Err(LookFault::Held(held)) => (backoff::wait(failures), Some(held.why)),
    };
    let poll = Poll {
        at: Instant::now() + wait,
        failures,
        held: held.clone(),
    };
    context.polls.set(&pipeline, &environment.name, poll);
    match held {
        None => Ok(Some(wait)),
        Some(why) => Err(Held {
            why,
            look_again: Some(wait),
        }),
    }
}

/// What an environment says while its registry does not.
pub(crate) fn no_whole_answer(fault: &RegistryFault) -> String {
    format!("the registry gave no whole answer, so nothing changes: {fault}")
}

/// Why a look brought nothing.
pub(crate) enum LookFault {
    /// The registry.
    Registry(RegistryFault),
    /// The cluster.
    Held(Held),
}

/// Proposes the newest tag that is let in. A quarantined digest makes place for the one below it,
/// but never for one that is older than what serves.
pub(crate) async fn look(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
    trigger: TriggerKind,
    cause_id: Option<String>,
) -> Result<(), LookFault> {
    let registry = &context.ports.registry;
    let repository = view.spec.image.repository.clone();
    let tags = registry
        .tags(&repository)
        .await
        .map_err(LookFault::Registry)?;
    let status = status_of(view, &environment.name);
    let filter = view
        .spec
        .image
        .tags
        .compile()
        .map_err(|p| LookFault::Held(Held::soon(p.to_string())))?;
    for tag in newer_tags(&filter, &tags, &status) {
        let digest = registry
            .resolve(&repository, &tag)
            .await
            .map_err(LookFault::Registry)?;
        if status.stable.as_ref().is_some_and(|s| s.digest == digest) {
            return Ok(());
        }
        let quarantined = status.quarantine(&digest).is_some();
        let candidate = Candidate::release(
            CandidateImage::new(repository.clone(), Some(tag), digest),
            Cause {
                trigger,
                id: cause_id
                    .clone()
                    .unwrap_or_else(|| format!("registry-{}", status.attempt)),
                requester: None,
                reason: None,
            },
        );
        propose(context, namespace, view, environment, &candidate)
            .await
            .map_err(LookFault::Held)?;
        if !quarantined {
            return Ok(());
        }
    }
    Ok(())
}

/// The interval ±10 %, so that many pipelines do not ask in the same instant.
fn jittered(every: Duration) -> Duration {
    every.mul_f64(rand::rng().random_range(0.9..1.1))
}
