//! A smoke test that reads like one.

mod examination;

use std::ops::Deref;

pub use examination::Examination;

use crate::host;
use crate::text::{MESSAGE_CHARS, excerpt};
use crate::{Chain, Check, Client, Error, NetError, Outcome, Report, Request, Response};

/// Most lines in one report. What comes later is counted in the last line.
pub const MAX_CHECKS: usize = 100;

/// What a smoke test's function returns. `Ok(())` means "ran to its end", not "passed".
pub type TestResult = Result<(), Stop>;

/// Why a smoke test ended early.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The reason is already a line of the report: the rest of the test makes no sense.
    Reported,
    /// The plugin could not do its job at all. The rollout holds.
    Unable(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Unable(error)
    }
}

/// One run of a smoke test: sends requests, collects lines, makes the report.
pub struct SmokeTest<'a> {
    client: Client<'a>,
    headline: Option<String>,
    lines: Vec<Check>,
    left_out: usize,
}

impl<'a> SmokeTest<'a> {
    pub(crate) fn new(client: Client<'a>) -> Self {
        Self {
            client,
            headline: None,
            lines: Vec::new(),
            left_out: 0,
        }
    }

    /// `GET path` on the candidate.
    ///
    /// # Errors
    /// As [`SmokeTest::request`].
    pub fn get(&mut self, path: &str) -> Result<Response, Stop> {
        self.request(&Request::get(path))
    }

    /// Sends any request. No answer is a line of the report (see [`no_answer`]) and ends the test;
    /// to go on after it, use [`Client::send`] on [`SmokeTest::client`].
    ///
    /// # Errors
    /// [`Stop::Reported`] when there is no answer.
    pub fn request(&mut self, request: &Request) -> Result<Response, Stop> {
        let before = self.remaining_ms();
        self.client.send(request).map_err(|error| {
            let left = self.remaining_ms();
            let (outcome, message) = no_answer(&error, &request.target, left);
            self.record(
                &request.to_string(),
                outcome,
                &message,
                before.saturating_sub(left),
            );
            Stop::Reported
        })
    }

    /// Sends a request until an answer is good, at most so many times, with so many milliseconds
    /// between; also where there is no answer. Returns the last answer, good or not: the check is still
    /// to be made. Never goes on beyond the time of the call.
    ///
    /// # Errors
    /// [`Stop::Reported`] when there was no answer at last.
    pub fn eventually(
        &mut self,
        request: &Request,
        times: u32,
        wait_ms: u32,
        good: impl Fn(&Response) -> bool,
    ) -> Result<Response, Stop> {
        for _ in 1..times {
            if self.remaining_ms() <= wait_ms {
                break;
            }
            match self.client.send(request) {
                Ok(answer) if good(&answer) => return Ok(answer),
                Ok(_) | Err(_) => self.pause(wait_ms),
            }
        }
        self.request(request)
    }

    /// Looks at the certificates of a target.
    ///
    /// # Errors
    /// The host could not see them, or would not look.
    pub fn chain_of(&self, target: &str, timeout_ms: Option<u32>) -> Result<Chain, NetError> {
        host::inspect(self.client.call(), target, timeout_ms)
    }

    /// Looks at the certificates of a target. No chain is a line of the report and ends the test;
    /// to go on after it, use [`SmokeTest::chain_of`].
    ///
    /// # Errors
    /// [`Stop::Reported`] when there is no chain.
    pub fn inspect_tls(&mut self, target: &str, timeout_ms: Option<u32>) -> Result<Chain, Stop> {
        let before = self.remaining_ms();
        self.chain_of(target, timeout_ms).map_err(|error| {
            let left = self.remaining_ms();
            let (outcome, message) = no_answer(&error, target, left);
            let name = format!("certificate of {target}");
            self.record(&name, outcome, &message, before.saturating_sub(left));
            Stop::Reported
        })
    }

    /// Begins a line of the report about one response. It passes when everything that is said
    /// about the response holds; a line that says nothing is inconclusive.
    pub fn check<'t, 'r>(&'t mut self, name: &str, response: &'r Response) -> Line<'a, 't, 'r> {
        Line {
            test: self,
            name: name.into(),
            examination: Examination::of(response),
        }
    }

    /// Adds a line of the test's own making.
    pub fn record(&mut self, name: &str, outcome: Outcome, message: &str, elapsed_ms: u32) {
        if self.lines.len() < MAX_CHECKS {
            self.lines.push(Check {
                name: excerpt(name, MESSAGE_CHARS),
                outcome,
                message: excerpt(message, MESSAGE_CHARS),
                elapsed_ms,
            });
            return;
        }
        self.left_out += 1;
        // The verdict must not depend on a line that found no room.
        if let Some(last) = self.lines.last_mut() {
            last.outcome = worse(last.outcome, outcome);
            last.name = format!("{} further checks, the worst", self.left_out + 1);
        }
    }

    /// Adds a line that says why something was not tested.
    pub fn skip(&mut self, name: &str, why: &str) {
        self.record(name, Outcome::Skipped, why, 0);
    }

    /// The lines so far.
    #[must_use]
    pub fn lines(&self) -> &[Check] {
        &self.lines
    }

    /// What the summary begins with, before the counts: such as which of several services failed.
    pub fn headline(&mut self, text: &str) {
        self.headline = Some(text.into());
    }

    /// Waits, at most until 100 ms before the end of the call.
    pub fn pause(&self, ms: u32) {
        host::sleep(
            self.client.call(),
            ms.min(self.remaining_ms().saturating_sub(100)),
        );
    }

    /// The client behind the test, for answers that are no line of the report.
    #[must_use]
    pub fn client(&self) -> Client<'a> {
        self.client
    }

    /// The report. A failed check makes it fail, an inconclusive one makes it inconclusive; it
    /// passes when something passed and the rest was skipped.
    pub(crate) fn report(self) -> Report {
        let count = |outcome| {
            self.lines
                .iter()
                .filter(|line| line.outcome == outcome)
                .count()
        };
        let (passed, skipped) = (count(Outcome::Pass), count(Outcome::Skipped));
        let outcome = self.lines.iter().map(|line| line.outcome).reduce(worse);
        let Some(outcome) = outcome else {
            return Report {
                outcome: Outcome::Inconclusive,
                summary: "the test checked nothing".into(),
                checks: self.lines,
            };
        };
        let skips = match skipped {
            0 => String::new(),
            n => format!(", {n} skipped"),
        };
        let total = self.lines.len();
        let first = |outcome| self.lines.iter().find(|line| line.outcome == outcome);
        let summary = match (outcome, first(outcome)) {
            (Outcome::Fail | Outcome::Inconclusive, Some(line)) => {
                format!(
                    "{passed} of {total} checks passed{skips}; {}: {}",
                    line.name, line.message
                )
            }
            (Outcome::Skipped, Some(line)) => format!("nothing tested: {}", line.message),
            (Outcome::Pass, _) | (_, None) => format!("{passed} of {total} checks passed{skips}"),
        };
        let summary = match &self.headline {
            Some(headline) => format!("{headline}; {summary}"),
            None => summary,
        };
        Report {
            outcome,
            summary: excerpt(&summary, MESSAGE_CHARS),
            checks: self.lines,
        }
    }
}

impl<'a> Deref for SmokeTest<'a> {
    type Target = Client<'a>;

    fn deref(&self) -> &Client<'a> {
        &self.client
    }
}

/// One line of a report about one response. It enters the report at the end of the statement.
pub struct Line<'a, 't, 'r> {
    test: &'t mut SmokeTest<'a>,
    name: String,
    examination: Examination<'r>,
}

macro_rules! assertions {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*);)*) => {
        impl Line<'_, '_, '_> {
            $(
                $(#[$doc])*
                pub fn $name(mut self, $($arg: $type),*) -> Self {
                    self.examination.$name($($arg),*);
                    self
                }
            )*
        }
    };
}

assertions! {
    /// The status is this one.
    status(code: u16);
    /// The JSON value at this place is this one: a pointer `/a/0/b`, a path `$.a[0].b`, or a key at
    /// the top.
    json(place: &str, value: impl Into<serde_json::Value>);
    /// The number at this place lies between the two, both included.
    within(place: &str, least: f64, most: f64);
    /// The body contains this text.
    contains(text: &str);
    /// The body does not contain this text.
    lacks(text: &str);
    /// The header has this value; a `*` at the end stands for any ending.
    header(name: &str, value: &str);
    /// The whole response took less than this, in milliseconds.
    faster_than(ms: u32);
}

impl Drop for Line<'_, '_, '_> {
    fn drop(&mut self) {
        let (outcome, message) = self.examination.verdict();
        self.test
            .record(&self.name, outcome, &message, self.examination.elapsed_ms());
    }
}

/// The worse of two verdicts. Skipped does not outweigh a pass: a skipped check stands in the
/// report beside it.
fn worse(a: Outcome, b: Outcome) -> Outcome {
    let rank = |outcome| match outcome {
        Outcome::Skipped => 0,
        Outcome::Pass => 1,
        Outcome::Inconclusive => 2,
        Outcome::Fail => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

/// What it says about the release that there was no answer.
///
/// A target that refuses, hangs or talks nonsense is broken, if it is the one under test:
/// `candidate`, or `service`, which is what users get. The same trouble with another target, and
/// everything that the host refused or ran out of, says nothing about the candidate.
/// `left_ms` is what is left of the call: a time-out at its end may be the call's own.
#[must_use]
pub fn no_answer(error: &NetError, target: &str, left_ms: u32) -> (Outcome, String) {
    let tested = if matches!(target, "candidate" | "service") {
        Outcome::Fail
    } else {
        Outcome::Inconclusive
    };
    match error {
        NetError::Connect(why) => (tested, format!("no connection: {why}")),
        NetError::Tls(why) => (tested, format!("no TLS connection: {why}")),
        NetError::Protocol(why) => (tested, format!("no valid HTTP answer: {why}")),
        NetError::Timeout if left_ms == 0 => (
            Outcome::Inconclusive,
            "the time of the whole call ran out while waiting".into(),
        ),
        NetError::Timeout => (tested, "no whole answer in time".into()),
        NetError::NotGranted(what) => (
            Outcome::Inconclusive,
            format!("the plugin may not send this: {what}"),
        ),
        NetError::Resolve(why) => (
            Outcome::Inconclusive,
            format!("target `{target}` has no usable address: {why}"),
        ),
        NetError::TooLarge(limit) => (
            Outcome::Inconclusive,
            format!("the request is larger than the limit of {limit} bytes"),
        ),
        NetError::Quota => (
            Outcome::Inconclusive,
            "the call's budget of requests is used up: raise `limits.requests` in the grant".into(),
        ),
        NetError::Other(why) => (Outcome::Inconclusive, format!("no answer: {why}")),
    }
}

#[cfg(test)]
mod tests;
