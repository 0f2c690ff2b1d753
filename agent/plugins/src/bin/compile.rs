//! The compile child alone: for tests, which have no `sluice` beside them.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice_plugins::compile_child()
}
