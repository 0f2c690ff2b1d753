//! The opinion between two steps.

use sluice_sdk::{Context, Error, Judgement, Observation, Step};

use crate::settings::Settings;

/// How long to wait before looking again, in milliseconds.
pub(crate) const LOOK_AGAIN_MS: u64 = 1_000;

/// Proceeds when the newest look is healthy, holds otherwise, and rolls back when the step has
/// been unhealthy for longer than the settings allow.
///
/// # Errors
/// None.
pub fn judge(
    _: &Context<'_>,
    settings: Settings,
    step: &Step,
    seen: &[Observation],
) -> Result<Judgement, Error> {
    let Some(last) = seen.last() else {
        return Ok(Judgement::Hold(LOOK_AGAIN_MS));
    };
    if last.healthy {
        return Ok(Judgement::Proceed);
    }
    // The unhealthy stretch that lasts until now; a healthy look in between ends it.
    let since = seen
        .iter()
        .rev()
        .take_while(|look| !look.healthy)
        .last()
        .map_or(last.elapsed_ms, |first| first.elapsed_ms);
    let unhealthy_ms = last.elapsed_ms.saturating_sub(since);
    Ok(match settings.max_unhealthy_ms {
        Some(limit) if unhealthy_ms >= limit => Judgement::Rollback(format!(
            "step {} has been unhealthy for {unhealthy_ms} ms; the settings allow {limit} ms \
             (maxUnhealthyMs)",
            step.name
        )),
        Some(limit) => Judgement::Hold(LOOK_AGAIN_MS.min(limit.saturating_sub(unhealthy_ms))),
        None => Judgement::Hold(LOOK_AGAIN_MS),
    })
}
