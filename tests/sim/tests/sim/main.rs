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
mod config;
mod conflict;
mod daemon;
mod fault;
mod fence;
mod gateway;
mod guard;
mod job;
mod json_patch;
mod logs;
mod names;
mod review;
mod rollout;
mod route;
mod scale;
mod stateful;
mod story;
mod support;
mod switch;
mod watch;
