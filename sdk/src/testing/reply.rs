//! What a scripted target answers.

use crate::bindings::host::sluice::plugin::http as wire;
use crate::{Chain, NetError};

/// An answer to one request, and the time it takes.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) answer: Answer,
    pub(super) takes_ms: u32,
}

/// The three things a host can hand back.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Http(wire::Response),
    Chain(Chain),
    Error(NetError),
}

impl Reply {
    /// A response with an empty body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let response = wire::Response {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            truncated: false,
        };
        Self {
            answer: Answer::Http(response),
            takes_ms: 1,
        }
    }

    /// A response with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::status(status)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// A response with a text body.
    #[must_use]
    pub fn text(status: u16, body: &str) -> Self {
        Self::status(status)
            .header("content-type", "text/plain; charset=utf-8")
            .body(body)
    }

    /// No response.
    #[must_use]
    pub fn error(error: NetError) -> Self {
        Self {
            answer: Answer::Error(error),
            takes_ms: 1,
        }
    }

    /// Certificates, for a look at TLS.
    #[must_use]
    pub fn chain(chain: Chain) -> Self {
        Self {
            answer: Answer::Chain(chain),
            takes_ms: 1,
        }
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Answer::Http(response) = &mut self.answer {
            response
                .headers
                .push((name.to_ascii_lowercase(), value.into()));
        }
        self
    }

    /// Sets the response body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        if let Answer::Http(response) = &mut self.answer {
            response.body = body.into();
        }
        self
    }

    /// Marks the body as cut by the host.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        if let Answer::Http(response) = &mut self.answer {
            response.truncated = true;
        }
        self
    }

    /// How long it takes, in milliseconds: one, unless said otherwise.
    #[must_use]
    pub fn after_ms(mut self, ms: u32) -> Self {
        self.takes_ms = ms;
        self
    }
}
