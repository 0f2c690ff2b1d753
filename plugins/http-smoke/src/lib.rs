//! Sends HTTP requests to the new version and compares the answers with what is expected.
//!
//! Everything is in the settings, so that most teams need no plugin of their own: health and
//! readiness as JSON, texts on a page, headers, redirects, response times, authenticated calls,
//! signed webhooks. What one request can say is in `sluice_sdk::probe`.

mod settings;

use sluice_sdk::{SmokeTest, TestResult, probe};

pub use settings::{Settings, validate};

/// Sends every request of the settings, in order. One that fails does not keep the rest from
/// being sent: whoever reads the report wants to know all of it.
///
/// # Errors
/// None: what cannot be told is a line of the report.
pub fn run(t: &mut SmokeTest<'_>, settings: Settings) -> TestResult {
    for request in &settings.requests {
        probe::run(t, request);
    }
    Ok(())
}

sluice_sdk::export_smoke_test!(run, validate = validate);

#[cfg(test)]
mod tests;
