//! The languages that plugins are written in here.

use std::path::Path;

use clap::ValueEnum;

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust: small and fast components.
    #[default]
    Rust,
    /// JavaScript, on QuickJS.
    Javascript,
    /// Python.
    Python,
}

impl Language {
    /// As on the command line, and as the folder of its templates.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Javascript => "javascript",
            Language::Python => "python",
        }
    }

    /// As people write it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::Javascript => "JavaScript",
            Language::Python => "Python",
        }
    }

    /// Where the plugin itself is, in a new project.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Language::Rust => "src/lib.rs",
            Language::Javascript => "src/plugin.js",
            Language::Python => "plugin.py",
        }
    }

    /// The language of a project, by the file that its tools look for.
    pub(crate) fn of(project: &Path) -> Option<Language> {
        let there = |name: &str| project.join(name).is_file();
        if there("Cargo.toml") {
            Some(Language::Rust)
        } else if there("package.json") {
            Some(Language::Javascript)
        } else if there("plugin.py") || there("pyproject.toml") || there("requirements.txt") {
            Some(Language::Python)
        } else {
            None
        }
    }
}
