//! Makes up policies, candidates and voters. Whatever comes out is a policy that loads, mostly lets its
//! candidate in, and writes down no default, so that two that differ also mean something else.

mod candidate;
mod people;
mod policy;
mod rules;
mod sections;

pub use candidate::{candidate, digest};
pub use people::{Crowd, voter};
pub use policy::{edit, policy};

/// The environment of every history.
pub const ENVIRONMENT: &str = "production";
/// Its namespaces.
pub const NAMESPACES: [&str; 2] = ["shop", "payments"];
/// The roles of every policy; the last is decided outside.
pub const ROLES: [&str; 5] = ["lead", "owner", "sre", "commander", "board"];
/// The plugin that decides for `board`.
pub const BOARD: &str = "change-board";
/// The machine that may propose.
pub const CALLER: &str = "shop-ci";
