//! What the calls of one plugin share, and what its last ones tell about the next.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::threads::Lane;

/// Calls of one plugin that run at once.
const SLOTS: usize = 2;
/// Light calls in a row after which a plugin that computed a lot counts as quick again.
const PENANCE: u8 = 8;
/// Lines of the log that a plugin may write at once, over all its calls, and each second after that.
/// A busy plugin says a few lines a call; one that floods is cut to what a person could still read.
const LOG_LINES: f64 = 1000.0;
const LOG_LINES_A_SECOND: f64 = 20.0;
/// The same in bytes.
const LOG_BYTES: f64 = 256.0 * 1024.0;
const LOG_BYTES_A_SECOND: f64 = 16.0 * 1024.0;

/// Shared by all calls of one plugin. Clones are the same.
#[derive(Clone)]
pub(crate) struct Standing {
    /// Leave to run.
    pub(crate) slots: Arc<Semaphore>,
    heavy: Arc<AtomicU8>,
    log: Arc<Mutex<LogBucket>>,
}

impl Default for Standing {
    fn default() -> Self {
        Standing {
            slots: Arc::new(Semaphore::new(SLOTS)),
            heavy: Arc::default(),
            log: Arc::new(Mutex::new(LogBucket::full(Instant::now()))),
        }
    }
}

impl Standing {
    /// Where the next call runs.
    pub(crate) fn lane(&self) -> Lane {
        match self.heavy.load(Ordering::Relaxed) {
            0 => Lane::Quick,
            _ => Lane::Slow,
        }
    }

    /// Remembers whether a call computed for long. A lost update costs nothing but one call in the
    /// other lane.
    pub(crate) fn remember(&self, heavy: bool) {
        let rest = match heavy {
            true => PENANCE,
            false => self.heavy.load(Ordering::Relaxed).saturating_sub(1),
        };
        self.heavy.store(rest, Ordering::Relaxed);
    }

    /// Takes one line of so many bytes from what the plugin may still log.
    pub(crate) fn may_log(&self, bytes: usize) -> bool {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(bytes, Instant::now())
    }
}

/// A token bucket of lines and bytes.
#[derive(Debug)]
struct LogBucket {
    lines: f64,
    bytes: f64,
    seen: Instant,
}

impl LogBucket {
    fn full(now: Instant) -> LogBucket {
        LogBucket {
            lines: LOG_LINES,
            bytes: LOG_BYTES,
            seen: now,
        }
    }

    fn take(&mut self, bytes: usize, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.seen);
        self.seen = now;
        let grown = |had: f64, each: f64, most: f64| refilled(had, each, most, passed);
        self.lines = grown(self.lines, LOG_LINES_A_SECOND, LOG_LINES);
        self.bytes = grown(self.bytes, LOG_BYTES_A_SECOND, LOG_BYTES);
        let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        if self.lines < 1.0 || self.bytes < bytes {
            return false;
        }
        self.lines -= 1.0;
        self.bytes -= bytes;
        true
    }
}

fn refilled(had: f64, a_second: f64, most: f64, passed: Duration) -> f64 {
    (had + a_second * passed.as_secs_f64()).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_computes_a_lot_goes_last_until_it_has_behaved_for_a_while() {
        let standing = Standing::default();
        standing.remember(false);
        assert_eq!(standing.lane(), Lane::Quick);
        standing.remember(true);
        for _ in 0..PENANCE {
            assert_eq!(standing.lane(), Lane::Slow);
            standing.clone().remember(false);
        }
        assert_eq!(standing.lane(), Lane::Quick);
    }

    #[test]
    fn a_flood_of_lines_is_cut_to_a_trickle() {
        let begun = Instant::now();
        let mut bucket = LogBucket::full(begun);
        let taken = |bucket: &mut LogBucket, bytes, at| {
            (0..5000).filter(|_| bucket.take(bytes, at)).count()
        };
        assert_eq!(taken(&mut bucket, 10, begun), 1000);
        let later = begun + Duration::from_secs(3);
        assert_eq!(taken(&mut bucket, 10, later), 60);
        // After long silence it is full again, and bytes count too.
        let long_after = later + Duration::from_secs(3600);
        assert_eq!(taken(&mut bucket, 4096, long_after), 64);
    }
}
