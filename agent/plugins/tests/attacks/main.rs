//! The table of attacks (plugins.md section 10): each is made by hostile components built from source,
//! each must end as its pass condition says, and while it goes on another plugin is called all the
//! time and must not notice.
//!
//! `cargo test -p sluice-plugins --test attacks -- --nocapture` prints the table. Needs
//! `make plugins`. A program of its own, because what it measures is disturbed by whatever else runs
//! in the same one. The variants of each attack, one by one, are in `tests/host`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests say what they expect by unwrapping"
)]

mod bystander;
mod ground;
mod instances;
#[path = "../host/module.rs"]
mod module;
mod rows;
#[path = "../host/server.rs"]
#[expect(dead_code, reason = "tests/host uses the rest of it")]
mod server;
#[path = "../host/support.rs"]
#[expect(dead_code, reason = "tests/host uses the rest of it")]
mod support;
mod table;
