//! The simulator's clock: tokio's, so that a paused runtime makes it virtual.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Wall time as base plus the time that tokio's clock has counted since. Under
/// `tokio::time::pause` it stands still until all tasks wait, then jumps to the next timer.
#[derive(Clone, Copy, Debug)]
pub struct SimClock {
    base: Timestamp,
    started: Instant,
}

impl SimClock {
    /// A clock that shows `base` now.
    pub fn starting_at(base: Timestamp) -> Self {
        Self {
            base,
            started: Instant::now(),
        }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// The timestamp of an instant of tokio's clock.
    pub fn at(&self, instant: Instant) -> Timestamp {
        let passed = instant.saturating_duration_since(self.started);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        self.base.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.started)
    }
}

/// A time as the API server writes it: UTC, whole seconds.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
