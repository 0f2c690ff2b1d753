//! A canary: the new version takes a share of the traffic, is tested and watched, then takes more.

mod judge;
mod settings;
mod units;

use sluice_sdk::{Context, Error, Step};

pub use judge::judge;
pub use settings::{Settings, StepSettings, validate};
pub use units::{Hold, Weight};

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

sluice_sdk::export_traffic_strategy!(plan, judge, validate = validate);

#[cfg(test)]
mod tests;
