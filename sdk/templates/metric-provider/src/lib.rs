//! Counts the errors of both versions. The verdict is the agent's.

use sluice_sdk::prelude::*;
use sluice_sdk::{Measurement, Role, Series, Window};

/// What a pipeline may set.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Path of the page that counts.
    path: String,
}

/// One version's numbers, as the metrics server writes them.
#[derive(Deserialize)]
struct Counts {
    errors: u64,
    total: u64,
}

fn evaluate(client: &Client, on: Settings, window: Window) -> Result<Measurement, Error> {
    let path = format!(
        "{}?from={}&to={}",
        on.path, window.from_unix_ms, window.to_unix_ms
    );
    let answer = client.ask(&Request::get(&path).on("metrics"))?;
    let page = answer.json().map_err(Error::Unavailable)?;
    let mut series = Vec::new();
    for (role, key) in [(Role::Stable, "stable"), (Role::Candidate, "candidate")] {
        // No series means no data: the agent waits. Zeroes would mean "no errors".
        let Some(counts) = page.get(key) else {
            continue;
        };
        let counts = Counts::deserialize(counts)
            .map_err(|error| Error::Unavailable(format!("{key}: {error}")))?;
        series.push(Series {
            role,
            events: counts.errors,
            total: counts.total,
            value: None,
        });
    }
    let summary = format!("{} of 2 versions have data", series.len());
    Ok(Measurement { series, summary })
}

sluice_sdk::export_metric_provider!(evaluate);
sluice_sdk::test_cases!(metrics(evaluate), settings = Settings);
