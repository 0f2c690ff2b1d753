//! `sluice:plugin/tls`: looks at a target's certificates through the same checks as a request.

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::sluice::plugin::{tls, types};
use crate::state::{CallState, counted};

/// Offers the interface.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    tls::add_to_linker::<CallState, HasSelf<CallState>>(linker, counted)
}

impl tls::Host for CallState {
    async fn inspect(
        &mut self,
        target: String,
        timeout_ms: Option<u32>,
    ) -> wasmtime::Result<Result<tls::Chain, types::NetError>> {
        self.host_calls.check()?;
        let outcome = self.outbound.inspect(&target, timeout_ms).await;
        Ok(outcome
            .map(|chain| tls::Chain {
                certificates: chain
                    .certificates
                    .into_iter()
                    .map(|certificate| tls::Certificate {
                        subject: certificate.subject,
                        issuer: certificate.issuer,
                        not_after_unix_ms: certificate.not_after_unix_ms,
                    })
                    .collect(),
                verified: chain.verified,
            })
            .map_err(|fault| self.to_guest(fault)))
    }
}
