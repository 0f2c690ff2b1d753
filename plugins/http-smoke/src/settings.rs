//! What a pipeline may ask of its smoke test.

use serde::Deserialize;
use sluice_sdk::Issue;
use sluice_sdk::probe::{self, RequestSettings};
use sluice_sdk::settings::issue;

/// Most requests: half the budget of the manifest, so that each may be tried twice.
const MAX_REQUESTS: usize = 32;

/// The plugin's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// In order.
    pub requests: Vec<RequestSettings>,
}

/// All complaints about the settings.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let count = settings.requests.len();
    let mut issues = Vec::new();
    if count == 0 {
        let hint = "add a request: {path: /health}";
        issues.push(issue("/requests", "nothing to test", hint));
    }
    if count > MAX_REQUESTS {
        let hint = format!("at most {MAX_REQUESTS}; use the plugin twice for more");
        issues.push(issue("/requests", &format!("{count} requests"), &hint));
    }
    for (index, request) in settings.requests.iter().enumerate() {
        issues.extend(probe::issues(request, &format!("/requests/{index}")));
    }
    issues
}
