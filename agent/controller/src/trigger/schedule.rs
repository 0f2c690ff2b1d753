//! At an instant of a schedule, the newest eligible candidate.

use std::time::Duration;

use sluice_core::admit::{Candidate, PipelineView};
use sluice_core::pipeline::{EnvironmentSpec, ScheduleTrigger, TriggerKind};
use sluice_core::rollout::{CandidateImage, Cause};
use sluice_core::schedule::Schedule;
use sluice_core::trigger::{due, schedule_key, upstream};

use super::registry::{LookFault, look, no_whole_answer};
use crate::context::Context;
use crate::pipeline::{Held, propose, remember, status_of};

/// Fires for the latest instant since the last one that was looked at, then waits for the next.
pub(crate) async fn fire(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
    trigger: &ScheduleTrigger,
) -> Result<Option<Duration>, Held> {
    let schedule = Schedule::parse(&trigger.cron, &trigger.time_zone)
        .map_err(|p| Held::soon(p.to_string()))?;
    let key = schedule_key(&trigger.cron, &trigger.time_zone);
    let now = context.now();
    let looked_at = status_of(view, &environment.name).ticks.get(&key).copied();
    let instant = match looked_at {
        // Seen for the first time: instants before that are nobody's.
        None => Some((now, false)),
        Some(last) => due(&schedule, last, now).map(|t| (t, true)),
    };
    if let Some((instant, fires)) = instant {
        if fires {
            // The name of what comes of it holds the instant: a crash before the next line makes
            // the same Rollout once more, which is none (reliability.md T2).
            propose_at(context, namespace, view, environment, &key, instant).await?;
        }
        remember(context, namespace, view, &environment.name, |mut e| {
            e.ticks.insert(key.clone(), instant);
            e
        })
        .await?;
    }
    Ok(schedule
        .next(now)
        .map(|t| Duration::try_from(t.duration_since(now)).unwrap_or(Duration::ZERO)))
}

async fn propose_at(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
    key: &str,
    instant: jiff::Timestamp,
) -> Result<(), Held> {
    let id = format!("schedule-{key}-{instant}");
    if environment.after.is_empty() {
        let trigger = TriggerKind::Schedule;
        return match look(context, namespace, view, environment, trigger, Some(id)).await {
            Ok(()) => Ok(()),
            Err(LookFault::Held(held)) => Err(held),
            Err(LookFault::Registry(fault)) => Err(Held::soon(no_whole_answer(&fault))),
        };
    }
    let Some(revision) = upstream(view, environment) else {
        return Ok(());
    };
    let candidate = Candidate::release(
        CandidateImage::new(
            view.spec.image.repository.clone(),
            revision.tag,
            revision.digest,
        ),
        Cause {
            trigger: TriggerKind::Schedule,
            id,
            requester: None,
            reason: None,
        },
    );
    propose(context, namespace, view, environment, &candidate).await?;
    Ok(())
}
