//! One file a verb, or a few verbs that do the same.

pub(crate) mod agent;
pub(crate) mod ask;
pub(crate) mod crds;
pub(crate) mod drill;
pub(crate) mod explain;
pub(crate) mod facts;
pub(crate) mod get;
pub(crate) mod objects;
pub(crate) mod plugin;
pub(crate) mod plugin_compile;
pub(crate) mod plugin_host;
pub(crate) mod policy;
pub(crate) mod quarantine;
pub(crate) mod record;
pub(crate) mod rollback;
pub(crate) mod status;
pub(crate) mod vote;
pub(crate) mod wish;
