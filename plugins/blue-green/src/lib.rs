//! Blue and green: the new version runs beside the old one and is tested without traffic, then takes
//! all of it at once.

mod settings;

use sluice_sdk::strategy::opinion;
use sluice_sdk::{Context, Error, Judgement, Observation, Step};

pub use settings::{Preview, Settings, Switch, validate};

/// All traffic, in basis points.
const ALL: u16 = 10_000;

/// A preview without traffic, and the switch.
///
/// # Errors
/// Settings that `validate` complains about. The host asks it first, so this is a second lock.
pub fn plan(_: &Context<'_>, settings: Settings) -> Result<Vec<Step>, Error> {
    if let Some(issue) = validate(&settings).first() {
        return Err(Error::InvalidConfig(format!(
            "settings {}: {}",
            issue.pointer, issue.message
        )));
    }
    let Settings {
        preview, switch, ..
    } = settings;
    Ok(vec![
        Step {
            name: "preview".into(),
            weight_bp: 0,
            capacity_replicas: None,
            hold_ms: preview.hold.ms(),
            checks: preview.checks,
            gate: preview.gate,
        },
        Step {
            name: "switch".into(),
            weight_bp: ALL,
            capacity_replicas: None,
            hold_ms: switch.hold.ms(),
            checks: switch.checks,
            gate: switch.gate,
        },
    ])
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
