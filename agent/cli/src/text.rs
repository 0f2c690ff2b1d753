//! Values in, sentences out. Nothing here talks to anybody, so every text is a golden test.

pub(crate) mod explain;
pub(crate) mod lists;
pub(crate) mod picture;
pub(crate) mod pipeline;
pub(crate) mod policy;
pub(crate) mod progress;
pub(crate) mod rollout;
pub(crate) mod table;
pub(crate) mod vote;
pub(crate) mod way;
pub(crate) mod when;

#[cfg(test)]
mod tests;
