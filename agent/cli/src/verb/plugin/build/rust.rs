//! Rust: cargo, for the target that makes components.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use super::Project;
use super::tool::{self, Finished};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

const TARGET: &str = "wasm32-wasip2";
const INSTALL: &str = "install Rust from https://rustup.rs";

pub(super) async fn build(project: &Project<'_>, out: &mut Output) -> Result<PathBuf, Failure> {
    target(project.folder, out).await?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(project.folder).args([
        "build",
        "--release",
        "--target",
        TARGET,
        "--message-format",
        "json-render-diagnostics",
    ]);
    let finished = tool::run("cargo build", cargo, INSTALL, out).await?;
    component(&finished, project)
}

/// Sees to it that the target is there: with rustup where that is installed, else by saying how.
async fn target(folder: &Path, out: &mut Output) -> Result<(), Failure> {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(folder).args(["--print", "sysroot"]);
    let finished = tool::run("rustc", rustc, INSTALL, out).await?;
    let sysroot = String::from_utf8_lossy(&finished.stdout);
    let there = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET);
    if there.is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.current_dir(folder).args(["target", "add", TARGET]);
    let how = "rustup is not there: install the standard library of wasm32-wasip2 as your Rust came, \
               or use https://rustup.rs";
    tool::run("rustup target add", rustup, how, out).await?;
    Ok(())
}

/// The component that cargo says it made of this project.
fn component(finished: &Finished, project: &Project<'_>) -> Result<PathBuf, Failure> {
    let messages = String::from_utf8_lossy(&finished.stdout);
    let ours = project.folder.join("Cargo.toml").canonicalize().ok();
    let made = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| {
            let manifest = message.get("manifest_path").and_then(Value::as_str);
            manifest.map(PathBuf::from) == ours
        })
        .filter_map(|message| message.get("filenames")?.as_array().cloned())
        .flatten()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .rfind(|file| file.extension().is_some_and(|end| end == "wasm"));
    made.ok_or_else(|| {
        Failure::new("build-failed", "cargo made no component of this project")
            .at(project.folder.display().to_string())
            .because("its library is not of the type cdylib")
            .change("write in Cargo.toml:  [lib]  crate-type = [\"cdylib\", \"lib\"]")
            .exit(Exit::NotDone)
    })
}
