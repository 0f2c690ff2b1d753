//! Work that the built-in controllers have before them, in the order of its time.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::api::store::Key;
use crate::model::Model;
use crate::timing;

/// One thing to look at. All work is level-based: it reads the present state and acts on that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Deployment(Key),
    ReplicaSet(Key),
    StatefulSet(Key),
    DaemonSet(Key),
    Job(Key),
    Route(Key),
    /// The Ingresses of a namespace.
    Ingresses(String),
    Pod(Key),
    /// An owner that went or is going: its dependents.
    Owner(String),
    /// An object with owners: whether any is left.
    Dependent(Key),
    /// A namespace that is being emptied.
    Namespace(String),
}

/// The queue. The same work waits once only, at its earliest time.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    order: BTreeMap<(Instant, u64), Work>,
    due: BTreeMap<Work, (Instant, u64)>,
    seq: u64,
}

impl Queue {
    fn add(&mut self, work: Work, at: Instant) {
        if let Some(slot) = self.due.get(&work) {
            if slot.0 <= at {
                return;
            }
            self.order.remove(slot);
        }
        self.seq += 1;
        self.due.insert(work.clone(), (at, self.seq));
        self.order.insert((at, self.seq), work);
    }

    fn pop(&mut self, now: Instant) -> Option<Work> {
        let entry = self.order.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let work = entry.remove();
        self.due.remove(&work);
        Some(work)
    }

    fn next(&self) -> Option<Instant> {
        self.order.first_key_value().map(|((at, _), _)| *at)
    }
}

/// Work that one pass does before it lets others have the lock.
const PASS: usize = 1000;

impl Model {
    /// Queues work for the next pass.
    pub(crate) fn queue_now(&mut self, work: Work) {
        self.queue.add(work, Instant::now());
    }

    /// Queues work after the delay that a controller needs to notice.
    pub(crate) fn queue_soon(&mut self, work: Work) {
        let lag = timing::draw(&mut self.random, &self.timing.controller);
        self.queue.add(work, Instant::now() + lag);
    }

    /// Queues work for an instant.
    pub(crate) fn queue_at(&mut self, work: Work, at: Instant) {
        self.queue.add(work, at);
    }

    /// Does the work that is due and says when the next will be.
    pub(crate) fn run_due(&mut self) -> Option<Instant> {
        for _ in 0..PASS {
            let Some(work) = self.queue.pop(Instant::now()) else {
                break;
            };
            match work {
                Work::Deployment(key) => self.sync_deployment(&key),
                Work::ReplicaSet(key) => self.sync_replica_set(&key),
                Work::StatefulSet(key) => self.sync_stateful_set(&key),
                Work::DaemonSet(key) => self.sync_daemon_set(&key),
                Work::Job(key) => self.sync_job(&key),
                Work::Route(key) => self.sync_route(&key),
                Work::Ingresses(namespace) => self.serve_ingresses(&namespace),
                Work::Pod(key) => self.tick_pod(&key),
                Work::Owner(uid) => self.collect_dependents(&uid),
                Work::Dependent(key) => self.collect_if_orphaned(&key),
                Work::Namespace(name) => self.empty_namespace(&name),
            }
        }
        self.queue.next()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Queue, Work};

    #[test]
    fn work_waits_once_at_its_earliest_time() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let work = |name: &str| Work::Owner(name.to_owned());
        let mut queue = Queue::default();
        queue.add(work("a"), after(20));
        queue.add(work("b"), after(10));
        queue.add(work("a"), after(5));
        queue.add(work("a"), after(30));
        assert_eq!(queue.next(), Some(after(5)));
        assert_eq!(queue.pop(after(4)), None);
        assert_eq!(queue.pop(after(10)), Some(work("a")));
        assert_eq!(queue.pop(after(10)), Some(work("b")));
        assert_eq!(queue.pop(after(99)), None);
    }
}
