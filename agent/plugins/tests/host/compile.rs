//! Compiling in a child, and keeping what it made: attacks 15 to 18 (plugins.md section 10).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sluice_plugins::{Card, Compiler, HostOptions};

use crate::support::{Folder, test_options};

mod bombs;
mod child;
mod kept;

/// The compile child, as the host starts it.
const CHILD: &str = env!("CARGO_BIN_EXE_sluice-plugin-compile");

fn child(arguments: &[&str]) -> Compiler {
    other(CHILD, arguments)
}

fn other(program: impl Into<PathBuf>, arguments: &[&str]) -> Compiler {
    Compiler::Child {
        program: program.into(),
        arguments: arguments.iter().map(OsString::from).collect(),
    }
}

fn compiled_by(compiler: Compiler) -> HostOptions {
    HostOptions {
        compiler,
        ..test_options()
    }
}

/// The only card of a folder whose plugins this compiler compiles.
async fn card(folder: &Folder, compiler: Compiler) -> Card {
    let host = folder.host_with(compiled_by(compiler)).await;
    let mut cards = host.problems();
    assert_eq!(cards.len(), 1, "{cards:?}");
    cards.remove(0)
}

/// Runs the child by hand.
fn run(arguments: &[&str], input: &Path) -> Output {
    Command::new(CHILD)
        .args(arguments)
        .env_clear()
        .stdin(std::fs::File::open(input).unwrap())
        .stdout(Stdio::piped())
        .output()
        .unwrap()
}
