//! Stories on the simulated cluster: the shipped controller, unmodified, under a virtual clock.
//!
//! A [`Stage`] is a cluster with a storefront in staging and production. A [`Life`] is the agent's
//! life over all its deaths. The [`Crew`] are the people: they approve when they are asked to.
//! [`oracle`] says what must hold at every write and at the end.

// Everything in this crate runs in tests only; a failed expectation is how a test speaks.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the harness of tests: it fails by panicking"
)]

pub mod both;
mod crashes;
mod crew;
mod life;
pub mod oracle;
mod pair;
mod scene;
mod scripted;
mod stage;
mod story;
pub mod strategies;
mod watchers;

pub use crashes::{a_fault_at_every_write, a_fault_in_production, every_single_fault};
pub use crew::Crew;
pub use life::{Life, Process};
pub use pair::{Pair, PairRun, Strike, Wake, takeover};
pub use scene::{answer, answered, phase_is, play, rollout_name, target, why_is};
pub use scripted::{MemorySink, ScriptedPlugins, ScriptedRegistry};
pub use stage::{POLICY, PRODUCTION, REPOSITORY, STAGING, Stage, digest};
pub use story::{Ending, Run, Story, disturbed, quiet, run, sound, stuck, to_its_end};
pub use watchers::{beside, remembered, status, until};

/// Runs a future on a runtime whose clock is virtual: it jumps to the next timer when all is quiet.
pub fn on_virtual_time<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(future)
}
