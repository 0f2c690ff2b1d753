//! Sends a webhook as its sender would: with a good signature, a bad one, none, an old one, and the
//! same twice. A receiver that takes what it should refuse fails, even where no secret is configured.
//!
//! The signature is the host's: this plugin writes where it belongs and never sees the key.

mod letter;
mod play;
mod settings;
mod style;

use sluice_sdk::{SmokeTest, TestResult};

pub use settings::{Replay, Settings, Stale, WebhookSettings, validate};
pub use style::{SignSettings, Style};

/// Plays every webhook of the settings, in order.
///
/// # Errors
/// None: what cannot be told is a line of the report.
pub fn run(t: &mut SmokeTest<'_>, settings: Settings) -> TestResult {
    for (index, webhook) in settings.webhooks.iter().enumerate() {
        play::webhook(t, webhook, index);
    }
    Ok(())
}

sluice_sdk::export_smoke_test!(run, validate = validate);

#[cfg(test)]
mod tests;
