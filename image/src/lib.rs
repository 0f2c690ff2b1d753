//! Container images without a container engine.
//!
//! [`write`] makes an OCI archive (an OCI image layout in a tar) of one program: its shared
//! libraries and loader, certificate authorities, a user that is not root, and whatever files belong
//! to it. The same inputs give the same digest, wherever and whenever it is written: files are of
//! 1970, owners are root, the order is by name. [`push`] puts it into a registry,
//! `ctr image import` or `skopeo copy oci-archive:…` read it as it is.
//!
//! Libraries come from the machine that builds, so the image has its glibc: musl is tier 3 of the
//! plugins' runtime.

mod archive;
mod base;
mod digest;
mod documents;
mod elf;
mod error;
mod layer;
mod push;
mod spec;

pub use archive::{digest_of, unpack, write};
pub use digest::Digest;
pub use error::{Error, Result};
pub use push::push;
pub use spec::{ImageFile, ImageSpec};
