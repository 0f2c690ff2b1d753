//! The verbs against the shipped controller on a simulated cluster, on a virtual clock: people sit at
//! their own terminals and nobody but the agent creates a Rollout.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing"
)]

mod author;
mod back;
mod distribution;
mod host_child;
mod people;
mod release;
mod safety;
mod trouble;
mod votes;
mod wiring;
