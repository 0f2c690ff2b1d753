//! The other side of a plugin's requests, and what its silence or refusal means for the call.

use crate::text::{EXCERPT_CHARS, excerpt};
use crate::{Client, Error, NetError, Request, Response};

/// How long to wait when asked for patience without a time, in milliseconds.
const PATIENCE_MS: u32 = 30_000;

/// A server that a plugin needs in order to do its job at all: a notifier's chat, a provider's
/// ticket system, a metric provider's database. (What the silence of a server says about the
/// version under test is [`crate::smoke::no_answer`].)
#[derive(Clone, Copy, Debug)]
pub struct Remote<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Its target in manifest and grant.
    pub target: &'a str,
}

impl Remote<'_> {
    /// Why there is no answer.
    #[must_use]
    pub fn unreached(&self, error: &NetError) -> Error {
        let Self { name, target } = self;
        match error {
            NetError::NotGranted(what) => Error::Denied(format!(
                "the grant does not let the plugin speak to {name}: {what}; see plugins.yaml, \
                 target `{target}`"
            )),
            NetError::Resolve(why) => Error::Unavailable(format!(
                "the address of {name} does not resolve, or is denied: {why}"
            )),
            NetError::Connect(why) => Error::Unavailable(format!("no connection to {name}: {why}")),
            NetError::Tls(why) => Error::Unavailable(format!("no TLS connection to {name}: {why}")),
            NetError::Timeout => Error::Unavailable(format!("{name} did not answer in time")),
            NetError::Protocol(why) => {
                Error::Unavailable(format!("no valid answer of {name}: {why}"))
            }
            NetError::TooLarge(limit) => Error::Other(format!(
                "the request to {name} is larger than the limit of {limit} bytes"
            )),
            NetError::Quota => Error::Other(
                "the call's budget of requests is used up: raise `limits.requests` in the grant"
                    .into(),
            ),
            NetError::Other(why) => Error::Unavailable(format!("no answer of {name}: {why}")),
        }
    }
}

impl Client<'_> {
    /// Sends one request to a server that the plugin needs, and wants a status from 200 to 299. (A
    /// smoke test, which judges answers, has [`crate::SmokeTest::request`].)
    ///
    /// # Errors
    /// No answer, or one with another status, in the words of the contract: what a person must change
    /// is told from what a later attempt may get.
    pub fn ask(&self, request: &Request) -> Result<Response, Error> {
        let remote = Remote {
            name: &request.target,
            target: &request.target,
        };
        self.send(request)
            .map_err(|error| remote.unreached(&error))?
            .accepted()
    }
}

impl Response {
    /// The response, if its status is from 200 to 299.
    ///
    /// # Errors
    /// What another status means for a plugin that needed the answer.
    pub fn accepted(self) -> Result<Self, Error> {
        let said = || match excerpt(&self.text(), EXCERPT_CHARS) {
            body if body.is_empty() => String::new(),
            body => format!(": {body}"),
        };
        let told = || {
            format!(
                "{} answered with status {}{}",
                self.request,
                self.status,
                said()
            )
        };
        match self.status {
            200..=299 => Ok(self),
            429 => Err(Error::RateLimited(patience_ms(&self))),
            401 | 403 => Err(Error::Denied(told())),
            404 | 405 => Err(Error::InvalidConfig(told())),
            500..=599 => Err(Error::Unavailable(told())),
            _ => Err(Error::Other(told())),
        }
    }
}

/// For how long an answer with status 429 or 503 asks, in milliseconds. `Retry-After` is in
/// seconds; a date, or nothing, counts as half a minute.
#[must_use]
pub fn patience_ms(response: &Response) -> u32 {
    response
        .header("retry-after")
        .and_then(|seconds| seconds.trim().parse::<u32>().ok())
        .map_or(PATIENCE_MS, |seconds| seconds.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: Remote = Remote {
        name: "the chat",
        target: "chat",
    };

    #[test]
    fn what_a_person_must_change_is_no_outage() {
        let denied = CHAT.unreached(&NetError::NotGranted("path /x".into()));
        assert!(
            matches!(&denied, Error::Denied(text) if text.contains("path /x") && text.contains("`chat`")),
            "{denied:?}"
        );
        let outage = CHAT.unreached(&NetError::Timeout);
        assert_eq!(
            outage,
            Error::Unavailable("the chat did not answer in time".into())
        );
    }

    #[test]
    fn patience_is_read_in_seconds_and_never_missing() {
        let asking = |value: Option<&str>| Response {
            request: String::new(),
            status: 429,
            headers: value
                .map(|v| ("retry-after".into(), v.into()))
                .into_iter()
                .collect(),
            body: Vec::new(),
            truncated: false,
            elapsed_ms: 0,
        };
        assert_eq!(patience_ms(&asking(Some("7"))), 7_000);
        assert_eq!(patience_ms(&asking(Some("99999999999"))), PATIENCE_MS);
        assert_eq!(patience_ms(&asking(Some("4294967295"))), u32::MAX);
        assert_eq!(patience_ms(&asking(None)), PATIENCE_MS);
    }
}
