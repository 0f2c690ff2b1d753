//! From a component to code that runs. The agent's own process does not compile: denial of service
//! while compiling is no vulnerability in wasmtime's eyes, and an honest Python plugin takes 400 MB
//! (plugins.md section 4). A child does, one at a time, under limits, and its death is an error card.
//!
//! ```text
//!  refused before? ─► in the cache? ─► a turn ─► child (or in process) ─► code ─► component
//!                                                                          └────► cache
//! ```

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use wasmtime::component::Component;

use crate::cache::{Cache, Miss};
use crate::code::{Code, Draft};
use crate::engine::EngineHandle;
use crate::load::Read;

mod child;
mod failure;
mod process;
mod refused;

pub use child::{COMPILE_CPU_SECONDS, COMPILE_MEMORY_MIB, compile_child};

use child::Allowance;
pub(crate) use failure::Failure;

use refused::Refused;

/// The argument that makes a program of ours a compile child, if its main function looks for it.
pub const COMPILE_ARGUMENT: &str = "plugin-compile";
/// Components that may wait for the compiler: as many as plugins can be served, a few times over.
const MAX_WAITING: usize = 512;

/// Who compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// A process of its own, whose main function is [`compile_child`]; killed with the component that
    /// is too much for it. The agent, the plugin host and the demo use no other.
    Child {
        /// The program.
        program: PathBuf,
        /// What makes it a compile child; `--memory-mib=N` and `--cpu-seconds=N`, where it needs more
        /// than [`COMPILE_MEMORY_MIB`] and [`COMPILE_CPU_SECONDS`]. On the clock it gets twice the CPU.
        arguments: Vec<OsString>,
    },
    /// This process: for the command line on a person's own plugin, and for tests. A bad component
    /// takes the process with it.
    InProcess,
}

impl Compiler {
    /// The running program as its own compile child: its main function must call [`compile_child`]
    /// first of all where its first argument is [`COMPILE_ARGUMENT`]. `memory_mib` is the address space
    /// of the child, if not [`COMPILE_MEMORY_MIB`].
    pub fn this_program(memory_mib: Option<u32>) -> Compiler {
        let memory = memory_mib.map(|mib| OsString::from(format!("--memory-mib={mib}")));
        Compiler::Child {
            // Not the path that it was started by: an upgrade may have put another version there.
            program: PathBuf::from("/proc/self/exe"),
            arguments: std::iter::once(OsString::from(COMPILE_ARGUMENT))
                .chain(memory)
                .collect(),
        }
    }
}

/// Compiles for one host.
pub(crate) struct Workshop {
    engine: Arc<EngineHandle>,
    compiler: Compiler,
    cache: Option<Arc<Cache>>,
    refused: Mutex<Refused>,
    /// What stands in the name of every cached file, for its code would not run elsewhere.
    environment: String,
}

impl Workshop {
    /// A cache that cannot be had is told to the log: everything works without it, only slower.
    pub(crate) fn new(
        engine: Arc<EngineHandle>,
        compiler: Compiler,
        cache: Option<&Path>,
    ) -> Workshop {
        let cache = cache.and_then(|folder| match Cache::open(folder) {
            Ok(cache) => Some(Arc::new(cache)),
            Err(why) => {
                tracing::warn!(target: "sluice::plugin", why, "compiled plugins are not kept");
                None
            }
        });
        let mut hasher = DefaultHasher::new();
        engine
            .engine()
            .precompile_compatibility_hash()
            .hash(&mut hasher);
        let environment = format!("{:016x}-{}", hasher.finish(), std::env::consts::ARCH);
        Workshop {
            engine,
            compiler,
            cache,
            refused: Mutex::default(),
            environment,
        }
    }

    /// What a compiler may use, for error cards.
    pub(crate) fn allowed(&self) -> Allowance {
        match &self.compiler {
            Compiler::Child { arguments, .. } => Allowance::of(arguments),
            Compiler::InProcess => Allowance::of(&[]),
        }
    }

    /// The component of this file, compiled now or earlier.
    ///
    /// # Errors
    /// What stopped it, now or the last time.
    pub(crate) async fn component(
        &self,
        read: &Arc<Read>,
        file: &str,
    ) -> Result<Component, Failure> {
        if let Some(failure) = self.refused().holds(&read.digest, Instant::now()) {
            return Err(failure);
        }
        let digest = read.digest.trim_start_matches("sha256:");
        let name = format!("{digest}-{}", self.environment);
        if let Some(component) = self.cached(&name, file).await {
            return Ok(component);
        }
        let made = self.made(read, &name, file).await;
        match &made {
            Ok(_) => self.refused().forget(&read.digest),
            Err(failure) => self
                .refused()
                .remember(&read.digest, failure, Instant::now()),
        }
        made
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn cached(&self, name: &str, file: &str) -> Option<Component> {
        let cache = self.cache.clone()?;
        let (engine, name) = (self.engine.clone(), name.to_owned());
        let begun = Instant::now();
        let found = tokio::task::spawn_blocking(move || {
            let code = cache.get(&name)?;
            component(&engine, &code).map_err(|_| Miss::Tampered("it does not load"))
        });
        match found.await.ok()? {
            Ok(component) => {
                let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                tracing::debug!(target: "sluice::plugin", file, micros, "plugin from the cache");
                Some(component)
            }
            Err(Miss::Absent) => None,
            Err(Miss::Machine(kind)) => {
                tracing::warn!(target: "sluice::plugin", file, %kind, "the cache cannot be read");
                None
            }
            Err(Miss::Tampered(how)) => {
                tracing::error!(
                    target: "sluice::plugin",
                    file,
                    how,
                    "[plugin/cache-tampered] somebody changed the compiled code of a plugin; it was \
                     not run, and is compiled again: look at who can write to the agent's volumes"
                );
                None
            }
        }
    }

    async fn made(&self, read: &Arc<Read>, name: &str, file: &str) -> Result<Component, Failure> {
        let begun = Instant::now();
        let code = match &self.compiler {
            Compiler::Child { program, arguments } => {
                let turn = turn().await?;
                tracing::info!(
                    target: "sluice::plugin",
                    file,
                    kib = read.bytes.len() >> 10,
                    "compiling"
                );
                let code = process::compile(program, arguments, &read.bytes, file).await?;
                drop(turn);
                code
            }
            Compiler::InProcess => {
                let (engine, read) = (self.engine.clone(), read.clone());
                let work = tokio::task::spawn_blocking(move || in_process(&engine, &read.bytes));
                work.await.map_err(|_| Failure::Panicked)??
            }
        };
        tracing::info!(
            target: "sluice::plugin",
            file,
            milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            code_kib = code.size() >> 10,
            "compiled"
        );
        let (engine, cache) = (self.engine.clone(), self.cache.clone());
        let (name, file) = (name.to_owned(), file.to_owned());
        let loaded = tokio::task::spawn_blocking(move || {
            let component = component(&engine, &code)?;
            if let Some(Err(why)) = cache.map(|cache| cache.put(&name, &code)) {
                tracing::warn!(target: "sluice::plugin", file, why, "compiled code is not kept");
            }
            Ok(component)
        });
        loaded.await.map_err(|_| Failure::Unusable)?
    }
}

fn component(engine: &EngineHandle, code: &Code) -> Result<Component, Failure> {
    code.component(engine.engine()).map_err(|error| {
        tracing::warn!(target: "sluice::plugin", error = format!("{error:#}"), "plugin code");
        Failure::Unusable
    })
}

fn in_process(engine: &EngineHandle, wasm: &[u8]) -> Result<Code, Failure> {
    let code = engine
        .engine()
        .precompile_component(wasm)
        .map_err(|error| {
            tracing::warn!(target: "sluice::plugin", error = format!("{error:#}"), "compile");
            Failure::Refused
        })?;
    let mut draft = Draft::new().map_err(|error| Failure::NotStarted(error.kind().to_string()))?;
    draft
        .append(&code)
        .map_err(|error| Failure::Broken(error.kind().to_string()))?;
    draft.finish().map_err(Failure::Broken)
}

/// A turn at the compiler: one at a time in the whole process, because it is the machine's memory
/// that one child may use.
async fn turn() -> Result<SemaphorePermit<'static>, Failure> {
    static TURN: Semaphore = Semaphore::const_new(1);
    static WAITING: AtomicUsize = AtomicUsize::new(0);
    struct Waiting;
    impl Drop for Waiting {
        fn drop(&mut self) {
            WAITING.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let before = WAITING.fetch_add(1, Ordering::Relaxed);
    let _waiting = Waiting;
    if before >= MAX_WAITING {
        return Err(Failure::Busy);
    }
    TURN.acquire().await.map_err(|_| Failure::Busy)
}
