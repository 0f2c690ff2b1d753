//! What kind of cluster is wanted.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

use crate::Gateway;

/// How much of a cluster there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Level 1: etcd, API server, controllers, scheduler, and fake nodes.
    ControlPlane,
    /// Level 2: also a node with real containers, Services that answer, and a registry.
    Node,
}

/// What kind of cluster is wanted.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much of it.
    pub level: Level,
    /// How many nodes only say that they are there. At level 2 they are tainted.
    pub fake_nodes: u32,
    /// What stands before the Services.
    pub gateway: Gateway,
    /// Whether logs stay after a good end too.
    pub keep_logs: bool,
    /// Who is told about what takes long, line by line.
    pub say: fn(&str),
}

impl Options {
    /// A cluster of this level, without a gateway; level 1 has one fake node.
    pub fn new(level: Level) -> Self {
        Self {
            level,
            fake_nodes: match level {
                Level::ControlPlane => 1,
                Level::Node => 0,
            },
            gateway: Gateway::None,
            keep_logs: false,
            say: to_stderr,
        }
    }
}

/// Tells it on the standard error, which a test's harness does not swallow.
pub(crate) fn to_stderr(line: &str) {
    // Who closed it does not want to know.
    let _ = writeln!(std::io::stderr(), "{line}");
}
