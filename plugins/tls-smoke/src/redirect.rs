//! Whether plain HTTP leads to HTTPS.

use sluice_sdk::probe::{Patience, attempt};
use sluice_sdk::{Examination, Request, SmokeTest};

use crate::settings::RedirectSettings;

/// Statuses that a client remembers.
const PERMANENT: [u16; 2] = [301, 308];
/// Those, and the ones that it asks for again.
const ANY: [u16; 5] = [301, 302, 303, 307, 308];
/// A redirect is made by a proxy, which is there or is not: three tries, five seconds each.
const PATIENCE: Patience = Patience {
    tries: 3,
    wait_ms: 500,
    timeout_ms: 5_000,
};

/// Asks once, follows nothing, and looks where it would go.
pub(crate) fn examine(t: &mut SmokeTest<'_>, settings: &RedirectSettings) {
    let statuses: &[u16] = if settings.permanent { &PERMANENT } else { &ANY };
    let name = format!("{}: leads to HTTPS", settings.target);
    let request = Request::get(&settings.path).on(&settings.target);
    let check = attempt(t, PATIENCE, &request, &name, |response| {
        let mut examination = Examination::of(response);
        examination
            .status_in(statuses)
            .header("location", &settings.to);
        examination.verdict()
    });
    t.record(&check.name, check.outcome, &check.message, check.elapsed_ms);
}
