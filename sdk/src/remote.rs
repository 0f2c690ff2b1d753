//! The other side of a plugin's requests, and what its silence or refusal means for the call.

use crate::{Error, NetError, Response};

/// How long to wait when asked for patience without a time, in milliseconds.
const PATIENCE_MS: u32 = 30_000;

/// A server that a plugin needs in order to do its job at all: a notifier's chat, a provider's
/// ticket system, a metric provider's database. (What the silence of a server says about the
/// version under test is [`crate::smoke::no_answer`].)
#[derive(Clone, Copy, Debug)]
pub struct Remote {
    /// What people call it.
    pub name: &'static str,
    /// Its target in manifest and grant.
    pub target: &'static str,
}

impl Remote {
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
