//! `sluice:plugin/http`: hands every request to the choke point in [`crate::net`].

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::sluice::plugin::{http, types};
use crate::net::exchange::Asked;
use crate::net::fault::NetFault;
use crate::state::{CallState, counted};
use crate::text;

/// Offers the interface.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    http::add_to_linker::<CallState, HasSelf<CallState>>(linker, counted)
}

impl types::Host for CallState {}

impl http::Host for CallState {
    async fn fetch(
        &mut self,
        request: http::Request,
    ) -> wasmtime::Result<Result<http::Response, types::NetError>> {
        self.host_calls.check()?;
        let asked = Asked {
            target: request.target,
            method: request.method,
            path_and_query: request.path_and_query,
            headers: request.headers,
            body: request.body,
            timeout_ms: request.timeout_ms,
        };
        let outcome = self.outbound.fetch(asked).await;
        Ok(outcome
            .map(|answered| http::Response {
                status: answered.status,
                headers: answered.headers,
                body: answered.body,
                truncated: answered.truncated,
            })
            .map_err(|fault| self.to_guest(fault)))
    }
}

impl CallState {
    /// A network fault in the contract's words, clean and without known secrets.
    pub(crate) fn to_guest(&self, fault: NetFault) -> types::NetError {
        let clean = |words: String| self.outbound.redactor.text(&text::line(&words, text::LINE));
        match fault {
            NetFault::NotGranted(words) => types::NetError::NotGranted(clean(words)),
            NetFault::Resolve(words) => types::NetError::Resolve(clean(words)),
            NetFault::Connect(words) => types::NetError::Connect(clean(words)),
            NetFault::Tls(words) => types::NetError::Tls(clean(words)),
            NetFault::Timeout => types::NetError::Timeout,
            NetFault::TooLarge(limit) => types::NetError::TooLarge(limit),
            NetFault::Quota => types::NetError::Quota,
            NetFault::Protocol(words) => types::NetError::Protocol(clean(words)),
            NetFault::Other(words) => types::NetError::Other(clean(words)),
        }
    }
}
