//! A program that has to succeed.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// One run of a program.
pub(crate) struct Run(Command);

impl Run {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self(Command::new(program))
    }

    pub(crate) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.0.arg(word);
        self
    }

    pub(crate) fn args<I: IntoIterator<Item = W>, W: AsRef<OsStr>>(mut self, words: I) -> Self {
        self.0.args(words);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs it; all that it said is part of the error.
    pub(crate) fn run(self) -> Result<()> {
        self.output().map(|_| ())
    }

    /// The same, and what it wrote to its standard output.
    pub(crate) fn output(mut self) -> Result<String> {
        let shown = format!("{:?}", self.0);
        let ended = self
            .0
            .output()
            .with_context(|| format!("{shown} cannot be started"))?;
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        if ended.status.success() {
            return Ok(said);
        }
        let errors = String::from_utf8_lossy(&ended.stderr);
        bail!("{shown}: {}\n{said}\n{errors}", ended.status)
    }
}
