//! A canary: the new version takes a share of the traffic, is tested and watched, then takes more.

mod settings;

use sluice_sdk::strategy::opinion;
use sluice_sdk::{Context, Error, Judgement, Observation, Step};

pub use settings::{Settings, StepSettings, validate};

/// The steps as the settings say, each named after its share.
///
/// # Errors
/// Settings whose steps are no canary. The host asks `validate` first, so this is a second lock.
pub fn plan(_: &Context<'_>, settings: Settings) -> Result<Vec<Step>, Error> {
    if let Some(issue) = validate(&settings).first() {
        return Err(Error::InvalidConfig(format!(
            "settings {}: {}",
            issue.pointer, issue.message
        )));
    }
    Ok(settings.steps.into_iter().map(step).collect())
}

fn step(settings: StepSettings) -> Step {
    Step {
        name: settings.weight.to_string(),
        weight_bp: settings.weight.basis_points(),
        capacity_replicas: None,
        hold_ms: settings.hold.ms(),
        checks: settings.checks,
        gate: settings.gate,
    }
}

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
    Ok(opinion(step, seen, settings.max_unhealthy_ms))
}

sluice_sdk::export_traffic_strategy!(plan, judge, validate = validate);

#[cfg(test)]
mod tests;
