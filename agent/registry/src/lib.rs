//! Reads tags, digests, annotations, signatures and plugins from OCI registries; puts plugins there.
//!
//! [`OciRegistry`] implements [`sluice_core::port::Registry`]. Names, manifests and error envelopes
//! are `oci-client`'s; the wire is our own, because that client's tag list drops the `Link` and
//! `Retry-After` headers, reads bodies without a limit, and sends credentials to whatever realm a
//! challenge names (reliability.md H6, attack 26).
//!
//! The rules, each with its module:
//! - a tag list is whole or an error (`tags`, reliability.md R7);
//! - a digest counts only once the manifest's own bytes have that hash (`resolve`, S1, attack 2);
//! - the facts of an image are read by digest, and hashed (`content`, `describe`);
//! - a signature counts only if every step of its proof was made (`verify`, `sigstore`, S3 to S6);
//! - a plugin is one uncompressed component, of no more bytes than declared (`artifact`, attack 17);
//! - credentials go to the registry and to an allowed token realm, nowhere else (`realm`);
//! - names do not lead into the cluster's own network unless the host is configured (`address`, H5);
//! - a host that asks for a pause gets it (`host`); times between polls have jitter ([`poll`]).

mod address;
mod artifact;
mod auth;
mod challenge;
mod client;
mod config;
mod content;
mod credentials;
mod describe;
mod digest;
mod fault;
mod host;
mod link;
mod part;
pub mod poll;
mod realm;
mod recent;
mod repository;
mod resolve;
mod retry_after;
mod session;
mod signature;
mod sigstore;
mod tags;
mod transport;
mod verify;

pub use artifact::{ArtifactFault, NewWasm, PushProgress, SigningKey, SigningKeyError, WasmLayer};
pub use client::{Limits, OciRegistry};
pub use config::{ConfigError, HostConfig, RegistryConfig, Secret, TrustConfig};
pub use signature::{Refused, Signature, SignedImage, Verifier};
