//! What may be used once: signatures of hooks and ids of tokens. Bounded, and never by forgetting
//! something that could still be used.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use sluice_core::hash::sha256_hex;

/// Entries at most. Only what was proven to come from a caller of the policy gets in: a CI that
/// proposes more than this in ten minutes is a loop.
const LIMIT: usize = 4096;

/// What happened to something that may be used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// For the first time.
    First,
    /// Once more for exactly the same: somebody repeats what got no answer.
    Repeated,
    /// Once more for something else: refused.
    Misused,
    /// There is no place to remember it: refused.
    NoPlace,
}

/// What was used, until when it matters, and for what.
#[derive(Default)]
pub(crate) struct Once {
    used: Mutex<HashMap<String, (Timestamp, String)>>,
}

impl Once {
    /// Uses something for this purpose. It matters until then.
    pub(crate) fn take(&self, what: &str, purpose: &[u8], until: Timestamp, now: Timestamp) -> Use {
        let (key, purpose) = (sha256_hex(what.as_bytes()), sha256_hex(purpose));
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, before)) = used.get(&key) {
            return if *before == purpose {
                Use::Repeated
            } else {
                Use::Misused
            };
        }
        if used.len() >= LIMIT {
            used.retain(|_, (until, _)| *until > now);
        }
        if used.len() >= LIMIT {
            return Use::NoPlace;
        }
        used.insert(key, (until, purpose));
        Use::First
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn the_same_again_is_a_repetition_and_anything_else_misuse() {
        let once = Once::default();
        assert_eq!(once.take("a", b"x", at(10), at(0)), Use::First);
        assert_eq!(once.take("a", b"x", at(10), at(1)), Use::Repeated);
        assert_eq!(once.take("a", b"y", at(10), at(1)), Use::Misused);
        assert_eq!(once.take("b", b"y", at(10), at(1)), Use::First);
    }

    #[test]
    fn what_still_matters_is_never_forgotten() {
        let once = Once::default();
        for n in 0..LIMIT {
            let until = at(if n == 0 { 100 } else { 10 });
            assert_eq!(once.take(&n.to_string(), b"", until, at(0)), Use::First);
        }
        assert_eq!(once.take("more", b"", at(10), at(9)), Use::NoPlace);
        assert_eq!(once.take("more", b"", at(20), at(11)), Use::First);
        assert_eq!(once.take("0", b"z", at(100), at(11)), Use::Misused);
        assert_eq!(once.used.lock().unwrap().len(), 2);
    }
}
