//! Errors of the scenarios, which are sentences.

/// A sentence as an error.
pub(crate) fn told(sentence: String) -> anyhow::Error {
    anyhow::Error::msg(sentence)
}
