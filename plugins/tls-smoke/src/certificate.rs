//! One server's certificates, a line of the report for each thing that is looked at.

use sluice_sdk::probe::OneOrMany;
use sluice_sdk::smoke::no_answer;
use sluice_sdk::{Certificate, Chain, NetError, Outcome, SmokeTest};

use crate::date::{DAY_MS, day, days};
use crate::settings::HostSettings;
use crate::words;

/// The wait before another try, in milliseconds.
const WAIT_MS: u32 = 500;

/// Looks at one server.
pub(crate) fn examine(t: &mut SmokeTest<'_>, settings: &HostSettings) {
    let name = settings.name();
    let before = t.remaining_ms();
    let looked = look(t, settings);
    let elapsed_ms = before.saturating_sub(t.remaining_ms());
    let line = |what: &str| format!("{name}: {what}");
    let chain = match looked {
        Ok(chain) => chain,
        Err(error) => {
            let (outcome, message) = no_answer(&error, &settings.target, t.remaining_ms());
            t.record(&line("certificate"), outcome, &message, elapsed_ms);
            return;
        }
    };
    let now = i64::try_from(t.now_unix_ms()).unwrap_or(i64::MAX);
    let (outcome, message) = verified(&chain, settings.verify, now);
    t.record(&line("certificate"), outcome, &message, elapsed_ms);
    let Some(leaf) = chain.certificates.first() else {
        return;
    };
    let (outcome, message) = days_left(&chain, leaf, settings.min_days, now);
    t.record(&line("days left"), outcome, &message, 0);
    for (what, wanted, came) in [
        ("subject", &settings.subject, &leaf.subject),
        ("issuer", &settings.issuer, &leaf.issuer),
    ] {
        if !wanted.0.is_empty() {
            let (outcome, message) = named(what, wanted, came);
            t.record(&line(what), outcome, &message, 0);
        }
    }
}

/// The chain, tried again while there is none, as long as the budget allows.
fn look(t: &SmokeTest<'_>, settings: &HostSettings) -> Result<Chain, NetError> {
    let mut made = 0;
    loop {
        let limit = settings.timeout_ms.min(t.remaining_ms());
        let error = match t.chain_of(&settings.target, Some(limit)) {
            Ok(chain) => return Ok(chain),
            Err(error) => error,
        };
        let may_pass = match error {
            NetError::Resolve(_) | NetError::Connect(_) | NetError::Tls(_) | NetError::Timeout => {
                true
            }
            NetError::NotGranted(_)
            | NetError::TooLarge(_)
            | NetError::Quota
            | NetError::Protocol(_)
            | NetError::Other(_) => false,
        };
        if !may_pass || made == settings.retries || t.remaining_ms() <= WAIT_MS {
            return Err(error);
        }
        made += 1;
        t.pause(WAIT_MS);
    }
}

fn verified(chain: &Chain, must: bool, now: i64) -> (Outcome, String) {
    let Some(leaf) = chain.certificates.first() else {
        // The host reports what it can read. None of it: nothing can be said.
        let message = "the server's certificate cannot be read".into();
        return (Outcome::Inconclusive, message);
    };
    let who = format!(
        "{}, issued by {},",
        words::name(&leaf.subject),
        words::name(&leaf.issuer)
    );
    match &chain.verified {
        Ok(()) => (Outcome::Pass, format!("{who} verifies for the host")),
        Err(why) if must => (
            Outcome::Fail,
            format!("{who} {}", words::fault(chain, why, now)),
        ),
        Err(why) => (
            Outcome::Pass,
            format!(
                "{who} {}; the settings do not ask for that",
                words::fault(chain, why, now)
            ),
        ),
    }
}

/// The whole chain counts: clients stop at an intermediate that has expired, too.
fn days_left(chain: &Chain, leaf: &Certificate, min_days: u32, now: i64) -> (Outcome, String) {
    let first = chain
        .certificates
        .iter()
        .min_by_key(|certificate| certificate.not_after_unix_ms)
        .unwrap_or(leaf);
    let left = (first.not_after_unix_ms - now).div_euclid(DAY_MS);
    let when = day(first.not_after_unix_ms);
    let whose = words::whose(first, leaf);
    if left < 0 {
        return (Outcome::Fail, format!("{whose}expired on {when}"));
    }
    let told = format!("{whose}ends on {when}, in {}", days(left));
    if left < i64::from(min_days) {
        let wanted = days(i64::from(min_days));
        return (
            Outcome::Fail,
            format!("expected at least {wanted}, but it {told}"),
        );
    }
    (Outcome::Pass, told)
}

fn named(what: &str, wanted: &OneOrMany<String>, came: &str) -> (Outcome, String) {
    if let Some(text) = wanted.0.iter().find(|text| came.contains(text.as_str())) {
        return (
            Outcome::Pass,
            format!("{what} {} contains \"{text}\"", words::name(came)),
        );
    }
    let texts: Vec<String> = wanted.0.iter().map(|text| format!("\"{text}\"")).collect();
    let message = format!(
        "expected the {what} to contain {}, came {}",
        texts.join(" or "),
        words::name(came)
    );
    (Outcome::Fail, message)
}
