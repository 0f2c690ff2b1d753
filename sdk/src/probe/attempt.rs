//! One request, repeated until its answer is as expected or the tries are used up.

use super::settings::RequestSettings;
use crate::smoke::no_answer;
use crate::{Check, NetError, Outcome, Request, Response, SmokeTest};

/// Least time for a request to make sense, in milliseconds.
const LEAST_MS: u32 = 200;
/// Longest wait that doubling leads to, in milliseconds: a budget of a minute still holds several.
const LONGEST_WAIT_MS: u32 = 5_000;

/// How often, how soon again, and how long at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries in all.
    pub tries: u32,
    /// The wait before the second try, in milliseconds. Each further wait is twice as long.
    pub wait_ms: u32,
    /// How long one answer may take, in milliseconds.
    pub timeout_ms: u32,
}

/// What one try showed.
struct Try {
    outcome: Outcome,
    message: String,
    elapsed_ms: u32,
    /// Whether another try could show something else.
    again: bool,
}

/// Sends a request of the settings and reports one line about it.
pub(super) fn run(t: &mut SmokeTest<'_>, settings: &RequestSettings) {
    let name = settings.name();
    if let Some(secret) = missing_secret(t, settings) {
        t.skip(&name, &no_secret(&secret));
        return;
    }
    let check = attempt(
        t,
        settings.patience(),
        &settings.request(),
        &name,
        |response| settings.expect.verdict(settings.statuses(), response),
    );
    t.record(&check.name, check.outcome, &check.message, check.elapsed_ms);
}

/// Why a check was not run.
#[must_use]
pub fn no_secret(secret: &str) -> String {
    format!(
        "not tested: secret `{secret}` holds no value; grant it and set it in plugins.yaml to test this"
    )
}

/// A secret that the request needs and that holds no value.
fn missing_secret(t: &SmokeTest<'_>, settings: &RequestSettings) -> Option<String> {
    let auth = settings.auth.iter().map(|auth| auth.secret.as_str());
    let named = settings
        .headers
        .values()
        .flat_map(|value| secrets_in(value));
    auth.chain(named)
        .find(|name| !t.has_secret(name))
        .map(Into::into)
}

fn secrets_in(value: &str) -> impl Iterator<Item = &str> {
    ["${secret:", "${hmac-sha256:"]
        .into_iter()
        .flat_map(|opening| value.split(opening).skip(1))
        .filter_map(|rest| rest.split(['}', ':']).next())
}

/// Sends a request until `examine` is content or the tries, the time or the budget are used up.
/// The result is a line for the report, under `name`.
pub fn attempt<'r>(
    t: &SmokeTest<'_>,
    patience: Patience,
    request: &Request,
    name: &str,
    examine: impl Fn(&Response) -> (Outcome, String) + 'r,
) -> Check {
    let mut best: Option<Try> = None;
    let mut made = 0;
    while made < patience.tries {
        if made > 0 {
            t.pause(wait(patience.wait_ms, made));
        }
        if t.remaining_ms() < LEAST_MS {
            break;
        }
        made += 1;
        let this = once(t, patience.timeout_ms, request, &examine);
        let again = this.again;
        // What was seen outweighs a later try that saw nothing, such as one over the budget.
        let blind = this.outcome == Outcome::Inconclusive && best.is_some();
        if !blind {
            best = Some(this);
        }
        if !again {
            break;
        }
    }
    let Some(best) = best else {
        let message = "no time left for this request: raise `limits.wall-ms` in the grant".into();
        let outcome = Outcome::Inconclusive;
        return Check {
            name: name.into(),
            outcome,
            message,
            elapsed_ms: 0,
        };
    };
    let message = match (made, best.outcome) {
        (0 | 1, _) => best.message,
        (n, Outcome::Pass) => format!("{} (at try {n})", best.message),
        (n, _) => format!("after {n} tries: {}", best.message),
    };
    Check {
        name: name.into(),
        outcome: best.outcome,
        message,
        elapsed_ms: best.elapsed_ms,
    }
}

/// Twice as long each time, so that a pod that still starts is not asked in vain too often.
fn wait(first_ms: u32, made: u32) -> u32 {
    let doubled = first_ms.saturating_mul(1_u32.checked_shl(made - 1).unwrap_or(u32::MAX));
    doubled.min(LONGEST_WAIT_MS.max(first_ms))
}

fn once(
    t: &SmokeTest<'_>,
    timeout_ms: u32,
    request: &Request,
    examine: impl Fn(&Response) -> (Outcome, String),
) -> Try {
    let before = t.remaining_ms();
    let request = request.clone().timeout_ms(timeout_ms.min(before));
    match t.client().send(&request) {
        Ok(response) => {
            let (outcome, message) = examine(&response);
            let again = outcome != Outcome::Pass;
            Try {
                outcome,
                message,
                elapsed_ms: response.elapsed_ms,
                again,
            }
        }
        Err(error) => {
            let left = t.remaining_ms();
            let (outcome, message) = no_answer(&error, &request.target, left);
            let message = format!("{request}: {message}");
            let elapsed_ms = before.saturating_sub(left);
            Try {
                outcome,
                message,
                elapsed_ms,
                again: may_pass(&error),
            }
        }
    }
}

/// Whether the same request could get an answer later.
fn may_pass(error: &NetError) -> bool {
    match error {
        NetError::Resolve(_)
        | NetError::Connect(_)
        | NetError::Tls(_)
        | NetError::Timeout
        | NetError::Protocol(_) => true,
        NetError::NotGranted(_) | NetError::TooLarge(_) | NetError::Quota | NetError::Other(_) => {
            false
        }
    }
}
