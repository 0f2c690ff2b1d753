//! The domain of Sluice: what may happen, what happens next, and why.
//!
//! Pure by construction: no clock, no socket, no file, no Kubernetes type. The same input gives the
//! same output, for ever. The shell (`sluice-controller`) observes, calls in here, and acts.

mod glob;
mod zone;

pub mod duration;
pub mod hash;
pub mod image;
pub mod plugin;
pub mod port;
pub mod problem;
pub mod schedule;
pub mod tags;
pub mod window;
