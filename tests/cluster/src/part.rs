//! One program of the cluster: started behind the walls, with a log of its own.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::error::{self, BedError};
use crate::namespaces::Door;

/// A program that runs until the cluster ends.
pub(crate) struct Part {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Part {
    /// Starts a program; what it says goes to `NAME.log` in the folder of logs.
    pub(crate) fn start(
        name: &'static str,
        door: &Door,
        program: &Path,
        arguments: &[String],
        kubeconfig: Option<&Path>,
        logs: &Path,
    ) -> Result<Self, BedError> {
        let log = logs.join(format!("{name}.log"));
        let out = File::create(&log).map_err(BedError::file("create", &log))?;
        let err = out
            .try_clone()
            .map_err(BedError::file("open twice", &log))?;
        let child = door
            .inside(program)
            .args(arguments)
            .env("HOME", logs)
            .envs(kubeconfig.map(|path| ("KUBECONFIG", path)))
            .stdout(Stdio::from(out))
            .stderr(Stdio::from(err))
            .process_group(0) // Ctrl-C is for the owner
            .spawn()
            .map_err(BedError::start(name))?;
        Ok(Self { name, child, log })
    }

    /// An error where it has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<(), BedError> {
        let code = match self.child.try_wait() {
            Ok(None) => return Ok(()),
            Ok(Some(status)) => status.to_string(),
            Err(source) => return Err(BedError::start(self.name)(source)),
        };
        let text = fs::read(&self.log).unwrap_or_default();
        Err(BedError::Ended {
            part: self.name.to_owned(),
            code,
            tail: error::tail(&String::from_utf8_lossy(&text)),
            logs: self.log.parent().unwrap_or(Path::new("")).to_owned(),
        })
    }

    /// Takes in the process, which has ended with its namespaces.
    pub(crate) fn wait(&mut self) {
        // What stays outside is `nsenter`, which stops when its child is stopped, and then sees no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
