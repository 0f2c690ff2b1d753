//! Requests as settings: what `http-smoke`, `suite` and `signed-webhook-smoke` share.
//!
//! A pipeline writes down what is asked and what is expected; [`run`] asks it, as often as it takes
//! and the budget allows, and adds a line to the report.

mod attempt;
pub mod dependencies;
mod expect;
mod issues;
mod one_or_many;
mod settings;
mod webhook;

pub use attempt::{Patience, attempt, no_secret};
pub use expect::Expect;
pub use issues::issues;
pub use one_or_many::OneOrMany;
pub use settings::{Auth, RequestSettings, Sign};

use crate::SmokeTest;

/// Sends a request of the settings, or a webhook with a bad and with a good signature, and adds a
/// line to the report for each.
pub fn run(t: &mut SmokeTest<'_>, request: &RequestSettings) {
    match &request.sign {
        Some(sign) => webhook::run(t, request, sign),
        None => attempt::run(t, request),
    }
}
