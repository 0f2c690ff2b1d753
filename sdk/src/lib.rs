//! What the author of a Sluice plugin imports.
//!
//! A smoke test reads like a test, and is one file:
//!
//! ```
#![doc = include_str!("../examples/health.rs")]
//! # fn main() {}
//! ```
//!
//! | kind | macro | functions |
//! |---|---|---|
//! | smoke-test | [`export_smoke_test!`] | `fn(&mut SmokeTest, S) -> TestResult` |
//! | traffic-strategy | [`export_traffic_strategy!`] | `fn(&Context, S) -> Result<Vec<Step>, Error>` and `fn(&Context, S, &Step, &[Observation]) -> Result<Judgement, Error>` |
//! | notifier | [`export_notifier!`] | `fn(&Client, S, &Event) -> Result<Option<String>, Error>` |
//! | metric-provider | [`export_metric_provider!`] | `fn(&Client, S, Window) -> Result<Measurement, Error>` |
//! | approval-provider | [`export_approval_provider!`] | four, see the macro |
//!
//! `S` is the plugin's own settings type, read with serde. Each macro also embeds the `plugin.toml`
//! that stands beside the plugin's `Cargo.toml`, and answers the host's question whether settings
//! are right. The contract itself is `wit/`; `docs/plugin-authors.md` walks through a first plugin.
//!
//! A plugin's logic runs as a native unit test: see the `testing` module.

#[doc(hidden)]
pub mod bindings;
mod client;
mod context;
mod export;
mod host;
mod http;
mod pointer;
pub mod probe;
mod remote;
pub mod settings;
pub mod slack;
pub mod smoke;
pub mod strategy;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod text;

#[doc(hidden)]
pub mod serve;

pub use client::Client;
pub use context::Context;
pub use http::{Request, Response};
pub use pointer::find as find_json;
pub use remote::{Remote, patience_ms};
pub use smoke::{Examination, SmokeTest, Stop, TestResult};

pub use bindings::approval_provider::exports::sluice::plugin::approval_provider::{
    Decision, Status,
};
pub use bindings::host::sluice::plugin::log::Level;
pub use bindings::host::sluice::plugin::tls::{Certificate, Chain};
pub use bindings::host::sluice::plugin::types::{
    Check, Error, NetError, Outcome, Release, Workload,
};
pub use bindings::metric_provider::exports::sluice::plugin::metric_provider::{
    Measurement, Role, Series, Window,
};
pub use bindings::notifier::exports::sluice::plugin::notifier::{Event, Severity};
pub use bindings::settings::exports::sluice::plugin::settings::Issue;
pub use bindings::smoke_test::exports::sluice::plugin::smoke_test::Report;
pub use bindings::traffic_strategy::exports::sluice::plugin::traffic_strategy::{
    Judgement, Observation, Step,
};

/// Everything that most plugins need: `use sluice_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Client, Context, Error, NetError, Outcome, Request, Response, SmokeTest, TestResult,
    };
    pub use serde::Deserialize;
}
