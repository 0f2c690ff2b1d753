//! `sluice:plugin/context`: why the guest is called.

use sluice_core::plugin::Release;
use tokio::time::Instant;
use wasmtime::component::{HasSelf, Linker, Resource};

use crate::bindings::sluice::plugin::{context, types};
use crate::state::{CallState, counted};

/// What the guest's handle stands for. There is one per call and it holds nothing: the data lies in
/// the store.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct InvocationHandle;

/// Offers the interface.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    context::add_to_linker::<CallState, HasSelf<CallState>>(linker, counted)
}

impl context::Host for CallState {}

impl context::HostInvocation for CallState {
    fn release(&mut self, _: Resource<InvocationHandle>) -> wasmtime::Result<types::Release> {
        self.host_calls.check()?;
        match &self.context.release {
            Some(release) => Ok(to_guest(release)),
            None => Err(wasmtime::Error::msg("this call is about no release")),
        }
    }

    fn settings(&mut self, _: Resource<InvocationHandle>) -> wasmtime::Result<String> {
        self.host_calls.check()?;
        Ok(self.context.settings.clone())
    }

    fn remaining_ms(&mut self, _: Resource<InvocationHandle>) -> wasmtime::Result<u32> {
        self.host_calls.check()?;
        if let Some(still) = self.still {
            return Ok(still);
        }
        let left = self
            .deadline
            .saturating_duration_since(Instant::now())
            .as_millis();
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }

    fn idempotency_key(&mut self, _: Resource<InvocationHandle>) -> wasmtime::Result<String> {
        self.host_calls.check()?;
        Ok(self.context.idempotency_key.clone())
    }

    /// With the names of the granted secrets that hold a value, so that a plugin can skip, visibly,
    /// what needs one that is not configured (requirement A13). Read only for guests that ask.
    async fn attributes(
        &mut self,
        _: Resource<InvocationHandle>,
    ) -> wasmtime::Result<Vec<(String, String)>> {
        self.host_calls.check()?;
        let mut attributes = self.context.attributes.clone();
        let usable = self.outbound.usable_secrets().await;
        attributes.push(("secrets".to_owned(), usable));
        Ok(attributes)
    }

    fn drop(&mut self, handle: Resource<InvocationHandle>) -> wasmtime::Result<()> {
        self.host_calls.check()?;
        self.table.delete(handle)?;
        Ok(())
    }
}

fn to_guest(release: &Release) -> types::Release {
    types::Release {
        id: release.id.clone(),
        workload: types::Workload {
            cluster: release.workload.cluster.clone(),
            namespace: release.workload.namespace.clone(),
            kind: release.workload.kind.clone(),
            name: release.workload.name.clone(),
            uid: release.workload.uid.clone(),
        },
        from_revision: release.from_revision.clone(),
        to_revision: release.to_revision.clone(),
        images: release.images.clone(),
        subject_digest: release.subject_digest.clone(),
    }
}
