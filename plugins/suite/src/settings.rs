//! The services of a suite, and what is tested of each.

use serde::Deserialize;
use sluice_sdk::probe::{OneOrMany, Patience, RequestSettings};

/// The plugin's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// In any order: `after` decides.
    pub services: Vec<ServiceSettings>,
}

/// One service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceSettings {
    /// What the report calls it.
    pub name: String,
    /// `candidate`, `stable`, `service`, or a name from the grant. Left out: its own name.
    #[serde(default)]
    pub target: Option<String>,
    /// Services that have to be well before this one is tested.
    #[serde(default)]
    pub after: OneOrMany<String>,
    /// Its readiness page, and the dependencies that it has to name as ready.
    #[serde(default)]
    pub readiness: Option<ReadinessSettings>,
    /// Its metrics page, and the series that it has to show.
    #[serde(default)]
    pub metrics: Option<MetricsSettings>,
    /// Requests and what is expected of their answers.
    #[serde(default)]
    pub requests: Vec<RequestSettings>,
}

/// A readiness page: JSON that names dependencies with their states.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReadinessSettings {
    /// Path and query.
    #[serde(default = "ready")]
    pub path: String,
    /// Dependencies that have to be there, and ready: `database`, `cache`.
    #[serde(default)]
    pub dependencies: OneOrMany<String>,
    /// The whole answer takes less than this, in milliseconds.
    #[serde(default)]
    pub max_ms: Option<u32>,
    /// How often to try again when something is not ready.
    #[serde(default = "retries")]
    pub retries: u32,
    /// The wait before the first repetition, in milliseconds; each further one is twice as long.
    #[serde(default = "retry_wait_ms")]
    pub retry_wait_ms: u32,
    /// How long one answer may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
}

/// A page in Prometheus' text format.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MetricsSettings {
    /// Path and query.
    #[serde(default = "metrics")]
    pub path: String,
    /// Names of series that have to be there with a number; a `*` at the end stands for any ending.
    #[serde(default)]
    pub series: OneOrMany<String>,
    /// How often to try again.
    #[serde(default = "retries")]
    pub retries: u32,
    /// The wait before the first repetition, in milliseconds; each further one is twice as long.
    #[serde(default = "retry_wait_ms")]
    pub retry_wait_ms: u32,
    /// How long one answer may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
}

fn ready() -> String {
    "/ready".into()
}

fn metrics() -> String {
    "/metrics".into()
}

fn retries() -> u32 {
    2
}

fn retry_wait_ms() -> u32 {
    500
}

fn timeout_ms() -> u32 {
    5_000
}

impl ServiceSettings {
    /// Where it is.
    #[must_use]
    pub fn target(&self) -> &str {
        self.target.as_deref().unwrap_or(&self.name)
    }

    /// The requests as they are sent: to this service, and under its name in the report.
    pub(crate) fn named_requests(&self) -> impl Iterator<Item = RequestSettings> {
        self.requests.iter().map(|request| {
            let mut request = request.clone();
            let plain = format!("{} {}", request.method(), request.path);
            let own = request.name.take().unwrap_or(plain);
            request.name = Some(format!("{}: {own}", self.name));
            request.target.get_or_insert_with(|| self.target().into());
            request
        })
    }
}

impl ReadinessSettings {
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            tries: self.retries.saturating_add(1),
            wait_ms: self.retry_wait_ms,
            timeout_ms: self.timeout_ms,
        }
    }
}

impl MetricsSettings {
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            tries: self.retries.saturating_add(1),
            wait_ms: self.retry_wait_ms,
            timeout_ms: self.timeout_ms,
        }
    }
}
