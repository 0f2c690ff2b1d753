//! The host against real components: hostile ones, broken ones, and the plugins of this repository.
//!
//! Needs `make plugins`: the components are built from source and never committed.

mod attacks;
mod bytecode;
mod first_party;
mod folder;
mod network;
mod server;
mod support;
