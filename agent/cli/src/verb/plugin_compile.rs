//! `sluice plugin-compile`: the process that compiles one plugin, started by the plugin host.

use std::process::ExitCode;

/// The whole process.
pub(crate) fn main() -> ExitCode {
    sluice_plugins::compile_child()
}
