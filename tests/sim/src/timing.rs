//! How long things take in the simulated cluster.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;

/// Delays of the built-in controllers and the kubelet. Ranges are drawn from the seed.
#[derive(Clone, Debug)]
pub struct Timing {
    /// From a change to the controller (Deployment, ReplicaSet, garbage collector) that acts on it.
    pub controller: RangeInclusive<Duration>,
    /// From a pod's creation to its container's start: scheduling and pulling.
    pub pod_start: RangeInclusive<Duration>,
    /// How long a pod answers after its deletion. Its endpoint goes at once.
    pub drain: Duration,
    /// From a change of a route or an Ingress to the gateway that sends by it.
    pub gateway: RangeInclusive<Duration>,
    /// Between two tries to pull an image that does not exist.
    pub pull_retry: Duration,
    /// The first wait of a crash loop; it doubles up to five minutes.
    pub crash_back_off: Duration,
    /// Between two bookmarks of a watch.
    pub bookmarks: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            controller: Duration::from_millis(1)..=Duration::from_millis(10),
            pod_start: Duration::from_millis(20)..=Duration::from_millis(80),
            gateway: Duration::from_millis(20)..=Duration::from_millis(500),
            drain: Duration::from_secs(2),
            pull_retry: Duration::from_secs(5),
            crash_back_off: Duration::from_secs(10),
            bookmarks: Duration::from_secs(60),
        }
    }
}

/// A duration between the ends of a range, in microseconds.
pub(crate) fn draw(random: &mut SmallRng, range: &RangeInclusive<Duration>) -> Duration {
    let micros = |duration: &Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let (low, high) = (micros(range.start()), micros(range.end()));
    Duration::from_micros(if low < high {
        random.random_range(low..=high)
    } else {
        low
    })
}
