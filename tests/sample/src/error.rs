//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the sample, its client or its image failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An environment variable or argument that is not understood.
    #[error("{name} is {value:?}: {why}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What it is.
        value: String,
        /// What is expected.
        why: String,
    },
    /// An address on which nothing can be served.
    #[error("cannot listen on {address}: {source}; is the port free?")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A signal that cannot be waited for.
    #[error("cannot wait for signals: {0}; the kernel refused a handler")]
    Signal(io::Error),
    /// What this version is there for.
    #[error("this version ends by itself after some time, as it was told to")]
    Crashed,
    /// A Job's message that could not be written.
    #[error("cannot write {}: {source}; is it a container's termination log?", path.display())]
    Message {
        /// Where to.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Where the client may not go.
    #[error(
        "{url} is not asked: {why}; load goes to http addresses on loopback or in a private network"
    )]
    Target {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The image was not written.
    #[error(transparent)]
    Image(#[from] sluice_image::Error),
}
