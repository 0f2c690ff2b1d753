//! Compiled code that this process made, kept on disk so that it need not stay in memory (plugins.md
//! section 4).
//!
//! Such a file is machine code: whoever can put one there owns the agent. So none is believed: each
//! is sealed with a key that lives in this process alone (`seal`), is read once and whole, and only
//! then looked at. A restart has another key, and compiles again.
//!
//! The folder is opened once. Everything after that names files within it and follows no link.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::code::Code;

mod seal;

use seal::Broken;

/// The folder within that of the options: the agent makes it, so that nobody else may write there,
/// whatever the volume is like.
const FOLDER: &str = "compiled";
/// End of the names of files in use, and of those that are still being written.
const ENDING: &str = ".cwasm";
const UNFINISHED: &str = ".cwasm-new";
/// All files together. A dozen interpreters, or a thousand small plugins.
const MAX_TOTAL_BYTES: u64 = 512 << 20;
/// Files that are looked at when the folder is tidied.
const MAX_FILES: usize = 10_000;

/// Why nothing comes out of the cache.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// It is not there.
    Absent,
    /// It is there, and not as this process wrote it. The words say how.
    Tampered(&'static str),
    /// It cannot be read now.
    Machine(std::io::ErrorKind),
}

/// A folder of sealed code.
pub(crate) struct Cache {
    folder: OwnedFd,
    limit: u64,
    counter: AtomicU64,
}

impl Cache {
    /// Opens the cache within `parent`, which is made if it is not there, and removes what earlier
    /// processes left: without their key it is of no use.
    ///
    /// # Errors
    /// In words: the folder cannot be made, or others may write to it.
    pub(crate) fn open(parent: &Path) -> Result<Cache, String> {
        Cache::limited(parent, MAX_TOTAL_BYTES)
    }

    fn limited(parent: &Path, limit: u64) -> Result<Cache, String> {
        let said = |what: &'static str| {
            let shown = parent.join(FOLDER).display().to_string();
            move |error: Errno| format!("{shown} {what}: {}", error.kind())
        };
        std::fs::create_dir_all(parent)
            .map_err(|error| format!("{} cannot be made: {}", parent.display(), error.kind()))?;
        let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent_folder = rustix::fs::openat(CWD, parent, folder, Mode::empty())
            .map_err(said("cannot be reached"))?;
        match rustix::fs::mkdirat(&parent_folder, FOLDER, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(said("cannot be made")(error)),
        }
        let nofollow = folder | OFlags::NOFOLLOW;
        let folder = rustix::fs::openat(&parent_folder, FOLDER, nofollow, Mode::empty())
            .map_err(said("is not a folder of its own"))?;
        let about = rustix::fs::fstat(&folder).map_err(said("cannot be looked at"))?;
        let own = about.st_uid == rustix::process::geteuid().as_raw();
        if !own || about.st_mode & 0o077 != 0 {
            return Err(format!(
                "{} can be changed by others (owner {}, mode {:o}); remove it, the agent makes it anew",
                parent.join(FOLDER).display(),
                about.st_uid,
                about.st_mode & 0o7777
            ));
        }
        let cache = Cache {
            folder,
            limit,
            counter: AtomicU64::new(0),
        };
        for (name, _, _) in cache.files() {
            if !seal::is_own_name(&name.to_string_lossy()) {
                cache.remove(&name);
            }
        }
        Ok(cache)
    }

    /// The code that was kept under this name, as it was kept.
    ///
    /// # Errors
    /// It is not there, or somebody else wrote it; then it is removed.
    pub(crate) fn get(&self, name: &str) -> Result<Code, Miss> {
        let file = seal::file_name(name) + ENDING;
        let found = self.read(name, &file);
        if matches!(found, Err(Miss::Tampered(_)))
            && let Ok(file) = CString::new(file)
        {
            self.remove(&file);
        }
        found
    }

    /// One read: what is verified is what is used, whatever becomes of the file.
    fn read(&self, name: &str, file: &str) -> Result<Code, Miss> {
        // NONBLOCK: a pipe in its place must not hold the agent up.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = match rustix::fs::openat(&self.folder, file, flags, Mode::empty()) {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return Err(Miss::Absent),
            Err(Errno::LOOP) => return Err(Miss::Tampered("it is a link")),
            Err(error) => return Err(Miss::Machine(error.kind())),
        };
        let about = rustix::fs::fstat(&opened).map_err(|error| Miss::Machine(error.kind()))?;
        if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
            return Err(Miss::Tampered("it is no file"));
        }
        let size = u64::try_from(about.st_size).unwrap_or(u64::MAX);
        seal::open(name, &mut File::from(opened), size).map_err(|broken| match broken {
            Broken::Seal => Miss::Tampered("its seal is broken"),
            Broken::Machine(kind) => Miss::Machine(kind),
        })
    }

    /// Keeps code under this name: written aside, synced, renamed, so that a reader sees all of it or
    /// nothing. The oldest make room.
    ///
    /// # Errors
    /// In words. The code is good all the same.
    pub(crate) fn put(&self, name: &str, code: &Code) -> Result<(), String> {
        let size = seal::sealed_size(code.size());
        if size > self.limit {
            return Err("the code is larger than the whole cache may be".to_owned());
        }
        self.make_room(size);
        let counted = self.counter.fetch_add(1, Ordering::Relaxed);
        let file = seal::file_name(name);
        let aside = format!("{file}.{}.{counted}{UNFINISHED}", std::process::id());
        let written = self
            .write(&aside, name, code)
            .map_err(|error| format!("it cannot be written: {}", error.kind()))
            .and_then(|()| {
                rustix::fs::renameat(&self.folder, &aside, &self.folder, file + ENDING)
                    .and_then(|()| rustix::fs::fsync(&self.folder))
                    .map_err(|error| format!("it cannot be put in place: {}", error.kind()))
            });
        if written.is_err()
            && let Ok(aside) = CString::new(aside)
        {
            self.remove(&aside);
        }
        written
    }

    fn write(&self, aside: &str, name: &str, code: &Code) -> std::io::Result<()> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = rustix::fs::openat(&self.folder, aside, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(opened);
        seal::seal(name, code, &mut file)?;
        file.sync_all()
    }

    /// Removes the oldest until `size` more bytes fit.
    fn make_room(&self, size: u64) {
        let mut files = self.files();
        files.sort_by_key(|(_, _, at)| *at);
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (name, freed, _) in files {
            if total.saturating_add(size) <= self.limit {
                return;
            }
            self.remove(&name);
            total = total.saturating_sub(freed);
        }
    }

    /// Our files, with size and time of the last change.
    fn files(&self) -> Vec<(CString, u64, (i64, u64))> {
        let Ok(listing) = Dir::read_from(&self.folder) else {
            return Vec::new();
        };
        let ours = |name: &CStr| {
            let name = name.to_bytes();
            name.ends_with(ENDING.as_bytes()) || name.ends_with(UNFINISHED.as_bytes())
        };
        listing
            .filter_map(Result::ok)
            .filter(|entry| ours(entry.file_name()))
            .take(MAX_FILES)
            .filter_map(|entry| {
                let name = entry.file_name().to_owned();
                let about =
                    rustix::fs::statat(&self.folder, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
                let size = u64::try_from(about.st_size).unwrap_or(0);
                Some((name, size, (about.st_mtime, about.st_mtime_nsec)))
            })
            .collect()
    }

    /// Removes the name, not what a link under it points to. Who cannot leaves it; it is not believed.
    fn remove(&self, name: &CStr) {
        let name = OsStr::from_bytes(name.to_bytes());
        let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
    }
}

#[cfg(test)]
mod tests;
