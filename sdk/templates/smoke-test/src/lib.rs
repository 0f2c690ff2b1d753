//! Asks the new version whether it is healthy.

use sluice_sdk::prelude::*;

/// What a pipeline may set.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Path of the page that says how the service is.
    path: String,
    /// The page has to answer within this time, in milliseconds.
    max_ms: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: "/health".into(),
            max_ms: 1_000,
        }
    }
}

fn health(t: &mut SmokeTest, on: Settings) -> TestResult {
    let answer = t.get(&on.path)?;
    t.check("health", &answer)
        .status(200)
        .json("/status", "ok")
        .faster_than(on.max_ms);
    Ok(())
}

sluice_sdk::export_smoke_test!(health);
sluice_sdk::test_cases!(smoke_test(health), settings = Settings);
