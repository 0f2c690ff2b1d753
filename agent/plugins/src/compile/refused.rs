//! What could not be compiled, so that a bad component does not cost a minute of CPU at every poll.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;

/// Components that are remembered. More bad ones than plugins are served at once is no real folder.
const MAX_REMEMBERED: usize = 128;
/// First pause after a failure that may pass.
const PAUSE: Duration = Duration::from_secs(300);
/// Longest pause: one minute of CPU a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Failures by digest.
#[derive(Default)]
pub(crate) struct Refused {
    by_digest: BTreeMap<String, Remembered>,
}

struct Remembered {
    failure: Failure,
    at: Instant,
    /// How often it failed.
    times: u32,
}

impl Remembered {
    /// `None`: this never changes.
    fn pause(&self) -> Option<Duration> {
        let doubled = PAUSE.saturating_mul(1 << self.times.saturating_sub(1).min(16));
        self.failure.may_pass().then(|| doubled.min(LONGEST))
    }
}

impl Refused {
    /// The failure that still holds for this digest.
    pub(crate) fn holds(&self, digest: &str, now: Instant) -> Option<Failure> {
        let known = self.by_digest.get(digest)?;
        let rests = known
            .pause()
            .is_none_or(|pause| now.saturating_duration_since(known.at) < pause);
        rests.then(|| known.failure.clone())
    }

    /// Remembers a failure. A full queue says nothing about the component.
    pub(crate) fn remember(&mut self, digest: &str, failure: &Failure, now: Instant) {
        if *failure == Failure::Busy {
            return;
        }
        let times = self.by_digest.get(digest).map_or(0, |known| known.times);
        if !self.by_digest.contains_key(digest) && self.by_digest.len() >= MAX_REMEMBERED {
            let oldest = self
                .by_digest
                .iter()
                .min_by_key(|(_, known)| known.at)
                .map(|(digest, _)| digest.clone());
            if let Some(oldest) = oldest {
                self.by_digest.remove(&oldest);
            }
        }
        let remembered = Remembered {
            failure: failure.clone(),
            at: now,
            times: times.saturating_add(1),
        };
        self.by_digest.insert(digest.to_owned(), remembered);
    }

    /// It was compiled after all.
    pub(crate) fn forget(&mut self, digest: &str) {
        self.by_digest.remove(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_compiler_refuses_is_not_compiled_again() {
        let (mut refused, now) = (Refused::default(), Instant::now());
        assert_eq!(refused.holds("a", now), None);
        refused.remember("a", &Failure::Refused, now);
        let years = now + Duration::from_secs(100_000_000);
        assert_eq!(refused.holds("a", years), Some(Failure::Refused));
        assert_eq!(refused.holds("b", now), None);
        refused.forget("a");
        assert_eq!(refused.holds("a", now), None);
    }

    #[test]
    fn a_kill_is_tried_again_after_pauses_that_grow() {
        let (mut refused, mut now) = (Refused::default(), Instant::now());
        for pause in [300, 600, 1200, 2400] {
            refused.remember("a", &Failure::Cpu, now);
            let almost = now + Duration::from_secs(pause - 1);
            assert_eq!(refused.holds("a", almost), Some(Failure::Cpu), "{pause}");
            now += Duration::from_secs(pause);
            assert_eq!(refused.holds("a", now), None, "{pause}");
        }
        for _ in 0..40 {
            refused.remember("a", &Failure::Cpu, now);
        }
        assert_eq!(refused.holds("a", now + LONGEST), None);
    }

    #[test]
    fn it_forgets_the_oldest() {
        let (mut refused, now) = (Refused::default(), Instant::now());
        for index in 0..=MAX_REMEMBERED {
            let at = now + Duration::from_millis(index as u64);
            refused.remember(&index.to_string(), &Failure::Refused, at);
        }
        assert_eq!(refused.holds("0", now), None);
        assert_eq!(refused.holds("1", now), Some(Failure::Refused));
        refused.remember("busy", &Failure::Busy, now);
        assert_eq!(refused.holds("busy", now), None);
    }
}
