//! Several folders read as one: what ships with the agent, and over it what an operator adds. A file
//! of a later folder stands before one of the same name in an earlier.

use std::fmt;
use std::path::{Path, PathBuf};

/// Folders of plugins, the most important last. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    before: Vec<PathBuf>,
    last: PathBuf,
}

impl Folders {
    /// `last` is required so that there is one.
    pub fn new(before: Vec<PathBuf>, last: PathBuf) -> Self {
        Self { before, last }
    }

    /// All of them, in order.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        self.before
            .iter()
            .chain(std::iter::once(&self.last))
            .map(PathBuf::as_path)
    }

    /// The folder whose file of this name counts; the last, where none has one.
    pub(crate) fn holding(&self, file: &str) -> &Path {
        let holds = |folder: &&PathBuf| folder.join(file).exists();
        if holds(&&self.last) {
            return &self.last;
        }
        self.before.iter().rev().find(holds).unwrap_or(&self.last)
    }
}

impl<P: Into<PathBuf>> From<P> for Folders {
    fn from(folder: P) -> Self {
        Self::new(Vec::new(), folder.into())
    }
}

impl fmt::Display for Folders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for folder in &self.before {
            write!(f, "{}, ", folder.display())?;
        }
        write!(f, "{}", self.last.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_folder_stands_before_an_earlier() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = Folders::new(vec![a.path().into()], b.path().into());
        for name in ["both.wasm", "first.wasm"] {
            std::fs::write(a.path().join(name), "a").unwrap();
        }
        std::fs::write(b.path().join("both.wasm"), "b").unwrap();
        assert_eq!(folders.holding("both.wasm"), b.path());
        assert_eq!(folders.holding("first.wasm"), a.path());
        assert_eq!(folders.holding("none.wasm"), b.path());
    }
}
