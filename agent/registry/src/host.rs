//! What is remembered of a host: its slots, and whether it asked to be left alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Hosts remembered at once. Pipelines of one cluster use a handful of registries.
const MOST_HOSTS: usize = 256;

/// One registry host. Its token service counts as part of it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) slots: Arc<Semaphore>,
    held_until: Mutex<Option<Instant>>,
}

impl Host {
    /// How long nobody may ask it yet.
    pub(crate) fn held(&self) -> Option<Duration> {
        let until = (*lock(&self.held_until))?;
        until
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }

    /// Nobody asks it for this long. A longer pause that runs already is kept.
    pub(crate) fn hold(&self, pause: Duration) {
        let mut held = lock(&self.held_until);
        *held = (*held).max(Instant::now().checked_add(pause));
    }
}

/// All hosts that are remembered.
#[derive(Debug)]
pub(crate) struct Hosts {
    known: Mutex<HashMap<String, Arc<Host>>>,
    slots_per_host: usize,
}

impl Hosts {
    pub(crate) fn new(slots_per_host: usize) -> Self {
        Self {
            known: Mutex::default(),
            slots_per_host,
        }
    }

    /// The host of this name; `None` where all places are taken by hosts that are asked right now.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Host>> {
        let mut known = lock(&self.known);
        if let Some(host) = known.get(name) {
            return Some(Arc::clone(host));
        }
        if known.len() >= MOST_HOSTS {
            known.retain(|_, host| Arc::strong_count(host) > 1 || host.held().is_some());
        }
        if known.len() >= MOST_HOSTS {
            return None;
        }
        let slots = Arc::new(Semaphore::new(self.slots_per_host));
        let host = Arc::new(Host {
            slots,
            held_until: Mutex::default(),
        });
        known.insert(name.to_owned(), Arc::clone(&host));
        Some(host)
    }
}

/// The values behind these locks are valid after every statement, so a panic elsewhere spoils none.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_and_a_shorter_one_does_not_cut_it() {
        let hosts = Hosts::new(1);
        let host = hosts.get("a.example").unwrap();
        assert_eq!(host.held(), None);
        host.hold(Duration::from_secs(60));
        host.hold(Duration::from_secs(5));
        let same = hosts.get("a.example").unwrap();
        assert_eq!(same.held(), Some(Duration::from_secs(60)));
        assert_eq!(hosts.get("b.example").unwrap().held(), None);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(host.held(), Some(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(host.held(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded_and_keeps_who_must_wait() {
        let hosts = Hosts::new(1);
        hosts
            .get("held.example")
            .unwrap()
            .hold(Duration::from_secs(60));
        let in_use: Vec<_> = (0..255)
            .map(|number| hosts.get(&format!("{number}.example")).unwrap())
            .collect();
        assert!(hosts.get("one-more.example").is_none());
        drop(in_use);
        assert!(hosts.get("one-more.example").is_some());
        assert!(hosts.get("held.example").unwrap().held().is_some());
    }
}
