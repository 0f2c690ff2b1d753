//! One call: a fresh store and instance, on a thread of its own, under every limit at once.
//!
//! Order (plugins.md sections 3 and 4): wait for a slot, set memory guard, CPU budget and deadline,
//! then instantiate, for a start function is guest code too. The store is dropped with the call,
//! whatever happened, and never used again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};

use crate::capability::log::{LogBudget, LogSink};
use crate::capability::wasi::{Surroundings, closed};
use crate::capability::wasi_http;
use crate::engine::EngineHandle;
use crate::fault::Stop;
use crate::grant::PermissionCell;
use crate::limits::{HOSTCALL_BYTES, HostCalls, Limits, MAX_HANDLES, MemoryGuard, TICK};
use crate::net::connect::Network;
use crate::net::exchange::{Notes, Outbound};
use crate::net::origin::Origin;
use crate::net::redact::Redactor;
use crate::net::wire::Wire;
use crate::secret::SecretSource;
use crate::state::{CallContext, CallState};
use crate::usage::{CallUsage, UsageSink};
use crate::world::{Failure, Program, Question, Reply};

pub(crate) mod standing;
mod threads;

use standing::Standing;
use threads::{Here, Threads};

/// Calls that run at once, over all plugins.
const LIVE: usize = 16;
/// Longest wait for a slot, on top of the time that a call before it may take.
const SLOT_WAIT: Duration = Duration::from_secs(30);
/// How long after its deadline a call may still be without an end. It ends itself, at the tick after
/// the deadline; this is for a host function that blocks its thread.
const GRACE: Duration = Duration::from_secs(2);

/// What all calls of a host share.
pub(crate) struct Shared {
    pub(crate) engine: Arc<EngineHandle>,
    pub(crate) network: Arc<Network>,
    pub(crate) secrets: Arc<dyn SecretSource>,
    pub(crate) log: Arc<dyn LogSink>,
    pub(crate) usage: Arc<dyn UsageSink>,
    pub(crate) wire: Wire,
    /// Memory of all running calls together.
    pub(crate) memory_mib: u32,
}

/// Makes calls.
pub(crate) struct Runner {
    shared: Arc<Shared>,
    threads: Threads,
    live: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

/// One call, ready to be made.
pub(crate) struct Call {
    /// Name by which the operator knows the plugin.
    pub(crate) plugin: String,
    pub(crate) program: Arc<Program>,
    pub(crate) permissions: PermissionCell,
    /// What the plugin's calls share.
    pub(crate) standing: Standing,
    pub(crate) context: CallContext,
    pub(crate) bound: BTreeMap<String, Origin>,
    pub(crate) question: Question,
    /// Whether time stands still for it (traffic strategies).
    pub(crate) frozen: bool,
}

/// A call that has its slots.
struct Granted {
    shared: Arc<Shared>,
    call: Call,
    limits: Limits,
    begun: Instant,
    deadline: Instant,
}

impl Runner {
    pub(crate) fn new(shared: Shared) -> Runner {
        let memory = usize::try_from(shared.memory_mib).unwrap_or(usize::MAX >> 3);
        Runner {
            shared: Arc::new(shared),
            threads: Threads::default(),
            live: Arc::new(Semaphore::new(LIVE)),
            memory: Arc::new(Semaphore::new(memory)),
        }
    }

    /// Makes the call. Returns within 30 s of waiting for a slot plus twice the wall clock limit.
    pub(crate) async fn run(&self, call: Call) -> Result<Reply, Stop> {
        let limits = call.permissions.now().limits;
        let slots = tokio::time::timeout(SLOT_WAIT + limits.wall(), self.slots(&call, &limits))
            .await
            .map_err(|_| Stop::Busy)??;
        let begun = Instant::now();
        let deadline = begun + limits.wall();
        let lane = call.standing.lane();
        let granted = Granted {
            shared: self.shared.clone(),
            call,
            limits,
            begun,
            deadline,
        };
        let (mut tell, told) = oneshot::channel();
        let started = self.threads.run(lane, move |here| async move {
            let ended = tokio::select! {
                ended = granted.run(here) => Some(ended),
                // Whoever asked has given up. The store goes, and with it all that it waits for.
                () = tell.closed() => None,
            };
            // The answer first: unmapping a store takes as long as a short call. Its slots last, for
            // until then its memory is in use.
            if let Some((outcome, store)) = ended {
                let _ = tell.send(outcome);
                drop(store);
            }
            drop(slots);
        });
        if let Err(error) = started {
            tracing::error!(target: "sluice::plugin", %error, "no thread for a call");
            return Err(Stop::Busy);
        }
        match tokio::time::timeout_at(deadline + GRACE, told).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Stop::Trap("the host failed within the call".to_owned())),
            Err(_) => Err(Stop::Deadline),
        }
    }

    async fn slots(&self, call: &Call, limits: &Limits) -> Result<Slots, Stop> {
        // The plugin's own first: one that hogs its two slots must not hold global ones meanwhile.
        let own = call
            .standing
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
        let mib = limits.memory_mib.min(self.shared.memory_mib);
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
}

struct Slots {
    _held: [OwnedSemaphorePermit; 3],
}

impl Granted {
    /// From here on the guest's code runs. The store comes back only to be dropped.
    async fn run(self, here: Here) -> (Result<Reply, Stop>, Store<CallState>) {
        let Granted {
            shared,
            call,
            limits,
            begun,
            deadline,
        } = self;
        let (program, question, standing) = (call.program, call.question, call.standing);
        let export = question.export();
        let surroundings = match call.frozen {
            true => Surroundings::Frozen(&call.context.idempotency_key),
            false => Surroundings::Real,
        };
        let (wasi, output) = closed(&surroundings);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let state = CallState {
            plugin: call.plugin.clone(),
            still: call.frozen.then_some(limits.wall_ms),
            context: call.context,
            deadline,
            guard: MemoryGuard::new(&limits),
            host_calls: HostCalls::default(),
            outbound: Outbound {
                plugin: call.plugin,
                network: shared.network.clone(),
                secrets: shared.secrets.clone(),
                permissions: call.permissions,
                bound: Arc::new(call.bound),
                used: Arc::default(),
                wire: shared.wire.clone(),
                redactor: Redactor::default(),
                notes: Notes::default(),
                deadline,
            },
            log: LogBudget::default(),
            log_sink: shared.log.clone(),
            standing: standing.clone(),
            output,
            wasi,
            wasi_http: wasi_http::context(),
            table,
        };
        let mut store = Store::new(shared.engine.engine(), state);
        store.limiter(|state| &mut state.guard);
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        store.set_max_component_handles(MAX_HANDLES);
        let counts = shared.engine.counts();
        // Where instructions are counted, time must not decide; it only stops what hangs.
        let budget = match counts {
            true => limits.wall(),
            false => limits.cpu(),
        };
        let thread = here.clone();
        store.epoch_deadline_callback(move |context| {
            context.data().host_calls.check()?;
            let used = thread.cpu();
            if used >= budget {
                return Ok(UpdateDeadline::Interrupt);
            }
            if used >= TICK {
                thread.fall();
            }
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(tokio::task::yield_now()),
            ))
        });
        store.set_epoch_deadline(1);
        let fuelled = match counts {
            true => store.set_fuel(limits.fuel()),
            false => Ok(()),
        };
        let asked = async {
            fuelled?;
            program.ask(&mut store, question).await
        };
        let outcome = tokio::time::timeout_at(deadline, asked).await;
        let result = match outcome {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Failure::Stop(stop))) => Err(stop),
            Ok(Err(Failure::Runtime(error))) => Err(stopped(store.data(), &error)),
            Err(_) => Err(Stop::Deadline),
        };
        let fuel = store.get_fuel().ok();
        let cpu = here.cpu();
        standing.remember(cpu > TICK);
        let state = store.data_mut();
        state.close_output();
        state.close_log();
        let subject = state.plugin.clone();
        shared.usage.used(CallUsage {
            plugin: subject,
            export,
            cpu,
            wall: begun.elapsed(),
            memory_bytes: u64::try_from(state.guard.peak()).unwrap_or(u64::MAX),
            requests: state.outbound.used(),
            host_calls: state.host_calls.made(),
            fuel: fuel.map(|left| limits.fuel().saturating_sub(left)),
            limits,
            fault: result.as_ref().err().map(Stop::code),
        });
        (result, store)
    }
}

/// What a failure of the runtime means. Its own words go to the log alone.
fn stopped(state: &CallState, error: &wasmtime::Error) -> Stop {
    let trace = crate::text::block(&state.outbound.redactor.text(&format!("{error:?}")), 4096);
    tracing::warn!(target: "sluice::plugin", plugin = %state.plugin, trace, "plugin stopped");
    Stop::of_runtime(error, state.guard.refused())
}
