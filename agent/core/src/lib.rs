//! The domain of Sluice: what may happen, what happens next, and why.
//!
//! Pure by construction: no clock, no socket, no file, no Kubernetes type. The same input gives the
//! same output, for ever. The shell (`sluice-controller`) observes, calls in here, and acts.

mod glob;
mod structural;
mod zone;

pub mod admit;
pub mod adopt;
pub mod analysis;
pub mod approval;
pub mod authorize;
pub mod duration;
pub mod explain;
pub mod hash;
pub mod hook;
pub mod image;
pub mod invariants;
pub mod lease;
pub mod pipeline;
pub mod plan;
pub mod plugin;
pub mod policy;
pub mod port;
pub mod problem;
pub mod record;
pub mod rollout;
pub mod router;
pub mod schedule;
pub mod stop;
pub mod tags;
pub mod template;
pub mod trigger;
pub mod window;
pub mod workload;
