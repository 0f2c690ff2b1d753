//! What a policy means, written a second time (reliability.md P7, P9, P11).
//!
//! [`meaning`] answers for a policy and the facts of a candidate: may it come, which rules say no, is
//! the gate open, when does it open. It is written from docs/policy.md and not from the product's code, reads
//! the policy as plain JSON, takes the slow and obvious way, and shares no code with the product.
//! The rest makes up policies and histories, plays them through the product's own functions, and
//! compares.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test program: it fails by panicking"
)]

pub mod around;
pub mod civil;
pub mod maker;
pub mod matrix;
pub mod meaning;
pub mod play;
pub mod rng;
pub mod run;
pub mod tally;
