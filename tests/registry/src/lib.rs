//! A small OCI registry that lives in the test process, for the demo and for tests.
//!
//! It speaks the OCI distribution protocol on a loopback port: manifests, blobs, uploads, paged tag
//! lists, basic and bearer authentication. Tests make it misbehave through [`Behaviour`]; everything
//! it was asked stands in [`Registry::requests`]. Signatures for it are made in [`signing`].
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let registry = sluice_registry_sim::Registry::start().await?;
//! let digest = registry.push("shop/storefront", "v1.0.0", "the first release");
//! println!("{} {digest}", registry.repository("shop/storefront"));
//! # Ok(()) }
//! ```

mod attach;
mod auth;
mod behaviour;
mod image;
mod journal;
mod registry;
mod route;
mod serve;
pub mod signing;
mod store;

pub use behaviour::{Auth, Behaviour, Fault};
pub use journal::{Credential, Entry};
pub use registry::Registry;
pub use store::UnknownImage;
