//! A real Kubernetes for tests, on this machine, without a container engine or an image registry of
//! somebody else's: control plane, people, and as wanted a node with real containers and a registry.
//!
//! ```text
//! Bed::start ── programs (built once) ── namespaces (walls that end with their owner)
//!                                          └── control plane, node, fake nodes (parts, each with a log)
//! Bed ── kubeconfig(person)   command(in its network)   audit()   pids_of(container)   stop()
//! ```

mod address;
mod audit;
mod authority;
mod bed;
mod cgroup;
mod control_plane;
mod desk;
mod error;
mod fake_nodes;
mod gateway;
mod leftovers;
mod namespaces;
mod need;
mod node;
mod oci;
mod options;
mod part;
mod person;
mod process;
pub mod programs;
mod prometheus;
mod site;

pub use audit::{AuditEvent, AuditUser, ObjectRef, ResponseStatus};
pub use bed::Bed;
pub use desk::Desk;
pub use error::BedError;
pub use gateway::Gateway;
pub use leftovers::{down_all, running};
pub use need::{Missing, missing};
pub use oci::archive;
pub use options::{Level, Options};
pub use person::Person;
pub use prometheus::Prometheus;
