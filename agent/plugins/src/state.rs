//! Everything that belongs to one call: the data of its store. Made fresh, dropped with the call.

use std::sync::Arc;

use sluice_core::plugin::Release;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::call::standing::Standing;
use crate::capability::log::{LogBudget, LogSink};
use crate::capability::wasi::Output;
use crate::limits::{HostCalls, MemoryGuard};
use crate::net::exchange::Outbound;

/// What the guest may learn about why it is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallContext {
    /// `None` where no release is involved: settings are being checked.
    pub(crate) release: Option<Release>,
    /// The settings as a JSON document.
    pub(crate) settings: String,
    pub(crate) idempotency_key: String,
    pub(crate) attributes: Vec<(String, String)>,
}

/// The data of one store.
pub(crate) struct CallState {
    pub(crate) plugin: String,
    pub(crate) context: CallContext,
    pub(crate) deadline: Instant,
    /// What is left of the call where time stands still, in milliseconds.
    pub(crate) still: Option<u32>,
    pub(crate) guard: MemoryGuard,
    pub(crate) host_calls: HostCalls,
    pub(crate) outbound: Outbound,
    pub(crate) log: LogBudget,
    pub(crate) log_sink: Arc<dyn LogSink>,
    /// What the plugin's calls share.
    pub(crate) standing: Standing,
    /// What the guest printed.
    pub(crate) output: Output,
    pub(crate) wasi: WasiCtx,
    pub(crate) wasi_http: WasiHttpCtx,
    pub(crate) table: ResourceTable,
}

/// The store's data for one call of an import of ours, counted.
pub(crate) fn counted(state: &mut CallState) -> &mut CallState {
    state.host_calls.count();
    state
}

impl WasiView for CallState {
    // Every import of WASI comes through here.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.host_calls.count();
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}
