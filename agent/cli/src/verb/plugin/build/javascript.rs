//! JavaScript: npm gets the tool that the project pins, the SDK in the project calls it.

use std::path::PathBuf;

use tokio::process::Command;

use super::super::Kind;
use super::{Project, tool};
use crate::failure::Failure;
use crate::output::Output;

const INSTALL: &str = "install Node.js 20 or newer, which brings npm: https://nodejs.org";

pub(super) async fn build(project: &Project<'_>, out: &mut Output) -> Result<PathBuf, Failure> {
    let locked = project.folder.join("package-lock.json");
    // npm writes this file last.
    let installed = project.folder.join("node_modules/.package-lock.json");
    if !tool::is_newer(&installed, &[&locked, &project.folder.join("package.json")]) {
        let mut npm = Command::new("npm");
        npm.current_dir(project.folder);
        npm.arg(if locked.is_file() { "ci" } else { "install" });
        npm.args(["--no-audit", "--no-fund"]);
        tool::run("npm", npm, INSTALL, out).await?;
    }
    let mut node = Command::new("node");
    node.current_dir(project.folder)
        .arg("vendor/sluice-sdk/bin/build.js")
        .args(["--kind", Kind::from(project.manifest.plugin.kind).name()])
        .args(["--wit", "vendor/wit", "--out"])
        .arg(&project.made)
        .arg(".");
    tool::run("componentize-qjs", node, INSTALL, out).await?;
    Ok(project.made.clone())
}
