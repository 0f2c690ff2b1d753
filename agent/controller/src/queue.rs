//! What has to be looked at, and when. One entry per object, however many events it has: the queue is
//! bounded by the number of objects, and an object is never worked on twice at a time.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// An object that has to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The wishes that are about everything.
    Everything,
    /// A Pipeline.
    Pipeline {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A Rollout.
    Rollout {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A Deployment that some Rollout created.
    Canary {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Which Rollout.
        rollout_uid: String,
    },
}

#[derive(Default)]
struct Entries {
    due: HashMap<Key, Instant>,
    running: HashSet<Key>,
}

/// A set of keys with due times.
#[derive(Default)]
pub(crate) struct Queue {
    entries: Mutex<Entries>,
    changed: Notify,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        // A panic while holding the lock cannot leave the two sets torn: each change is one call.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at `key` now.
    pub(crate) fn now(&self, key: Key) {
        self.after(key, Duration::ZERO);
    }

    /// Looks at `key` after `wait`, or earlier if that is already planned.
    pub(crate) fn after(&self, key: Key, wait: Duration) {
        let at = Instant::now() + wait;
        let mut entries = self.lock();
        let due = entries.due.entry(key).or_insert(at);
        *due = (*due).min(at);
        drop(entries);
        self.changed.notify_one();
    }

    /// The next key that is due and not being worked on; it counts as running until [`Self::done`].
    pub(crate) async fn next(&self) -> Key {
        loop {
            let changed = self.changed.notified();
            let wait = {
                let mut entries = self.lock();
                let earliest = entries
                    .due
                    .iter()
                    .filter(|(k, _)| !entries.running.contains(*k))
                    .min_by(|a, b| a.1.cmp(b.1).then_with(|| a.0.cmp(b.0)))
                    .map(|(k, at)| (k.clone(), *at));
                match earliest {
                    Some((key, at)) if at <= Instant::now() => {
                        entries.due.remove(&key);
                        entries.running.insert(key.clone());
                        return key;
                    }
                    Some((_, at)) => Some(at),
                    None => None,
                }
            };
            match wait {
                Some(at) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(at) => {}
                },
                None => changed.await,
            }
        }
    }

    /// Work on `key` is over.
    pub(crate) fn done(&self, key: &Key) {
        self.lock().running.remove(key);
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::Rollout {
            namespace: "n".into(),
            name: name.into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_comes_first_and_many_events_are_one() {
        let queue = Queue::default();
        queue.after(key("late"), Duration::from_secs(9));
        queue.after(key("soon"), Duration::from_secs(3));
        queue.after(key("soon"), Duration::from_secs(5));
        let start = Instant::now();
        assert_eq!(queue.next().await, key("soon"));
        assert_eq!(start.elapsed().as_secs(), 3);
        queue.done(&key("soon"));
        assert_eq!(queue.next().await, key("late"));
        assert_eq!(start.elapsed().as_secs(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_never_worked_on_twice_at_a_time() {
        let queue = Queue::default();
        queue.now(key("a"));
        assert_eq!(queue.next().await, key("a"));
        queue.now(key("a"));
        let second = tokio::time::timeout(Duration::from_secs(60), queue.next()).await;
        assert!(second.is_err(), "handed out while running");
        queue.done(&key("a"));
        assert_eq!(queue.next().await, key("a"));
    }
}
