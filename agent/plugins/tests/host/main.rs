//! The host against real components: hostile ones, broken ones, and the plugins of this repository.
//!
//! Needs `make plugins`: the components are built from source and never committed.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests say what they expect by unwrapping, as tests do"
)]

mod approvals;
mod artifacts;
mod attacks;
mod budgets;
mod bytecode;
mod compile;
mod deterministic;
mod fail_closed;
mod first_party;
mod folder;
mod metrics;
mod module;
mod network;
mod reference;
mod rotation;
mod secrets;
mod server;
#[path = "../../../../plugins/slack-notify/tests/slack_checker.rs"]
mod slack_checker;
mod support;
mod usage;
mod wasi_http;
