//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an image was not written, read or pushed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the building machine.
    #[error("cannot {what} {}: {source}; does it exist, and may this user do that?", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program is none for Linux, or for a machine that no image is made for.
    #[error("{} is no program for an image: {why}", path.display())]
    Program {
        /// Which.
        path: PathBuf,
        /// What was found instead.
        why: String,
    },
    /// `ldd` did not tell the program's libraries.
    #[error("the shared libraries of {} are not known: {why}", path.display())]
    Libraries {
        /// Of which program.
        path: PathBuf,
        /// What `ldd` said, and what to do.
        why: String,
    },
    /// No certificate authorities where they were looked for.
    #[error(
        "there are no certificate authorities at {}; install Debian's ca-certificates, or name a \
         bundle with --certificates",
        path.display()
    )]
    Certificates {
        /// Where.
        path: PathBuf,
    },
    /// A value that does not fit into an image.
    #[error("{what} {value:?}: {why}")]
    Value {
        /// Such as `image name`.
        what: &'static str,
        /// What was given.
        value: String,
        /// What is expected.
        why: &'static str,
    },
    /// The file is no archive that [`crate::write`] made.
    #[error("{} is not an OCI archive: {why}; write it anew", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// What is wrong in it.
        why: String,
    },
    /// The registry did not take it.
    #[error("cannot push to {reference}: {why}; does the registry run, and may this user push?")]
    Push {
        /// Where to.
        reference: String,
        /// What the registry said.
        why: String,
    },
}

impl Error {
    /// For `map_err` at a read.
    pub(crate) fn reading(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            what: "read",
            path,
            source,
        }
    }

    /// For `map_err` at a write.
    pub(crate) fn writing(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            what: "write",
            path,
            source,
        }
    }
}
