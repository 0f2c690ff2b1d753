//! Why a call gave no answer, in stable codes and plain words. Never a text of the wasm runtime.

use sluice_core::plugin::PluginFault;
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use crate::bindings::sluice::plugin::types;
use crate::limits::{
    HOSTCALL_BYTES, HostCallsSpent, Limits, MAX_HANDLES, MAX_HOST_CALLS, MAX_TABLE_ELEMENTS,
    Refused,
};
use crate::text;

/// What went wrong in or around a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// No such plugin serves, or it is of another kind.
    Missing(String),
    /// The CPU budget was used up.
    CpuBudget,
    /// The wall clock limit passed.
    Deadline,
    /// More memory than granted.
    Memory,
    /// A table of more elements than any plugin gets.
    Table,
    /// More handles at once than any plugin gets.
    Handles,
    /// More calls into the host than any call gets.
    HostCalls,
    /// More bytes in one call into the host, or in the answer, than may cross at once.
    Payload,
    /// The guest broke off; the words say how.
    Trap(String),
    /// All slots were taken for too long.
    Busy,
    /// Too many faults in a row; so many milliseconds until the next attempt.
    CircuitOpen(u64),
    /// The answer cannot be used.
    BadAnswer(String),
    /// The plugin says that it could not do its job.
    Said(Said),
}

/// The contract's `types.error`, clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    InvalidConfig(String),
    Unavailable(String),
    RateLimited(u32),
    Denied(String),
    Other(String),
}

impl Stop {
    /// Whether it counts against the plugin: its own fault, not its report about the world.
    pub(crate) fn is_fault(&self) -> bool {
        match self {
            Stop::CpuBudget
            | Stop::Deadline
            | Stop::Memory
            | Stop::Table
            | Stop::Handles
            | Stop::HostCalls
            | Stop::Payload
            | Stop::Trap(_)
            | Stop::BadAnswer(_) => true,
            Stop::Missing(_) | Stop::Busy | Stop::CircuitOpen(_) | Stop::Said(_) => false,
        }
    }

    /// The stable code, such as `plugin/cpu-budget`.
    pub(crate) fn code(&self) -> String {
        let code = match self {
            Stop::Missing(_) => "missing",
            Stop::CpuBudget => "cpu-budget",
            Stop::Deadline => "deadline",
            Stop::Memory => "memory",
            Stop::Table => "table",
            Stop::Handles => "handles",
            Stop::HostCalls => "host-calls",
            Stop::Payload => "payload",
            Stop::Trap(_) => "trap",
            Stop::Busy => "busy",
            Stop::CircuitOpen(_) => "circuit-open",
            Stop::BadAnswer(_) => "bad-answer",
            Stop::Said(Said::InvalidConfig(_)) => "said-invalid-config",
            Stop::Said(Said::Unavailable(_)) => "said-unavailable",
            Stop::Said(Said::RateLimited(_)) => "said-rate-limited",
            Stop::Said(Said::Denied(_)) => "said-denied",
            Stop::Said(Said::Other(_)) => "said-other",
        };
        format!("plugin/{code}")
    }

    /// For the controller and for people. `subject` is `slack 1.2.0`.
    pub(crate) fn into_fault(self, subject: &str, limits: &Limits) -> PluginFault {
        let code = self.code();
        let (message, retryable) = match self {
            Stop::Missing(words) => (words, false),
            Stop::CpuBudget => (
                format!(
                    "plugin {subject} computed for longer than its {} ms and was stopped; repair it, or grant more with limits.cpu-ms",
                    limits.cpu_ms
                ),
                false,
            ),
            Stop::Deadline => (
                format!(
                    "plugin {subject} gave no answer within its {} ms and was stopped; look at what it waits for, or grant more with limits.wall-ms",
                    limits.wall_ms
                ),
                true,
            ),
            Stop::Memory => (
                format!(
                    "plugin {subject} wanted more memory than its {} MiB and was stopped; repair it, or grant more with limits.memory-mib",
                    limits.memory_mib
                ),
                false,
            ),
            Stop::Table => (
                format!(
                    "plugin {subject} wanted a table of more than {MAX_TABLE_ELEMENTS} elements and was stopped; repair it, no grant raises this"
                ),
                false,
            ),
            Stop::Handles => (
                format!(
                    "plugin {subject} held more than {MAX_HANDLES} handles at once and was stopped; repair it: it has to drop what it no longer needs"
                ),
                false,
            ),
            Stop::HostCalls => (
                format!(
                    "plugin {subject} called into the host more than {MAX_HOST_CALLS} times within one call and was stopped; repair it, no grant raises this"
                ),
                false,
            ),
            Stop::Payload => (
                format!(
                    "plugin {subject} handed over more than {} MiB at once and was stopped; repair it: it has to send or answer less",
                    HOSTCALL_BYTES >> 20
                ),
                false,
            ),
            Stop::Trap(words) => (
                format!("plugin {subject} broke off: {words}; its log has the details"),
                false,
            ),
            Stop::Busy => (
                format!(
                    "plugin {subject} was not called: too many calls are running; it is tried again"
                ),
                true,
            ),
            Stop::CircuitOpen(wait_ms) => (
                format!(
                    "plugin {subject} was not called: it failed several times in a row and rests for {} more seconds",
                    wait_ms.div_ceil(1000)
                ),
                true,
            ),
            Stop::BadAnswer(words) => (
                format!("plugin {subject} gave an answer that cannot be used: {words}"),
                false,
            ),
            Stop::Said(Said::InvalidConfig(words)) => (
                format!("plugin {subject} cannot work with its settings: {words}"),
                false,
            ),
            Stop::Said(Said::Unavailable(words)) => (
                format!("plugin {subject} could not reach what it needs: {words}"),
                true,
            ),
            Stop::Said(Said::RateLimited(wait_ms)) => (
                format!("plugin {subject} was told to wait {wait_ms} ms before the next attempt"),
                true,
            ),
            Stop::Said(Said::Denied(words)) => {
                (format!("plugin {subject} was turned away: {words}"), false)
            }
            // What it is nobody knows, so a later attempt may succeed.
            Stop::Said(Said::Other(words)) => (
                format!("plugin {subject} could not do its job: {words}"),
                true,
            ),
        };
        PluginFault {
            code,
            message,
            retryable,
        }
    }

    /// Reads a failure of the wasm runtime. `refused` is what the guard saw.
    pub(crate) fn of_runtime(error: &wasmtime::Error, refused: Option<Refused>) -> Stop {
        let trap = error.downcast_ref::<Trap>();
        if matches!(trap, Some(Trap::Interrupt | Trap::OutOfFuel)) {
            return Stop::CpuBudget;
        }
        if error.downcast_ref::<HostCallsSpent>().is_some() {
            return Stop::HostCalls;
        }
        // The runtime has types for neither of these. A test of each would notice other words.
        let root = error.root_cause().to_string();
        let full = error.downcast_ref::<ResourceTableError>();
        if root.contains("store handle limit exceeded")
            || matches!(full, Some(ResourceTableError::Full))
        {
            return Stop::Handles;
        }
        if root.contains("fuel allocated for hostcalls has been exhausted") {
            return Stop::Payload;
        }
        match refused {
            Some(Refused::Memory) => return Stop::Memory,
            Some(Refused::Table) => return Stop::Table,
            None => {}
        }
        let words = match (
            error.downcast_ref::<Trap>(),
            error.downcast_ref::<I32Exit>(),
        ) {
            (Some(Trap::StackOverflow), _) => "its calls nested too deep",
            (Some(Trap::UnreachableCodeReached), _) => "it panicked or aborted",
            (Some(Trap::MemoryOutOfBounds | Trap::TableOutOfBounds), _) => {
                "it reached outside its memory"
            }
            (Some(_), _) => "it did something that WebAssembly forbids",
            (None, Some(_)) => "it ended its own process",
            (None, None) => "a call between plugin and host was malformed or too large",
        };
        Stop::Trap(words.to_owned())
    }
}

impl Said {
    /// Takes over what the guest says; `redact` hides known secrets.
    pub(crate) fn new(error: types::Error, redact: impl Fn(&str) -> String) -> Said {
        let clean = |words: String| redact(&text::line(&words, text::LINE));
        match error {
            types::Error::InvalidConfig(words) => Said::InvalidConfig(clean(words)),
            types::Error::Unavailable(words) => Said::Unavailable(clean(words)),
            types::Error::RateLimited(wait_ms) => Said::RateLimited(wait_ms),
            types::Error::Denied(words) => Said::Denied(clean(words)),
            types::Error::Other(words) => Said::Other(clean(words)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_words_are_golden() {
        let all = [
            Stop::Missing("no plugin \"x\" serves".to_owned()),
            Stop::CpuBudget,
            Stop::Deadline,
            Stop::Memory,
            Stop::Table,
            Stop::Handles,
            Stop::HostCalls,
            Stop::Payload,
            Stop::Trap("it panicked or aborted".to_owned()),
            Stop::Busy,
            Stop::CircuitOpen(9_001),
            Stop::BadAnswer("65 checks".to_owned()),
            Stop::Said(Said::InvalidConfig("channel is missing".to_owned())),
            Stop::Said(Said::Unavailable("connection refused".to_owned())),
            Stop::Said(Said::RateLimited(30_000)),
            Stop::Said(Said::Denied("not_in_channel".to_owned())),
            Stop::Said(Said::Other("what".to_owned())),
        ];
        let shown: Vec<String> = all
            .into_iter()
            .map(|stop| stop.into_fault("slack 1.2.0", &Limits::default()))
            .map(|fault| {
                format!(
                    "{} (retry: {}) {}",
                    fault.code, fault.retryable, fault.message
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
