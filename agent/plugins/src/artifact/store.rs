//! Components that were pulled, under their own hash.
//!
//! Nothing in the folder is believed because of where it lies: a file counts only if its bytes have the
//! hash that it was asked for by, at every read. Only the host writes here, and it removes what nothing
//! names any more, so that the folder holds at most what `plugins.yaml` names now and what still serves.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::load::{self, Read};

/// The folder within the cache folder.
const FOLDER: &str = "artifacts";
/// End of the names of files that are still being written.
const UNFINISHED: &str = ".new";
/// Files that are looked at when it is tidied.
const MAX_FILES: usize = 1000;

/// A folder of components.
pub(crate) struct Store {
    folder: PathBuf,
    counter: AtomicU64,
}

/// Why nothing comes out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unstored {
    /// It is not there.
    Missing,
    /// It is there, and its bytes are others.
    Tampered,
}

impl Store {
    /// The folder within `cache`, made with the first file. What an earlier process did not finish is
    /// removed. Blocking.
    pub(crate) fn new(cache: &Path) -> Store {
        let store = Store {
            folder: cache.join(FOLDER),
            counter: AtomicU64::new(0),
        };
        store.remove(|name| name.ends_with(UNFINISHED));
        store
    }

    /// The component with this digest, hashed now. Blocking.
    pub(crate) fn read(&self, digest: &str) -> Result<Read, Unstored> {
        let name = name(digest).ok_or(Unstored::Missing)?;
        // A link could lead to a file that never ends.
        match std::fs::symlink_metadata(self.folder.join(&name)) {
            Ok(about) if about.is_file() => {}
            Ok(_) => return Err(Unstored::Tampered),
            Err(_) => return Err(Unstored::Missing),
        }
        let read = load::read(&self.folder, &name).map_err(|_| Unstored::Missing)?;
        if read.digest == digest {
            Ok(read)
        } else {
            Err(Unstored::Tampered)
        }
    }

    /// Keeps a component whose digest was checked. Blocking.
    ///
    /// # Errors
    /// The machine's.
    pub(crate) fn write(&self, digest: &str, bytes: &[u8]) -> std::io::Result<()> {
        let name =
            name(digest).ok_or_else(|| std::io::Error::other("a digest that names no file"))?;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(format!("{name}.{count}{UNFINISHED}"));
        let written = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&unfinished, self.folder.join(name)));
        if written.is_err() {
            // What is left is not under any digest's name; the next tidying takes it.
            let _left = std::fs::remove_file(&unfinished);
        }
        written
    }

    /// Removes the components with other digests than these. Blocking.
    pub(crate) fn keep_only(&self, digests: &BTreeSet<String>) {
        let keep: BTreeSet<String> = digests.iter().filter_map(|digest| name(digest)).collect();
        self.remove(|name| !keep.contains(name) && !name.ends_with(UNFINISHED));
    }

    fn remove(&self, which: impl Fn(&str) -> bool) {
        let Ok(files) = std::fs::read_dir(&self.folder) else {
            return;
        };
        for file in files.take(MAX_FILES).flatten() {
            if file.file_name().to_str().is_some_and(&which)
                && let Err(error) = std::fs::remove_file(file.path())
            {
                tracing::debug!(%error, "a pulled plugin cannot be removed");
            }
        }
    }
}

fn name(digest: &str) -> Option<String> {
    let hex = digest.strip_prefix("sha256:")?;
    let valid = hex.len() == 64 && hex.bytes().all(|c| c.is_ascii_hexdigit());
    valid.then(|| format!("{hex}.wasm"))
}

#[cfg(test)]
mod tests {
    use sluice_core::hash::sha256_hex;

    use super::*;

    fn digest(bytes: &[u8]) -> String {
        format!("sha256:{}", sha256_hex(bytes))
    }

    #[test]
    fn what_comes_out_is_what_went_in() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        let (one, two) = (digest(b"one"), digest(b"two"));
        assert_eq!(store.read(&one).err(), Some(Unstored::Missing));
        store.write(&one, b"one").unwrap();
        store.write(&two, b"two").unwrap();
        assert_eq!(store.read(&one).unwrap().bytes, b"one");
        store.keep_only(&BTreeSet::from([two.clone()]));
        assert_eq!(store.read(&one).err(), Some(Unstored::Missing));
        assert_eq!(store.read(&two).unwrap().bytes, b"two");
        assert_eq!(
            store.read("sha256:../../etc/passwd").err(),
            Some(Unstored::Missing)
        );
    }

    /// Attack 18, for what was pulled: other bytes, a link, a folder.
    #[test]
    fn other_bytes_under_a_name_do_not_count() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        let one = digest(b"one");
        store.write(&one, b"one").unwrap();
        let file = cache.path().join(FOLDER).join(name(&one).unwrap());
        std::fs::write(&file, "0ne").unwrap();
        assert_eq!(store.read(&one).err(), Some(Unstored::Tampered));
        std::fs::remove_file(&file).unwrap();
        std::fs::write(cache.path().join("elsewhere"), "one").unwrap();
        std::os::unix::fs::symlink(cache.path().join("elsewhere"), &file).unwrap();
        assert_eq!(store.read(&one).err(), Some(Unstored::Tampered));
        // It is written anew over whatever lies there.
        store.write(&one, b"one").unwrap();
        assert_eq!(store.read(&one).unwrap().bytes, b"one");
    }
}
