//! Python: a virtual environment of the project's own gets the tool that the project pins, the SDK in
//! the project calls it.

use std::path::PathBuf;

use tokio::process::Command;

use super::super::Kind;
use super::{Project, tool};
use crate::failure::Failure;
use crate::output::Output;

const INSTALL: &str = "install Python 3.10 or newer, with its module venv: https://www.python.org";
const ENVIRONMENT: &str = ".venv";

pub(super) async fn build(project: &Project<'_>, out: &mut Output) -> Result<PathBuf, Failure> {
    let environment = project.folder.join(ENVIRONMENT);
    let python = format!("{ENVIRONMENT}/bin/python");
    let wanted = project.folder.join("requirements.txt");
    let done = environment.join("requirements.done");
    let pins = std::fs::read(&wanted).unwrap_or_default();
    // What was installed, not when: an environment may be shared, and outlive a checkout.
    if std::fs::read(&done).ok().as_deref() != Some(&pins) {
        // One that is there is used, also where it is a link to one that several projects share.
        if !project.folder.join(&python).exists() {
            let mut venv = Command::new("python3");
            venv.current_dir(project.folder)
                .args(["-m", "venv", ENVIRONMENT]);
            tool::run("python3 -m venv", venv, INSTALL, out).await?;
        }
        let mut pip = Command::new(&python);
        pip.current_dir(project.folder).args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "-r",
            "requirements.txt",
        ]);
        tool::run("pip", pip, INSTALL, out).await?;
        // Without it, the next build installs again: nothing is lost.
        let _ = std::fs::write(&done, pins);
    }
    let mut build = Command::new(&python);
    build
        .current_dir(project.folder)
        .arg("vendor/sluice-sdk/bin/build.py")
        .args(["--kind", Kind::from(project.manifest.plugin.kind).name()])
        .args(["--wit", "vendor/wit", "--out"])
        .arg(&project.made)
        .arg(".");
    tool::run("componentize-py", build, INSTALL, out).await?;
    Ok(project.made.clone())
}
