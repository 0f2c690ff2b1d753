//! What a call used of what it may use: for benchmarks, for the command line and for metrics.

use std::time::Duration;

use serde::Serialize;

use crate::limits::Limits;

/// What one call used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallUsage {
    /// Name by which the operator knows the plugin.
    pub plugin: String,
    /// Which export was called, such as `smoke-test.run`.
    pub export: &'static str,
    /// CPU time of the call's thread: the guest's, and the host's on its behalf.
    pub cpu: Duration,
    /// Wall clock from the slot to the answer; waiting for the slot is not in it.
    pub wall: Duration,
    /// Most linear memory at once, in bytes.
    pub memory_bytes: u64,
    /// Network requests.
    pub requests: u32,
    /// Calls from the guest into the host, of every import.
    pub host_calls: u64,
    /// Fuel, where the host is deterministic: the same for the same input, on any machine.
    pub fuel: Option<u64>,
    /// What it could have used.
    pub limits: Limits,
    /// The code of the fault that it ended with, if it ended with one.
    pub fault: Option<String>,
}

/// Where the figures of calls go.
pub trait UsageSink: Send + Sync {
    /// Takes the figures of one call that has ended. Must not block.
    fn used(&self, usage: CallUsage);
}

/// Nobody asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unasked;

impl UsageSink for Unasked {
    fn used(&self, _: CallUsage) {}
}
