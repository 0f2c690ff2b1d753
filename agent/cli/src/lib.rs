//! The `sluice` command: the agent, and every verb that people and CI use.
//!
//! ```text
//!  args ─► run ─► verb/*  ─► access (the caller's own kubeconfig) ─► API server
//!                   │ └────► text/* (pure: values in, sentences out) ─► output (the only printer)
//!                   └──────► verb/agent ─► wiring ─► policy_file, registry, controller
//!                                             └────► host_child ─► verb/plugin_host, another process
//! ```
//! Verbs change nothing but Requests and Approvals, and these with the caller's own credentials:
//! what they may achieve is decided by the agent, from the policy. [`policy_file`], [`clock`] and
//! [`wiring`] are also what the demo runs.

mod access;
mod args;
mod artifacts;
mod child_process;
mod doors;
mod exit;
mod explain;
mod failure;
mod follow;
mod host_child;
mod identity;
mod output;
mod run;
mod session;
mod text;
mod verb;

pub mod clock;
pub mod policy_file;
pub mod wiring;

pub use access::Access;
pub use args::Cli;
pub use child_process::helper;
pub use exit::Exit;
pub use failure::Failure;
pub use host_child::ChildFault;
pub use output::{Captured, Format, Output};
pub use run::{main, run, run_in};
pub use session::Session;
