//! The simulated cluster, asked through kube as the agent asks it.

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
