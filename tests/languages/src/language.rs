//! The languages, their tools, and how their own tests run.

use std::path::Path;

use anyhow::Result;

use crate::process::Run;

/// A language that plugins are written in.
#[derive(Clone, Copy)]
pub(crate) enum Language {
    Rust,
    JavaScript,
    Python,
}

impl Language {
    /// The one that the others are compared with comes first.
    pub(crate) const ALL: [Language; 3] = [Language::Rust, Language::JavaScript, Language::Python];

    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::JavaScript => "javascript",
            Language::Python => "python",
        }
    }

    /// What this machine lacks to build it.
    pub(crate) fn missing(self) -> Option<&'static str> {
        let there = |program: &str, words: &[&str]| Run::new(program).args(words).run().is_ok();
        let newer = "process.exit(process.versions.node.split('.')[0] >= 20 ? 0 : 1)";
        match self {
            Language::Rust => None,
            Language::JavaScript => match () {
                () if !there("node", &["-e", newer]) => Some("there is no Node.js 20 or newer"),
                () if !there("npm", &["--version"]) => Some("there is no npm"),
                () => None,
            },
            Language::Python => {
                let newer = "import sys, venv, ensurepip; assert sys.version_info >= (3, 10)";
                (!there("python3", &["-c", newer])).then_some(
                    "there is no Python 3.10 or newer with the modules venv and ensurepip",
                )
            }
        }
    }

    /// The file of a plugin, and where its check stands in the example of a smoke test. None: a
    /// compiler sees what is wrong.
    pub(crate) fn source(self) -> Option<(&'static str, &'static str)> {
        match self {
            Language::Rust => None,
            Language::JavaScript => Some(("src/plugin.js", "src/plugin.js:21")),
            Language::Python => Some(("plugin.py", "plugin.py:19")),
        }
    }

    /// The tests of the SDK itself. Those of the Rust one belong to the workspace.
    pub(crate) fn test_sdk(self, root: &Path) -> Result<()> {
        match self {
            Language::Rust => Ok(()),
            Language::JavaScript => Run::new("node")
                .args(["--test", "sdk/javascript/test/"])
                .within(root)
                .run(),
            Language::Python => python("python3")
                .args(["-m", "unittest", "discover", "-s", "sdk/python/test"])
                .env("PYTHONPATH", "sdk/python/lib")
                .within(root)
                .run(),
        }
    }

    /// One virtual environment serves all projects: to make it takes longer than to use it.
    pub(crate) fn prepare(self, project: &Path, folder: &Path) -> Result<()> {
        if !matches!(self, Language::Python) {
            return Ok(());
        }
        let shared = folder.join("venv");
        if !shared.join("bin/python").exists() {
            python("python3").args(["-m", "venv"]).arg(&shared).run()?;
        }
        std::os::unix::fs::symlink(&shared, project.join(".venv"))?;
        Ok(())
    }

    /// The tests that a new project has. Those of Rust also see that its schema is that of its settings.
    pub(crate) fn test_project(self, project: &Path) -> Result<()> {
        match self {
            Language::Rust => Run::new("cargo")
                .args(["test", "--quiet"])
                // That of the component: below the folder of all projects.
                .env("CARGO_TARGET_DIR", "../../../rust-target")
                .within(project)
                .run(),
            Language::JavaScript => Run::new("npm").arg("test").within(project).run(),
            Language::Python => python("python3")
                .args(["-m", "unittest"])
                .within(project)
                .run(),
        }
    }
}

/// Without compiled leftovers in folders that are embedded elsewhere.
fn python(program: &str) -> Run {
    Run::new(program).env("PYTHONDONTWRITEBYTECODE", "1")
}
