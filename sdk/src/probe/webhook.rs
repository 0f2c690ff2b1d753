//! A signed webhook: a bad signature must be refused, a good one accepted.

use super::attempt::{attempt, no_secret};
use super::settings::{RequestSettings, Sign};
use crate::{Examination, SmokeTest};

/// A signature of the right form that no key produces in practice.
const BAD_SIGNATURE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Sends the request twice and reports a line about each. The first needs no secret, so that a
/// receiver that checks nothing is caught even where none is configured.
pub(crate) fn run(t: &mut SmokeTest<'_>, settings: &RequestSettings, sign: &Sign) {
    let refused = format!("{}, bad signature", settings.name());
    let request = settings
        .request()
        .header(&sign.header, &format!("{}{BAD_SIGNATURE}", sign.prefix));
    let check = attempt(t, settings.patience(), &request, &refused, |response| {
        let mut examination = Examination::of(response);
        examination.status_in(&sign.bad_status.0);
        examination.verdict()
    });
    t.record(&check.name, check.outcome, &check.message, check.elapsed_ms);

    let accepted = format!("{}, good signature", settings.name());
    if !t.has_secret(&sign.secret) {
        t.skip(&accepted, &no_secret(&sign.secret));
        return;
    }
    let value = format!("{}${{hmac-sha256:{}}}", sign.prefix, sign.secret);
    let request = settings.request().header(&sign.header, &value);
    let check = attempt(t, settings.patience(), &request, &accepted, |response| {
        settings.expect.verdict(settings.statuses(), response)
    });
    t.record(&check.name, check.outcome, &check.message, check.elapsed_ms);
}
