//! The web door before a simulated cluster: who gets in, what is written in whose name, and what the
//! pages say.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping; clippy.toml excepts the test functions \
              themselves, not what they share"
)]

mod ask;
mod asks;
mod callbacks;
mod ci;
mod hints;
mod hostile;
mod issuer;
mod live;
mod loud;
mod machine;
mod oidc;
mod openapi;
mod pages;
mod places;
mod sample;
mod sign_in;
mod table;
mod votes;
mod ways;
mod wishes;
