//! The verbs against the shipped controller on a simulated cluster, on a virtual clock: people sit at
//! their own terminals and nobody but the agent creates a Rollout.

mod people;
mod release;
mod trouble;
mod votes;
mod wiring;
