//! Inputs that failed once: kept in a folder for each target, replayed before anything else.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// The folder of all targets.
#[derive(Clone, Debug)]
pub struct Corpus(PathBuf);

impl Corpus {
    /// The one that is part of the source.
    pub fn own() -> Corpus {
        Corpus(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"))
    }

    /// Another one.
    pub fn at(folder: impl Into<PathBuf>) -> Corpus {
        Corpus(folder.into())
    }

    /// What failed once, in the order of names.
    pub fn kept(&self, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let Ok(entries) = std::fs::read_dir(self.0.join(target)) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths
            .into_iter()
            .map(|path| {
                let bytes = std::fs::read(&path).expect("a kept input");
                (path, bytes)
            })
            .collect()
    }

    /// Keeps an input that failed, and says where.
    pub(crate) fn keep(&self, target: &str, input: &[u8]) -> PathBuf {
        let folder = self.0.join(target);
        std::fs::create_dir_all(&folder).expect("the corpus folder");
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let path = folder.join(format!("{:016x}", hasher.finish()));
        std::fs::write(&path, input).expect("the failed input is kept");
        path
    }
}
