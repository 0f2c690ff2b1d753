//! The languages of plugins, and their components.

use std::fmt;
use std::path::{Path, PathBuf};

/// What a component was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    JavaScript,
    Python,
}

impl Language {
    pub(crate) const ALL: [Language; 3] = [Language::Rust, Language::JavaScript, Language::Python];

    /// The component, where it is built. Rust's has to be.
    pub(crate) fn component(self) -> Option<PathBuf> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
        let path = match self {
            Language::Rust => target.join("wasm32-wasip2/plugin/hostile.wasm"),
            Language::JavaScript => target.join("languages/javascript/smoke-test.wasm"),
            Language::Python => target.join("languages/python/smoke-test.wasm"),
        };
        assert!(
            path.is_file() || self != Language::Rust,
            "{} is missing: run `make plugins` first",
            path.display()
        );
        path.is_file().then_some(path)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Language::Rust => "Rust",
            Language::JavaScript => "JavaScript",
            Language::Python => "Python",
        })
    }
}
