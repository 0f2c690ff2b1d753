//! What a pipeline may say about its canary.

use serde::Deserialize;
use sluice_sdk::Issue;
use sluice_sdk::settings::issue;
use sluice_sdk::strategy::{Hold, Weight, impatience, nameless_gate};

/// Most steps. A plan is shown to approvers, who have to read it.
const MAX_STEPS: usize = 32;

/// Hold of the default steps.
const DEFAULT_HOLD: Hold = Hold::from_ms(120_000);

/// The plugin's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// In order. 10, 50 and 100 % with two minutes each, unless said otherwise.
    #[serde(default = "default_steps")]
    pub steps: Vec<StepSettings>,
    /// Rolls back when a step stays unhealthy for so long, in milliseconds. Left out: it holds,
    /// and the policy's deadline decides.
    #[serde(default)]
    pub max_unhealthy_ms: Option<u64>,
}

/// One step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StepSettings {
    /// Share of the traffic, such as `10%`. The first step may have `0%`: it runs and is tested
    /// without traffic, where the router can keep traffic away.
    pub weight: Weight,
    /// How long to watch it after its checks passed, such as `2m`. None: go on at once.
    #[serde(default)]
    pub hold: Hold,
    /// Whether the environment's checks run in it.
    #[serde(default = "yes")]
    pub checks: bool,
    /// A gate that a person opens before it.
    #[serde(default)]
    pub gate: Option<String>,
}

fn yes() -> bool {
    true
}

fn default_steps() -> Vec<StepSettings> {
    [1_000, 5_000, 10_000]
        .into_iter()
        .filter_map(Weight::from_basis_points)
        .map(|weight| StepSettings {
            weight,
            hold: DEFAULT_HOLD,
            checks: true,
            gate: None,
        })
        .collect()
}

/// What serde cannot see: the steps rise, and end with all traffic.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let steps = &settings.steps;
    let mut issues = Vec::new();
    if steps.len() > MAX_STEPS {
        let message = format!("{} steps are too many to read", steps.len());
        issues.push(issue("/steps", &message, &format!("at most {MAX_STEPS}")));
    }
    match steps.last() {
        None => issues.push(issue(
            "/steps",
            "no steps",
            "leave `steps` out for 10, 50 and 100 %",
        )),
        Some(last) if last.weight != Weight::ALL => issues.push(issue(
            &format!("/steps/{}/weight", steps.len().saturating_sub(1)),
            &format!(
                "the last step has {}, so the release would never be promoted",
                last.weight
            ),
            "end with weight: \"100%\"",
        )),
        Some(_) => {}
    }
    for (index, step) in steps.iter().enumerate() {
        issues.extend(nameless_gate(
            &format!("/steps/{index}"),
            step.gate.as_deref(),
        ));
    }
    for (index, (before, step)) in steps.iter().zip(steps.iter().skip(1)).enumerate() {
        if step.weight <= before.weight {
            issues.push(issue(
                &format!("/steps/{}/weight", index + 1),
                &format!(
                    "{} does not rise above {} of the step before",
                    step.weight, before.weight
                ),
                "order the steps by weight, each share once",
            ));
        }
    }
    issues.extend(impatience(settings.max_unhealthy_ms));
    issues
}
