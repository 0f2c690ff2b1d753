//! How much one call may use, and the guard that counts memory (plugins.md sections 3 and 4).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

/// Largest plugin file, checked before it is read. Python's snapshot is 18 MiB (plugins.md 9).
pub const MAX_COMPONENT_BYTES: u64 = 32 << 20;
/// Bytes that one host call may carry from the guest. Also bounds what an export may return.
pub(crate) const HOSTCALL_BYTES: usize = 2 << 20;
/// Handles of each kind that one call may hold.
pub(crate) const MAX_HANDLES: usize = 1000;
/// Calls from the guest into the host within one call, over all imports. A careful plugin makes a few
/// dozen; one that reads a large body byte by byte stays below this too.
pub(crate) const MAX_HOST_CALLS: u64 = 100_000;
/// What a millisecond of CPU is worth where instructions are counted instead: 1e8 units took 141 ms
/// (plugins.md section 3).
const FUEL_A_MILLISECOND: u64 = 700_000;
/// One epoch: how often the CPU budget is looked at.
pub(crate) const TICK: Duration = Duration::from_millis(10);

const MAX_MEMORIES: usize = 8;
const MAX_TABLES: usize = 16;
/// Python of componentize-py 0.25.1 is 38 modules linked together; others have a dozen at most.
const MAX_INSTANCES: usize = 48;
pub(crate) const MAX_TABLE_ELEMENTS: usize = 20_000;

/// Limits as they stand in a manifest or a grant. A missing figure means the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LimitSettings {
    /// Sum of all memories, in MiB. Default 64, at most 256.
    pub memory_mib: Option<u32>,
    /// CPU per call, in milliseconds. Default 200, at most 10000.
    pub cpu_ms: Option<u32>,
    /// Wall clock per call, in milliseconds. Default 10000, at most 120000.
    pub wall_ms: Option<u32>,
    /// Network requests per call. Default 8, at most 128.
    pub requests: Option<u32>,
}

/// The limits of one call, every figure set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limits {
    /// Sum of all memories, in MiB.
    pub memory_mib: u32,
    /// CPU, in milliseconds.
    pub cpu_ms: u32,
    /// Wall clock, in milliseconds.
    pub wall_ms: u32,
    /// Network requests.
    pub requests: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_mib: 64,
            cpu_ms: 200,
            wall_ms: 10_000,
            requests: 8,
        }
    }
}

/// What no grant can exceed: memory as in plugins.md section 3, the rest with room for a long suite
/// of smoke tests against a slow server.
const CEILING: Limits = Limits {
    memory_mib: 256,
    cpu_ms: 10_000,
    wall_ms: 120_000,
    requests: 128,
};

/// One figure that the plugin asks for and nobody grants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LimitGap {
    pub(crate) name: &'static str,
    pub(crate) asked: u32,
    pub(crate) granted: u32,
    pub(crate) ceiling: u32,
}

impl Limits {
    /// The smaller of what the plugin asks for and what the operator grants (each the default where
    /// it says nothing), and every figure where it asks for more than it gets.
    pub(crate) fn effective(
        asked: &LimitSettings,
        granted: &LimitSettings,
    ) -> (Limits, Vec<LimitGap>) {
        let base = Limits::default();
        let mut gaps = Vec::new();
        let mut figure = |name, asked: Option<u32>, granted: Option<u32>, base: u32, ceiling| {
            let allowed = granted.unwrap_or(base).min(ceiling);
            match asked {
                Some(asked) if asked > allowed => {
                    gaps.push(LimitGap {
                        name,
                        asked,
                        granted: allowed,
                        ceiling,
                    });
                    allowed
                }
                Some(asked) => asked,
                None => base.min(allowed),
            }
        };
        let limits = Limits {
            memory_mib: figure(
                "memory-mib",
                asked.memory_mib,
                granted.memory_mib,
                base.memory_mib,
                CEILING.memory_mib,
            ),
            cpu_ms: figure(
                "cpu-ms",
                asked.cpu_ms,
                granted.cpu_ms,
                base.cpu_ms,
                CEILING.cpu_ms,
            ),
            wall_ms: figure(
                "wall-ms",
                asked.wall_ms,
                granted.wall_ms,
                base.wall_ms,
                CEILING.wall_ms,
            ),
            requests: figure(
                "requests",
                asked.requests,
                granted.requests,
                base.requests,
                CEILING.requests,
            ),
        };
        (limits, gaps)
    }

    /// The CPU limit.
    pub(crate) fn cpu(&self) -> Duration {
        Duration::from_millis(u64::from(self.cpu_ms))
    }

    /// The CPU limit where instructions are counted.
    pub(crate) fn fuel(&self) -> u64 {
        u64::from(self.cpu_ms) * FUEL_A_MILLISECOND
    }

    /// The wall clock limit.
    pub(crate) fn wall(&self) -> Duration {
        Duration::from_millis(u64::from(self.wall_ms))
    }
}

/// Counts the **sum** of all memories of one call. wasmtime's own `StoreLimits` counts each memory
/// by itself, and allows ten thousand of them.
#[derive(Debug)]
pub(crate) struct MemoryGuard {
    cap: usize,
    used: usize,
    peak: usize,
    refused: Option<Refused>,
}

/// What a guest wanted to grow and could not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Its memories.
    Memory,
    /// A table.
    Table,
}

/// Calls of one guest into the host.
#[derive(Debug, Default)]
pub(crate) struct HostCalls(u64);

/// There were too many of them.
#[derive(Debug, thiserror::Error)]
#[error("more than {MAX_HOST_CALLS} calls into the host")]
pub(crate) struct HostCallsSpent;

impl HostCalls {
    /// One more.
    pub(crate) fn count(&mut self) {
        self.0 = self.0.saturating_add(1);
    }

    /// How many there were.
    pub(crate) fn made(&self) -> u64 {
        self.0
    }

    /// Fails once there were too many. Our own imports ask at each call; WASI's, which cannot fail
    /// this way, end with the next tick, at which the runtime asks.
    pub(crate) fn check(&self) -> wasmtime::Result<()> {
        match self.0 > MAX_HOST_CALLS {
            true => Err(wasmtime::Error::new(HostCallsSpent)),
            false => Ok(()),
        }
    }
}

impl MemoryGuard {
    pub(crate) fn new(limits: &Limits) -> Self {
        let cap = usize::try_from(limits.memory_mib)
            .unwrap_or(usize::MAX)
            .saturating_mul(1 << 20);
        MemoryGuard {
            cap,
            used: 0,
            peak: 0,
            refused: None,
        }
    }

    /// What the guest last asked for and may not have.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// The most memory that was in use, in bytes.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }
}

impl ResourceLimiter for MemoryGuard {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let after = self.used.saturating_sub(current).saturating_add(desired);
        let fits = after <= self.cap;
        if fits {
            self.used = after;
            self.peak = self.peak.max(after);
        } else {
            self.refused = Some(Refused::Memory);
        }
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= MAX_TABLE_ELEMENTS;
        if !fits {
            self.refused = Some(Refused::Table);
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

/// What a component needs before it runs, as far as it can be told from its text.
pub(crate) fn too_large_to_start(
    needs: &wasmtime::ResourcesRequired,
    limits: &Limits,
) -> Option<String> {
    // wasmtime counts pages of 64 KiB here.
    let memory = needs
        .max_initial_memory_size
        .unwrap_or(0)
        .saturating_mul(64 << 10);
    let cap = u64::from(limits.memory_mib) << 20;
    if memory > cap {
        return Some(format!(
            "it starts with a memory of {} KiB; {} MiB are granted",
            memory >> 10,
            limits.memory_mib
        ));
    }
    if usize::try_from(needs.num_memories).unwrap_or(usize::MAX) > MAX_MEMORIES {
        return Some(format!(
            "it has {} memories; {MAX_MEMORIES} are allowed",
            needs.num_memories
        ));
    }
    if usize::try_from(needs.num_tables).unwrap_or(usize::MAX) > MAX_TABLES {
        return Some(format!(
            "it has {} tables; {MAX_TABLES} are allowed",
            needs.num_tables
        ));
    }
    let elements = needs.max_initial_table_size.unwrap_or(0);
    (elements > MAX_TABLE_ELEMENTS as u64).then(|| {
        format!("it starts with a table of {elements} elements; {MAX_TABLE_ELEMENTS} are allowed")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_said_means_the_defaults() {
        let none = LimitSettings::default();
        assert_eq!(Limits::effective(&none, &none), (Limits::default(), vec![]));
    }

    #[test]
    fn asking_for_more_than_granted_is_a_gap_and_gets_the_grant() {
        let asked = LimitSettings {
            memory_mib: Some(512),
            cpu_ms: Some(50),
            ..Default::default()
        };
        let granted = LimitSettings {
            memory_mib: Some(512),
            ..Default::default()
        };
        let (limits, gaps) = Limits::effective(&asked, &granted);
        assert_eq!((limits.memory_mib, limits.cpu_ms), (256, 50));
        assert_eq!(
            gaps,
            [LimitGap {
                name: "memory-mib",
                asked: 512,
                granted: 256,
                ceiling: 256
            }]
        );
    }

    #[test]
    fn a_grant_can_narrow_the_default() {
        let granted = LimitSettings {
            requests: Some(2),
            ..Default::default()
        };
        assert_eq!(
            Limits::effective(&LimitSettings::default(), &granted)
                .0
                .requests,
            2
        );
    }

    proptest! {
        #[test]
        fn the_guard_counts_the_sum(
            growths in proptest::collection::vec((0usize..4, 0usize..64), 1..40),
        ) {
            let limits = Limits { memory_mib: 4, ..Limits::default() };
            let mut guard = MemoryGuard::new(&limits);
            let mut memories = [0usize; 4];
            for (which, pages) in growths {
                let desired = memories[which] + pages * 65_536;
                let granted = guard.memory_growing(memories[which], desired, None).unwrap();
                let others: usize =
                    memories.iter().enumerate().filter(|(i, _)| *i != which).map(|(_, m)| m).sum();
                prop_assert_eq!(granted, others + desired <= 4 << 20);
                if granted {
                    memories[which] = desired;
                }
            }
        }
    }
}
