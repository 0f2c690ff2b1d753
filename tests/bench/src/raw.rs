//! Wasmtime alone: the same settings of the engine, the same component, a fresh store and instance for
//! each call, WASI linked, and nothing of ours: no limits, no slots, no threads, no log.

use std::path::Path;

use sluice_plugins::proving;
use tokio::runtime::Runtime;
use wasmtime::component::{Component, ComponentType, InstancePre, Lift, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// Interface and function that are called.
const SETTINGS: &str = "sluice:plugin/settings@0.1.0";
const VALIDATE: &str = "validate";
/// Ticks that never come: nobody interrupts here.
const NEVER: u64 = u64::MAX / 2;

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

#[derive(ComponentType, Lift)]
#[component(record)]
#[expect(dead_code, reason = "read by nobody, but lifted as the host lifts it")]
struct Issue {
    pointer: String,
    message: String,
    hint: Option<String>,
}

/// A component that is ready to be called.
pub(crate) struct Raw {
    engine: Engine,
    pre: InstancePre<State>,
    runtime: Runtime,
}

impl Raw {
    pub(crate) fn new(component: &Path) -> Raw {
        let engine = Engine::new(&proving::config()).unwrap();
        let component = Component::from_file(&engine, component).unwrap();
        let mut linker: Linker<State> = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        // A no-op calls none of ours.
        linker.allow_shadowing(true);
        linker.define_unknown_imports_as_traps(&component).unwrap();
        let pre = linker.instantiate_pre(&component).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Raw {
            engine,
            pre,
            runtime,
        }
    }

    /// A fresh instance that looks at settings.
    pub(crate) fn no_op(&self) {
        self.runtime.block_on(async {
            let state = State {
                wasi: WasiCtxBuilder::new().build(),
                table: ResourceTable::new(),
            };
            let mut store = Store::new(&self.engine, state);
            store.set_epoch_deadline(NEVER);
            let instance = self.pre.instantiate_async(&mut store).await.unwrap();
            let interface = instance
                .get_export_index(&mut store, None, SETTINGS)
                .unwrap();
            let function = instance
                .get_export_index(&mut store, Some(&interface), VALIDATE)
                .unwrap();
            let validate = instance
                .get_typed_func::<(&str,), (Vec<Issue>,)>(&mut store, &function)
                .unwrap();
            let (issues,) = validate.call_async(&mut store, ("{}",)).await.unwrap();
            std::hint::black_box(issues);
        });
    }
}
