//! What an export is given besides the context, in the spelling of the contract.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All of them; each export takes its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Arguments {
    /// `poll`, `withdraw`, `on-callback`.
    #[serde(default)]
    pub ticket: String,
    /// `on-callback`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// `on-callback`: the body as text.
    #[serde(default)]
    pub body: Option<String>,
    /// `on-callback`: the body as a JSON document.
    #[serde(default)]
    pub json: Option<Value>,
    /// `notify`.
    #[serde(default)]
    pub event: Event,
    /// `evaluate`.
    #[serde(default)]
    pub window: Window,
    /// `judge`.
    #[serde(default)]
    pub step: Step,
    /// `judge`.
    #[serde(default)]
    pub observations: Vec<Observation>,
}

impl Arguments {
    /// The body of a callback.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        super::exchange::body(self.body.as_deref(), self.json.as_ref())
    }
}

/// `notifier.event`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Event {
    /// Stable over retries.
    pub id: String,
    /// Such as `started`.
    pub kind: String,
    /// How loud.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// A few lines.
    pub body: String,
    /// Label and address.
    pub links: BTreeMap<String, String>,
    /// What the notifier answered last.
    pub thread: Option<String>,
}

/// `notifier.severity`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Today.
    Warning,
    /// Now.
    Critical,
}

/// `metric-provider.window`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Window {
    /// First millisecond.
    pub from_unix_ms: u64,
    /// First millisecond after it.
    pub to_unix_ms: u64,
}

/// `traffic-strategy.step`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Share of the traffic.
    pub weight_bp: u16,
    /// Number of pods.
    pub capacity_replicas: Option<u32>,
    /// How long it is watched.
    pub hold_ms: u64,
    /// Whether checks run in it.
    pub checks: bool,
    /// What a person opens before it.
    pub gate: Option<String>,
}

/// `traffic-strategy.observation`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Observation {
    /// Since the step began.
    pub elapsed_ms: u64,
    /// Share of the traffic.
    pub weight_bp: u16,
    /// Whether pods are ready and checks passed.
    pub healthy: bool,
    /// Named measurements.
    #[serde(default)]
    pub samples: BTreeMap<String, f64>,
}
