//! Ties it together: what happened outside comes in, `core` decides, the cluster is written, plugins
//! and notifiers are asked, facts go back into the journal.
//!
//! ```text
//!  watches ─► index ─► queue ─► worker(pipeline) ─► triggers, Requests ─► Rollout objects
//!                        └────► worker(rollout)  ─► observe ► decide ► commit ► execute
//!                                                      ▲                   │
//!                                                      └── facts ◄── calls ┘
//! ```
//! Nothing in here is needed after a crash: every map is a cache or a timer that is rebuilt.

mod agent;
mod backoff;
mod calls;
mod context;
mod everything;
mod freshness;
mod guards;
mod health;
mod hints;
mod index;
mod kinds;
mod leader;
mod leftover;
mod own;
mod pace;
mod pipeline;
mod queue;
mod rollout;
mod sink;
mod stop;
mod trigger;
mod watches;
mod world;

pub use agent::{Agent, AgentConfig, AgentError};
pub use context::Ports;
pub use health::{Checkup, Health, LOOK_LIMIT};
pub use hints::Hints;
pub use leader::{LeaseConfig, Resignation};
pub use rollout::{view, votes_of};
pub use sink::JsonLinesSink;
pub use world::World;
