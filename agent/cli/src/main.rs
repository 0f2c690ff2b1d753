//! The `sluice` command. Everything is in the library, so that tests and the demo run the same code.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice::main()
}
