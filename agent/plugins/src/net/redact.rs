//! Takes known secret values out of whatever a server or a guest says.
//!
//! Only exact echoes can be found. A server that answers with the secret reversed, encrypted or in
//! base64 is beyond this: such a server was given the secret by the operator's own grant.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::secret::SecretValue;

/// The secrets that one call may have sent somewhere. Clones are the same: what one request of a call
/// learned is hidden in all that the call says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor {
    /// Longest first: where one value contains another, the longer one must go whole.
    values: Arc<RwLock<Vec<(String, SecretValue)>>>,
}

impl Redactor {
    /// From now on this value is hidden.
    pub(crate) fn learn(&self, name: &str, value: SecretValue) {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        if values.iter().any(|(_, known)| *known == value) {
            return;
        }
        values.push((name.to_owned(), value));
        values.sort_by_key(|(_, value)| std::cmp::Reverse(value.expose().len()));
    }

    fn known(&self) -> RwLockReadGuard<'_, Vec<(String, SecretValue)>> {
        self.values.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Length of the longest known value, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.known()
            .first()
            .map_or(0, |(_, value)| value.expose().len())
    }

    /// Whether a known value stands in `text`, in small or capital letters.
    pub(crate) fn stands_in(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.known()
            .iter()
            .any(|(_, value)| text.contains(&value.expose().to_ascii_lowercase()))
    }

    /// `text` without known values.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for (name, value) in self.known().iter() {
            if out.contains(value.expose()) {
                out = out.replace(value.expose(), &format!("[redacted:{name}]"));
            }
        }
        out
    }

    /// `bytes` without known values.
    pub(crate) fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut out = bytes;
        for (name, value) in self.known().iter() {
            out = replace(
                out,
                value.expose().as_bytes(),
                format!("[redacted:{name}]").as_bytes(),
            );
        }
        out
    }
}

fn replace(bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut found = bytes
        .windows(from.len().max(1))
        .position(|window| window == from);
    if found.is_none() || from.is_empty() {
        return bytes;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some(at) = found {
        let (before, tail) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(to);
        rest = tail.get(from.len()..).unwrap_or_default();
        found = rest.windows(from.len()).position(|window| window == from);
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_echo_goes() {
        let redactor = Redactor::default();
        redactor.learn("token", SecretValue::new("s3cr3t").unwrap());
        assert_eq!(
            redactor.text("a s3cr3t, s3cr3t"),
            "a [redacted:token], [redacted:token]"
        );
        assert_eq!(
            redactor.bytes(b"\xffs3cr3ts3cr3".to_vec()),
            b"\xff[redacted:token]s3cr3"
        );
        assert_eq!(redactor.longest(), 6);
    }

    #[test]
    fn a_value_within_another_leaves_no_rest() {
        let redactor = Redactor::default();
        redactor.learn("a", SecretValue::new("s3cr3t").unwrap());
        redactor.learn("b", SecretValue::new("s3cr3t-and-more").unwrap());
        assert_eq!(
            redactor.text("s3cr3t-and-more s3cr3t"),
            "[redacted:b] [redacted:a]"
        );
    }

    proptest! {
        #[test]
        fn no_value_survives(before in any::<Vec<u8>>(), after in any::<Vec<u8>>()) {
            let redactor = Redactor::default();
            redactor.learn("token", SecretValue::new("s3cr3t").unwrap());
            let bytes = [before.as_slice(), b"s3cr3t", after.as_slice()].concat();
            let out = redactor.bytes(bytes);
            prop_assert!(!out.windows(6).any(|window| window == b"s3cr3t"));
        }
    }
}
