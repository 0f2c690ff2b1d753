//! The deliveries of one webhook, a line of the report for each.

use sluice_sdk::probe::{attempt, no_secret};
use sluice_sdk::{Examination, Outcome, Request, Response, SmokeTest};

use crate::letter;
use crate::settings::WebhookSettings;
use crate::style::Signature;

/// How often a delivery that must be refused is tried again, unless the settings say otherwise: it
/// changes nothing.
const REFUSED_RETRIES: u32 = 2;

/// Sends one webhook in every way that the settings ask for. The bad ones need no secret, so that a
/// receiver that checks nothing is caught even where none is configured.
pub(crate) fn webhook(t: &mut SmokeTest<'_>, settings: &WebhookSettings, index: usize) {
    let now = t.now_unix_ms() / 1_000;
    let all = Deliveries {
        settings,
        index,
        now,
    };
    all.refused(t, "bad signature", Signature::Bad);
    if settings.unsigned {
        all.refused(t, "no signature", Signature::Missing);
    }
    if !t.has_secret(&settings.sign.secret) {
        let why = no_secret(&settings.sign.secret);
        for what in all.signed() {
            t.skip(&all.name(what), &why);
        }
        return;
    }
    let sent = all.request(t, "good", Signature::Good, now);
    let accepted = all.accepted(t, &sent);
    if let Some(replay) = &settings.replay {
        if accepted {
            all.again(t, "replayed", &sent, &replay.status.0);
        } else {
            let why =
                "not tested: the first delivery was not accepted, so there is nothing to repeat";
            t.skip(&all.name("replayed"), why);
        }
    }
    if let Some(stale) = &settings.stale {
        let then = now.saturating_sub(u64::from(stale.age_seconds));
        let old = all.request(t, "old", Signature::Good, then);
        all.again(t, "signed long ago", &old, &stale.status.0);
    }
}

struct Deliveries<'s> {
    settings: &'s WebhookSettings,
    index: usize,
    now: u64,
}

impl Deliveries<'_> {
    fn name(&self, what: &str) -> String {
        format!("{}, {what}", self.settings.name())
    }

    /// What needs the secret.
    fn signed(&self) -> impl Iterator<Item = &'static str> {
        let replayed = self.settings.replay.as_ref().map(|_| "replayed");
        let stale = self.settings.stale.as_ref().map(|_| "signed long ago");
        ["good signature"].into_iter().chain(replayed).chain(stale)
    }

    fn request(
        &self,
        t: &SmokeTest<'_>,
        delivery: &str,
        signature: Signature,
        seconds: u64,
    ) -> Request {
        let settings = self.settings;
        let id = letter::id(&t.idempotency_key(), self.now, self.index, delivery);
        let body = letter::body(&settings.body, seconds, &id);
        let mut request = Request::new(&settings.method, &settings.path).on(&settings.target);
        for (name, value) in &settings.headers {
            let value = value.replace("{{id}}", &id);
            request = request.header(name, &value);
        }
        let typed = settings
            .headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case("content-type"));
        if !typed && !settings.body.is_string() {
            request = request.header("content-type", "application/json; charset=utf-8");
        }
        settings.sign.sign(request.body(body), signature, seconds)
    }

    /// A delivery that has to be refused whatever the key is.
    fn refused(&self, t: &mut SmokeTest<'_>, what: &str, signature: Signature) {
        let delivery = match signature {
            Signature::Good => "good",
            Signature::Bad => "bad",
            Signature::Missing => "unsigned",
        };
        let request = self.request(t, delivery, signature, self.now);
        let patience = self.settings.patience(REFUSED_RETRIES);
        let check = attempt(t, patience, &request, &self.name(what), |response| {
            status_in(response, &self.settings.bad_status.0)
        });
        t.record(&check.name, check.outcome, &check.message, check.elapsed_ms);
    }

    /// The delivery that has to be taken. It may change something, so it is sent once.
    fn accepted(&self, t: &mut SmokeTest<'_>, request: &Request) -> bool {
        let name = self.name("good signature");
        let check = attempt(t, self.settings.patience(0), request, &name, |response| {
            self.settings.expect.verdict(self.settings.good(), response)
        });
        t.record(&check.name, check.outcome, &check.message, check.elapsed_ms);
        check.outcome == Outcome::Pass
    }

    /// A delivery with a good signature that comes too late, or a second time. Sent once: a
    /// receiver that takes it must not be asked to take it again.
    fn again(&self, t: &mut SmokeTest<'_>, what: &str, request: &Request, statuses: &[u16]) {
        let mut patience = self.settings.patience(0);
        patience.tries = 1;
        let check = attempt(t, patience, request, &self.name(what), |response| {
            status_in(response, statuses)
        });
        t.record(&check.name, check.outcome, &check.message, check.elapsed_ms);
    }
}

fn status_in(response: &Response, statuses: &[u16]) -> (Outcome, String) {
    let mut examination = Examination::of(response);
    examination.status_in(statuses);
    examination.verdict()
}
