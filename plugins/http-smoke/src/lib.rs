//! Sends HTTP requests to the new version and compares the answers with what is expected.
//!
//! Everything is in the settings, so that most teams need no plugin of their own: health and
//! readiness as JSON, texts on a page, headers, redirects, response times, authenticated calls,
//! signed webhooks.

mod dependencies;
mod one_or_many;
mod probe;
mod settings;
mod validate;
mod webhook;

use sluice_sdk::{SmokeTest, TestResult};

pub use settings::{Auth, Expect, RequestSettings, Settings, Sign};
pub use validate::validate;

/// Sends every request of the settings, in order. One that fails does not keep the rest from
/// being sent: whoever reads the report wants to know all of it.
///
/// # Errors
/// None: what cannot be told is a line of the report.
pub fn run(t: &mut SmokeTest<'_>, settings: Settings) -> TestResult {
    for request in &settings.requests {
        match &request.sign {
            Some(sign) => webhook::run(t, request, sign),
            None => probe::run(t, request),
        }
    }
    Ok(())
}

sluice_sdk::export_smoke_test!(run, validate = validate);

#[cfg(test)]
mod tests;
