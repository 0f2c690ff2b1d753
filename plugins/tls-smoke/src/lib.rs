//! Looks at certificates: valid for their host, long enough, and of whom they should be. Also looks
//! whether plain HTTP leads to HTTPS.
//!
//! The verdict on a chain is the host's, which verifies it as for any request of a plugin. This
//! plugin says in words what is wrong, counts the days, and compares names.

mod certificate;
mod date;
mod redirect;
mod settings;
mod words;

use sluice_sdk::{SmokeTest, TestResult};

pub use settings::{HostSettings, RedirectSettings, Settings, validate};

/// Looks at every host, then at every redirect. One that fails does not keep the rest from being
/// looked at.
///
/// # Errors
/// None: what cannot be told is a line of the report.
pub fn run(t: &mut SmokeTest<'_>, settings: Settings) -> TestResult {
    for host in &settings.hosts {
        certificate::examine(t, host);
    }
    for redirect in &settings.redirects {
        redirect::examine(t, redirect);
    }
    Ok(())
}

sluice_sdk::export_smoke_test!(run, validate = validate);

#[cfg(test)]
mod tests;
