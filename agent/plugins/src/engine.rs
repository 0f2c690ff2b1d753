//! The one wasmtime engine of the process and the clock that interrupts its guests.
//!
//! Settings and their reasons: plugins.md section 3. One engine at a time, because two engines once
//! mixed up their type indices (GHSA-hgjw).

use std::num::NonZeroUsize;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use wasmtime::{Config, Engine, WasmFeatures};

use crate::limits::TICK;

/// The engine and its ticking thread. The thread ends with the last holder.
pub(crate) struct EngineHandle {
    engine: Engine,
    counts: bool,
    stop: Option<Sender<()>>,
    ticker: Option<JoinHandle<()>>,
}

static SHARED: Mutex<Weak<EngineHandle>> = Mutex::new(Weak::new());
/// Beside the other only in tests: nothing of one engine ever meets the other.
static COUNTING: Mutex<Weak<EngineHandle>> = Mutex::new(Weak::new());

impl EngineHandle {
    /// The engine of this process, made now if nobody holds one.
    ///
    /// # Errors
    /// In words: this machine cannot compile WebAssembly, or no thread can be started.
    pub(crate) fn shared() -> Result<Arc<EngineHandle>, String> {
        EngineHandle::of(&SHARED, &config(), false)
    }

    /// An engine whose code counts what it executes, so that the same input stops at the same
    /// instruction on any machine: two to three times slower, for tests of strategies.
    ///
    /// # Errors
    /// As for [`EngineHandle::shared`].
    pub(crate) fn counting() -> Result<Arc<EngineHandle>, String> {
        let mut config = config();
        config
            .consume_fuel(true)
            .cranelift_nan_canonicalization(true);
        EngineHandle::of(&COUNTING, &config, true)
    }

    fn of(
        shared: &Mutex<Weak<EngineHandle>>,
        config: &Config,
        counts: bool,
    ) -> Result<Arc<EngineHandle>, String> {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = shared.upgrade() {
            return Ok(handle);
        }
        let handle = Arc::new(EngineHandle::start(config, counts)?);
        *shared = Arc::downgrade(&handle);
        Ok(handle)
    }

    fn start(config: &Config, counts: bool) -> Result<EngineHandle, String> {
        let engine = Engine::new(config).map_err(|error| {
            tracing::error!(error = format!("{error:#}"), "wasm engine");
            "the WebAssembly engine does not start on this machine; see the log".to_owned()
        })?;
        let (stop, stopped) = mpsc::channel::<()>();
        let ticking = engine.clone();
        // A thread of its own: a guest that occupies every tokio worker must still be interrupted.
        let ticker = std::thread::Builder::new()
            .name("plugin-ticker".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    ticking.increment_epoch();
                }
            })
            .map_err(|error| format!("the thread that stops plugins does not start: {error}"))?;
        Ok(EngineHandle {
            engine,
            counts,
            stop: Some(stop),
            ticker: Some(ticker),
        })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether its code consumes fuel.
    pub(crate) fn counts(&self) -> bool {
        self.counts
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(ticker) = self.ticker.take() {
            // It only ever sleeps, and the closed channel wakes it.
            let _ = ticker.join();
        }
    }
}

/// WebAssembly features that are on by default and cost more surface than they give.
const OFF: [WasmFeatures; 14] = [
    WasmFeatures::CM_ASYNC,
    WasmFeatures::CM_ERROR_CONTEXT,
    WasmFeatures::CM_GC,
    WasmFeatures::CM_THREADING,
    WasmFeatures::CUSTOM_PAGE_SIZES,
    WasmFeatures::EXCEPTIONS,
    WasmFeatures::FUNCTION_REFERENCES,
    WasmFeatures::GC,
    WasmFeatures::MEMORY64,
    WasmFeatures::RELAXED_SIMD,
    WasmFeatures::STACK_SWITCHING,
    WasmFeatures::TAIL_CALL,
    WasmFeatures::THREADS,
    WasmFeatures::WIDE_ARITHMETIC,
];

/// The same function will serve the compile child, so that both sides agree on the code they make.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_component_model(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16));
    for feature in OFF {
        config.wasm_features(feature, false);
    }
    config
}

/// What the validator accepts before the compiler sees anything.
pub(crate) fn validator_features() -> wasmparser::WasmFeatures {
    use wasmparser::WasmFeatures as F;
    F::WASM2 | F::COMPONENT_MODEL | F::MULTI_MEMORY | F::EXTENDED_CONST | F::GC_TYPES
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn there_is_one_engine_and_its_thread_ends_with_it() {
        let first = EngineHandle::shared().unwrap();
        let second = EngineHandle::shared().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        drop((first, second));
        let begun = Instant::now();
        drop(EngineHandle::start(&config(), false).unwrap());
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
