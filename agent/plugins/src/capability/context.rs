//! `sluice:plugin/context`: why the guest is called.

use sluice_core::plugin::Release;
use tokio::time::Instant;
use wasmtime::component::{HasSelf, Linker, Resource};

use crate::bindings::sluice::plugin::{context, types};
use crate::state::CallState;

/// What the guest's handle stands for. There is one per call and it holds nothing: the data lies in
/// the store.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct InvocationHandle;

/// Offers the interface.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    context::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}

impl context::Host for CallState {}

impl context::HostInvocation for CallState {
    fn release(&mut self, _: Resource<InvocationHandle>) -> wasmtime::Result<types::Release> {
        match &self.context.release {
            Some(release) => Ok(to_guest(release)),
            None => Err(wasmtime::Error::msg("this call is about no release")),
        }
    }

    fn settings(&mut self, _: Resource<InvocationHandle>) -> wasmtime::Result<String> {
        Ok(self.context.settings.clone())
    }

    fn remaining_ms(&mut self, _: Resource<InvocationHandle>) -> wasmtime::Result<u32> {
        let left = self
            .deadline
            .saturating_duration_since(Instant::now())
            .as_millis();
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }

    fn idempotency_key(&mut self, _: Resource<InvocationHandle>) -> wasmtime::Result<String> {
        Ok(self.context.idempotency_key.clone())
    }

    fn attributes(
        &mut self,
        _: Resource<InvocationHandle>,
    ) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.context.attributes.clone())
    }

    fn drop(&mut self, handle: Resource<InvocationHandle>) -> wasmtime::Result<()> {
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
