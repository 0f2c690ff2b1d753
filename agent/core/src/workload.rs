//! What the kinds of workload differ in, the configuration that goes with an image, and groups that
//! go in lockstep.

pub mod config;
mod kinds;
pub mod member;

pub use config::ConfigVersion;
pub use kinds::{partition, problems};
pub use member::{MemberJournal, MemberRevision, MemberSeen};
