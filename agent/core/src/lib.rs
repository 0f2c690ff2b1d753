//! The domain of Sluice: what may happen, what happens next, and why.
//!
//! Pure by construction: no clock, no socket, no file, no Kubernetes type. The same input gives the
//! same output, for ever. The shell (`sluice-controller`) observes, calls in here, and acts.

pub mod plugin;
pub mod port;
