//! Asks Prometheus, or whatever speaks its API (Thanos, Mimir, VictoriaMetrics), for the numbers of
//! the candidate and of the stable version in one window.
//!
//! Numbers, not a verdict: that is the agent's. No data is never a number, and an outage is never no
//! data.

mod answer;
mod api;
mod facts;
mod measure;
mod settings;
mod template;

use sluice_sdk::{Client, Error, Measurement, Role, Window};

use settings::Settings as S;

pub use settings::{Metric, Range, Reduce, Settings, validate};

/// Measures one window.
///
/// # Errors
/// Prometheus cannot be reached, or gives a partial answer (`unavailable`); asks for patience
/// (`rate-limited`); refuses the token (`denied`); or does not take the query, or gives something
/// else than one number (`invalid-config`).
pub fn evaluate(client: &Client<'_>, settings: S, window: Window) -> Result<Measurement, Error> {
    let mut roles = vec![Role::Candidate];
    if settings.stable && client.release().from_revision.is_some() {
        roles.push(Role::Stable);
    }
    let mut series = Vec::new();
    let mut told = Vec::new();
    for role in roles {
        let measured = measure::role(client, &settings, role, window)?;
        told.push(format!("{} {}", facts::role(role), measured.told));
        series.push(measured.series);
    }
    let name = settings.name.as_deref().unwrap_or("measured");
    let summary = format!("{name}: {}", told.join("; "));
    Ok(Measurement { series, summary })
}

sluice_sdk::export_metric_provider!(evaluate, validate = validate);

#[cfg(test)]
mod tests;
