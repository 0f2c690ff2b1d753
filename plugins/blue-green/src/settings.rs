//! What a pipeline may say about its two steps.

use serde::Deserialize;
use sluice_sdk::Issue;
use sluice_sdk::strategy::{Hold, impatience, nameless_gate};

/// How long the new version is watched under all traffic, unless said otherwise: as long as a canary's
/// step.
const SWITCH_HOLD: Hold = Hold::from_ms(120_000);

/// The plugin's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// The new version runs beside the old one, without traffic.
    #[serde(default)]
    pub preview: Preview,
    /// All traffic goes to the new version.
    #[serde(default)]
    pub switch: Switch,
    /// Rolls back when a step stays unhealthy for so long, in milliseconds. Left out: it holds,
    /// and the policy's deadline decides.
    #[serde(default)]
    pub max_unhealthy_ms: Option<u64>,
}

/// The step before the switch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preview {
    /// How long to watch it after its checks passed, such as `2m`. None: go on at once.
    pub hold: Hold,
    /// Whether the environment's checks run in it, against the preview's own Service.
    pub checks: bool,
    /// A gate that a person opens before the preview is started.
    pub gate: Option<String>,
}

/// The step with all traffic.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switch {
    /// How long to watch it after its checks passed. Two minutes, unless said otherwise.
    pub hold: Hold,
    /// Whether the environment's checks run once more under all traffic.
    pub checks: bool,
    /// A gate that a person opens before the switch, once they have looked at the preview.
    pub gate: Option<String>,
}

impl Default for Preview {
    fn default() -> Self {
        Self {
            hold: Hold::default(),
            checks: true,
            gate: None,
        }
    }
}

impl Default for Switch {
    fn default() -> Self {
        Self {
            hold: SWITCH_HOLD,
            checks: true,
            gate: None,
        }
    }
}

/// What serde cannot see.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let gates = [
        ("/preview", settings.preview.gate.as_deref()),
        ("/switch", settings.switch.gate.as_deref()),
    ];
    let nameless = gates
        .into_iter()
        .filter_map(|(step, gate)| nameless_gate(step, gate));
    nameless
        .chain(impatience(settings.max_unhealthy_ms))
        .collect()
}
