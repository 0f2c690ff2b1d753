//! Takes traffic over in steps, and back when errors rise. Pure: the same input, the same answer.

use sluice_sdk::prelude::*;
use sluice_sdk::settings::issue;
use sluice_sdk::{Issue, Judgement, Observation, Step};

/// What a pipeline may set.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// The share of traffic in each step, in percent, rising. The step to 100 comes by itself.
    percent: Vec<u16>,
    /// How long each step is watched, in seconds.
    hold_seconds: u64,
    /// The sample `error-rate` may be as high as this, from 0 to 1.
    max_error_rate: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            percent: vec![5, 25, 50],
            hold_seconds: 300,
            max_error_rate: 0.01,
        }
    }
}

/// What the type cannot say about the settings.
fn check(on: &Settings) -> Vec<Issue> {
    let mut issues = Vec::new();
    if !on.percent.is_sorted_by(|a, b| a < b) || on.percent.last() >= Some(&100) {
        let hint = "such as [5, 25, 50]";
        issues.push(issue("/percent", "must rise, and stay below 100", hint));
    }
    if !(0.0..=1.0).contains(&on.max_error_rate) {
        issues.push(issue("/maxErrorRate", "out of range", "from 0 to 1"));
    }
    issues
}

fn plan(_: &Context, on: Settings) -> Result<Vec<Step>, Error> {
    let step = |percent: u16, hold_ms| Step {
        name: format!("{percent} %"),
        weight_bp: percent * 100,
        capacity_replicas: None,
        hold_ms,
        checks: true,
        gate: None,
    };
    let hold_ms = on.hold_seconds * 1_000;
    let steps = on.percent.iter().map(|percent| step(*percent, hold_ms));
    Ok(steps.chain([step(100, 0)]).collect())
}

fn judge(_: &Context, on: Settings, step: &Step, seen: &[Observation]) -> Result<Judgement, Error> {
    let Some(last) = seen.last() else {
        return Ok(Judgement::Hold(step.hold_ms));
    };
    if !last.healthy {
        let why = "the new version is not healthy";
        return Ok(Judgement::Rollback(why.into()));
    }
    let rates = last.samples.iter().filter(|(name, _)| name == "error-rate");
    for (_, rate) in rates {
        // So that no number at all counts as too many errors.
        if !(*rate <= on.max_error_rate) {
            let most = on.max_error_rate;
            let why = format!("the error rate is {rate}, at most {most} is allowed");
            return Ok(Judgement::Rollback(why));
        }
    }
    match step.hold_ms.saturating_sub(last.elapsed_ms) {
        0 => Ok(Judgement::Proceed),
        rest => Ok(Judgement::Hold(rest)),
    }
}

sluice_sdk::export_traffic_strategy!(plan, judge, validate = check);
sluice_sdk::test_cases!(strategy(plan, judge), validate = check, settings = Settings);
