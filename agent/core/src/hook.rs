//! Hooks: a Job before or after a Rollout, and one that takes the first back.
//!
//! The Job is made of the template of a suspended CronJob, under a name that follows from the Rollout,
//! so that there is at most one for each hook and Rollout. It is created suspended and started by a
//! second write: an agent that dies in between finds it and goes on. What the Job said comes back by its
//! pod's termination message. Only a Job that is seen to be complete has succeeded.

mod job;
mod outcome;
mod run;

pub use job::{HookJob, job_name, manifest, pod_template};
pub use outcome::{JobEnd, JobPods, Verdict, job_end, verdict};
pub(crate) use run::trim;
pub use run::{HookRun, HookState, HookWhen};

/// Most bytes of a termination message that are looked at: the kubelet keeps no more.
pub const MESSAGE_LIMIT: usize = 4096;
/// Most bytes of a log that are kept, and that are asked for.
pub const LOG_LIMIT: usize = 2048;
/// Most lines of a log that are asked for.
pub const LOG_LINES: u32 = 40;
