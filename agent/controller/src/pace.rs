//! How fast the agent may ask the API server for ordinary work. A bucket of tokens, one per call;
//! what cannot wait goes past it: a rollback is never slowed by a crowd of rollouts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Calls of one look at a Rollout: the Rollout, its target, canary, Pipeline and autoscalers, and one
/// write.
pub(crate) const CALLS_OF_A_LOOK: u32 = 6;
/// How many seconds' worth of calls may be saved up for a burst.
const BURST_SECONDS: u32 = 2;

struct Bucket {
    tokens: f64,
    at: Instant,
}

/// The bucket.
pub(crate) struct Pace {
    per_second: u32,
    bucket: Mutex<Bucket>,
}

impl Pace {
    /// `per_second` calls of ordinary work; 0: no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            bucket: Mutex::new(Bucket {
                tokens: f64::from(per_second) * f64::from(BURST_SECONDS),
                at: Instant::now(),
            }),
        }
    }

    /// Waits until there is room for so many calls.
    pub(crate) async fn take(&self, calls: u32) {
        let wait = self.book(calls);
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    /// Takes the tokens, on credit if need be; who takes on credit waits until they are there.
    fn book(&self, calls: u32) -> Duration {
        if self.per_second == 0 {
            return Duration::ZERO;
        }
        let rate = f64::from(self.per_second);
        let now = Instant::now();
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.duration_since(bucket.at).as_secs_f64() * rate;
        let most = rate * f64::from(BURST_SECONDS);
        bucket.tokens = (bucket.tokens + gained).min(most) - f64::from(calls);
        bucket.at = now;
        Duration::from_secs_f64((-bucket.tokens).max(0.0) / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_through_and_a_crowd_is_spread_out() {
        let pace = Pace::new(10);
        let start = Instant::now();
        pace.take(20).await;
        assert!(start.elapsed().is_zero(), "two seconds' worth at once");
        for _ in 0..10 {
            pace.take(5).await;
        }
        let spent = start.elapsed().as_secs_f64();
        assert!(
            (4.9..5.1).contains(&spent),
            "50 calls at 10 a second: {spent}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        let pace = Pace::new(0);
        let start = Instant::now();
        pace.take(1_000_000).await;
        assert!(start.elapsed().is_zero());
    }
}
