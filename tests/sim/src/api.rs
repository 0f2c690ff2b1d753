//! The simulated API server.

pub(crate) mod admission;
pub(crate) mod apply;
pub(crate) mod call;
pub(crate) mod defaults;
pub(crate) mod delete;
pub(crate) mod discovery;
pub(crate) mod error;
pub(crate) mod guard;
pub(crate) mod immutable;
pub(crate) mod json_patch;
pub(crate) mod log;
pub(crate) mod name;
pub(crate) mod patch;
pub(crate) mod path;
pub(crate) mod read;
pub(crate) mod resource;
pub(crate) mod review;
pub(crate) mod selector;
pub(crate) mod store;
pub(crate) mod transitions;
pub(crate) mod validate;
pub(crate) mod watch;
pub(crate) mod write;
