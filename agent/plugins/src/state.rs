//! Everything that belongs to one call: the data of its store. Made fresh, dropped with the call.

use std::sync::Arc;

use sluice_core::plugin::Release;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::capability::log::{LogBudget, LogSink};
use crate::capability::wasi::Output;
use crate::limits::MemoryGuard;
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
    pub(crate) guard: MemoryGuard,
    pub(crate) outbound: Outbound,
    pub(crate) log: LogBudget,
    pub(crate) log_sink: Arc<dyn LogSink>,
    /// What the guest printed.
    pub(crate) output: Output,
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}
