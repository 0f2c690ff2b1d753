//! HTTP for the kinds that have it.

use std::ops::Deref;

use crate::bindings::host::sluice::plugin::http as wire;
use crate::host;
use crate::{Context, NetError, Request, Response};

/// A [`Context`] that can also speak HTTP to granted targets.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    context: Context<'a>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(context: Context<'a>) -> Self {
        Self { context }
    }

    /// Sends one request and waits for the whole response. Redirects are not followed.
    ///
    /// # Errors
    /// The host could not get an answer, or would not: see [`NetError`].
    pub fn send(&self, request: &Request) -> Result<Response, NetError> {
        let before = self.remaining_ms();
        let answer = host::fetch(
            self.context.call(),
            &wire::Request {
                target: request.target.clone(),
                method: request.method.clone(),
                path_and_query: request.path.clone(),
                headers: request.headers.clone(),
                body: request.body.clone(),
                timeout_ms: request.timeout_ms,
            },
        )?;
        // The host's own countdown is the clock: no further import, and a script can set it.
        let elapsed_ms = before.saturating_sub(self.remaining_ms());
        Ok(Response {
            request: request.to_string(),
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
            truncated: answer.truncated,
            elapsed_ms,
        })
    }
}

impl<'a> Deref for Client<'a> {
    type Target = Context<'a>;

    fn deref(&self) -> &Context<'a> {
        &self.context
    }
}
