//! One call: a fresh store and instance, in a task of its own, under every limit at once.
//!
//! Order (plugins.md sections 3 and 4): wait for a slot, set memory guard, CPU budget and deadline,
//! then instantiate, for a start function is guest code too. The store is dropped with the call,
//! whatever happened, and never used again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};

use crate::capability::log::{LogBudget, LogLevel, LogSink};
use crate::capability::wasi::{Surroundings, closed};
use crate::engine::EngineHandle;
use crate::fault::Stop;
use crate::grant::PermissionCell;
use crate::limits::{HOSTCALL_BYTES, Limits, MAX_HANDLES, MemoryGuard};
use crate::net::connect::Network;
use crate::net::exchange::Outbound;
use crate::net::origin::Origin;
use crate::net::redact::Redactor;
use crate::secret::SecretSource;
use crate::state::{CallContext, CallState};
use crate::world::{Failure, Program, Question, Reply};

/// Calls that run at once, over all plugins.
const LIVE: usize = 16;
/// Longest wait for a slot, on top of the time that a call before it may take.
const SLOT_WAIT: Duration = Duration::from_secs(30);

/// What all calls of a host share.
pub(crate) struct Runner {
    pub(crate) engine: Arc<EngineHandle>,
    pub(crate) network: Arc<Network>,
    pub(crate) secrets: Arc<dyn SecretSource>,
    pub(crate) log: Arc<dyn LogSink>,
    live: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    memory_mib: u32,
}

/// One call, ready to be made.
pub(crate) struct Call {
    /// Name by which the operator knows the plugin.
    pub(crate) plugin: String,
    pub(crate) program: Arc<Program>,
    pub(crate) permissions: PermissionCell,
    /// The plugin's own slots.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) context: CallContext,
    pub(crate) bound: BTreeMap<String, Origin>,
    pub(crate) question: Question,
    /// Whether time stands still for it (traffic strategies).
    pub(crate) frozen: bool,
}

impl Runner {
    /// `memory_mib` bounds the memory of all running calls together.
    pub(crate) fn new(
        engine: Arc<EngineHandle>,
        network: Arc<Network>,
        secrets: Arc<dyn SecretSource>,
        log: Arc<dyn LogSink>,
        memory_mib: u32,
    ) -> Runner {
        let memory = Arc::new(Semaphore::new(
            usize::try_from(memory_mib).unwrap_or(usize::MAX >> 3),
        ));
        Runner {
            engine,
            network,
            secrets,
            log,
            live: Arc::new(Semaphore::new(LIVE)),
            memory,
            memory_mib,
        }
    }

    /// Makes the call. Returns within 30 s of waiting for a slot plus twice the wall clock limit.
    pub(crate) async fn run(&self, mut call: Call) -> Result<Reply, Stop> {
        let limits = call.permissions.now().limits;
        let slots = tokio::time::timeout(SLOT_WAIT + limits.wall(), self.slots(&call, &limits))
            .await
            .map_err(|_| Stop::Busy)??;
        let deadline = Instant::now() + limits.wall();
        let usable = tokio::time::timeout_at(deadline, self.usable_secrets(&call))
            .await
            .map_err(|_| Stop::Deadline)?;
        call.context.attributes.push(("secrets".to_owned(), usable));
        let state = self.state(&call, &limits, deadline);
        let task = tokio::spawn(guest(
            self.engine.clone(),
            call.program,
            call.question,
            state,
            limits,
            slots,
        ));
        let mut task = AbortOnDropHandle::new(task);
        match tokio::time::timeout_at(deadline, &mut task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Stop::Trap("the host failed within the call".to_owned())),
            Err(_) => {
                // The guest yields at every tick, so this ends within one; the slots go with it.
                task.abort();
                let _ = task.await;
                Err(Stop::Deadline)
            }
        }
    }

    async fn slots(&self, call: &Call, limits: &Limits) -> Result<Slots, Stop> {
        // The plugin's own first: one that hogs its two slots must not hold global ones meanwhile.
        let own = call
            .slots
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Stop::Busy)?;
        let live = self
            .live
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Stop::Busy)?;
        let mib = limits.memory_mib.min(self.memory_mib);
        let memory = self
            .memory
            .clone()
            .acquire_many_owned(mib)
            .await
            .map_err(|_| Stop::Busy)?;
        Ok(Slots {
            _held: [own, live, memory],
        })
    }

    /// The names of the granted secrets that hold a value, so that a plugin can skip, visibly, what
    /// needs one that is not configured (requirement A13). Names only: values stay in the host.
    async fn usable_secrets(&self, call: &Call) -> String {
        let permissions = call.permissions.now();
        let mut names = Vec::new();
        for (name, at) in &permissions.secrets {
            if self.secrets.read(at).await.is_ok() {
                names.push(name.as_str());
            }
        }
        names.join(",")
    }

    fn state(&self, call: &Call, limits: &Limits, deadline: Instant) -> CallState {
        let surroundings = match call.frozen {
            true => Surroundings::Frozen(&call.context.idempotency_key),
            false => Surroundings::Real,
        };
        let (wasi, output) = closed(&surroundings);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        CallState {
            plugin: call.plugin.clone(),
            context: call.context.clone(),
            deadline,
            guard: MemoryGuard::new(limits),
            outbound: Outbound {
                plugin: call.plugin.clone(),
                network: self.network.clone(),
                secrets: self.secrets.clone(),
                permissions: call.permissions.clone(),
                bound: call.bound.clone(),
                used: 0,
                redactor: Redactor::default(),
                deadline,
            },
            log: LogBudget::default(),
            log_sink: self.log.clone(),
            output,
            wasi,
            table,
        }
    }
}

struct Slots {
    _held: [OwnedSemaphorePermit; 3],
}

async fn guest(
    engine: Arc<EngineHandle>,
    program: Arc<Program>,
    question: Question,
    state: CallState,
    limits: Limits,
    slots: Slots,
) -> Result<Reply, Stop> {
    let mut store = Store::new(engine.engine(), state);
    store.limiter(|state| &mut state.guard);
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    store.set_max_component_handles(MAX_HANDLES);
    let mut ticks = limits.cpu_ticks();
    store.epoch_deadline_callback(move |_| {
        if ticks == 0 {
            return Ok(UpdateDeadline::Interrupt);
        }
        ticks -= 1;
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(tokio::task::yield_now()),
        ))
    });
    store.set_epoch_deadline(1);
    let outcome = program.ask(&mut store, question).await;
    let state = store.data_mut();
    let output = state.output.take();
    for line in output.lines().filter(|line| !line.trim().is_empty()) {
        state.write_line(LogLevel::Info, line, &[]);
    }
    state.close_log();
    tracing::debug!(
        target: "sluice::plugin",
        plugin = %state.plugin,
        peak_memory_kib = state.guard.peak() >> 10,
        requests = state.outbound.used,
        "call ended"
    );
    let result = match outcome {
        Ok(reply) => Ok(reply),
        Err(Failure::Stop(stop)) => Err(stop),
        Err(Failure::Runtime(error)) => {
            let trace =
                crate::text::block(&state.outbound.redactor.text(&format!("{error:?}")), 4096);
            tracing::warn!(target: "sluice::plugin", plugin = %state.plugin, trace, "plugin stopped");
            Err(Stop::of_runtime(&error, state.guard.refused()))
        }
    };
    drop(store);
    drop(slots);
    result
}
