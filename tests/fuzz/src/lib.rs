//! Fuzzing on the stable toolchain: valid inputs are mutated, again and again, and thrown at whatever
//! reads foreign text. Nothing may panic, take long, or disagree with a second writing of the rules.
//!
//! An input that fails is kept in `corpus/` and replayed first from then on. `make test` fuzzes for a
//! minute with a fixed seed, `make soak` for ten minutes a target.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test program: it fails by panicking"
)]

mod corpus;
mod mutate;
mod reader;
mod reference;
mod rng;
mod run;

pub use corpus::Corpus;
pub use reader::{Target, all};
pub use run::{Fuzzed, fuzz};
