//! Kubernetes, as far as Sluice touches it: the custom resources, reading the world into the values
//! that `core` decides on, and carrying out exactly what `core` decided.

pub mod crd;
pub mod execute;
pub mod fault;
pub mod hooks;
pub mod lease;
pub mod object;
pub mod observe;
pub mod own;
pub mod quota;
pub mod targets;
pub mod vote;
pub mod workload;
pub mod writer;
