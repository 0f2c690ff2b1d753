//! The simulated cluster, asked through kube as the agent asks it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod admission;
mod apply;
mod collect;
mod conflict;
mod fault;
mod review;
mod rollout;
mod scale;
mod story;
mod support;
mod watch;
