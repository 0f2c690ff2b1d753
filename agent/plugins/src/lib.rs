//! Runs plugins: WebAssembly components that implement `sluice:plugin@0.1` (see `wit/`).
//!
//! A plugin is foreign code. It gets a fresh store per call, a budget of CPU, wall clock, memory and
//! requests, and of the outside only what its manifest asks for **and** the operator grants. Its
//! failure is an answer ([`sluice_core::plugin::PluginAnswer::Failed`]), never a pass, a panic or a
//! hang.
//!
//! The parts, from the outside in:
//!
//! | module | what it does |
//! |---|---|
//! | [`Host`] | answers the core's port; holds what serves now |
//! | `artifact` | components from a registry: pulled beside the reading, kept by their hash |
//! | `folder` | reads the plugins folder and swaps what changed |
//! | `load` | from a file to a program, or to an error card |
//! | `compile` | a child that compiles, under limits; what it made, in a cache that is not believed |
//! | `grant` | what a plugin may do: manifest ∩ grant |
//! | `callback` | what comes back from a chat: verified before a plugin sees it |
//! | `world` | one file per kind: what it may call, how it is asked |
//! | `call` | one call under all limits |
//! | `capability` | one file per interface that the host offers |
//! | `net` | the one way to the network |
//! | [`remote`] | the host in a process of its own, and the agent's end of it |

#![expect(
    clippy::result_large_err,
    reason = "a card is made once per failed load; boxing it would only hide its fields"
)]

mod artifact;
mod author;
mod bindings;
mod breaker;
mod cache;
mod call;
mod callback;
mod capability;
mod card;
mod code;
mod compile;
mod engine;
mod fault;
mod folder;
mod grant;
mod host;
mod limits;
mod load;
mod manifest;
mod net;
mod operator;
#[doc(hidden)]
pub mod proving;
pub mod remote;
mod secret;
mod smoke;
mod state;
mod text;
mod usage;
mod world;

pub use artifact::{
    ArtifactFault, ArtifactLayer, ArtifactRef, ArtifactSource, NoArtifacts, examine,
};
pub use author::gaps;
pub use callback::{
    CallbackBody, CallbackDesk, CallbackGrant, CallbackPerson, CallbackRefused, CallbackSignature,
    CallbackSubject, MAX_CALLBACK_BYTES, VerifiedCallback,
};
pub use capability::log::{LogLevel, LogLine, LogSink, TracingSink};
pub use card::Card;
pub use compile::{
    COMPILE_ARGUMENT, COMPILE_CPU_SECONDS, COMPILE_MEMORY_MIB, Compiler, compile_child,
};
pub use folder::{Folders, PluginFolder};
pub use host::{Host, HostOptions};
pub use limits::{LimitSettings, Limits, MAX_COMPONENT_BYTES};
pub use manifest::Manifest;
pub use net::fault::NetFault;
pub use net::resolve::{Resolve, SystemResolver};
pub use net::wire::{
    Body, Door, Exchange, SeenCertificate, SeenChain, SeenOutcome, SeenResponse, Surprise, Tape,
    Wire,
};
pub use operator::{
    CosignSigner, FILE_NAME, PluginEntry, PluginsFile, SignatureRule, Verify, VerifyMode,
};
pub use secret::{
    DirectorySecrets, MemorySecrets, SecretFault, SecretRef, SecretSource, SecretValue,
};
pub use usage::{CallUsage, UsageSink};
