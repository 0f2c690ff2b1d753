//! Reading one's own writes (reliability.md R2): a cache that has not seen what this agent wrote last
//! is not believed about it. One object at a time, never a barrier for all.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::{Resource, ResourceExt};
use tokio::time::Instant;

/// A cache that is behind for longer than this is read around.
const PATIENCE: Duration = Duration::from_secs(5);

/// The kinds whose caches are checked.
pub(crate) const ROLLOUT: &str = "Rollout";
/// As [`ROLLOUT`].
pub(crate) const PIPELINE: &str = "Pipeline";
/// As [`ROLLOUT`].
pub(crate) const REQUEST: &str = "Request";

/// How a cache stands to this agent's own writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    /// It has them.
    Current,
    /// Not yet: look again in a moment.
    Behind,
    /// Not for a long time: ask the API server.
    Stuck,
}

struct Written {
    version: u64,
    at: Instant,
}

type Name = (&'static str, String, String);

/// The newest version of each object that this agent wrote and no cache has shown yet.
#[derive(Default)]
pub(crate) struct OwnWrites {
    written: Mutex<HashMap<Name, Written>>,
}

impl OwnWrites {
    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a write by its answer.
    pub(crate) fn wrote<K: Resource<DynamicType = ()>>(&self, kind: &'static str, object: &K) {
        let Some(version) = version(object) else {
            return;
        };
        let name = (
            kind,
            object.namespace().unwrap_or_default(),
            object.name_any(),
        );
        let at = Instant::now();
        self.lock().insert(name, Written { version, at });
    }

    /// Whether the cache knows this agent's last write of an object. `cached` is what it has.
    pub(crate) fn state<K: Resource<DynamicType = ()>>(
        &self,
        kind: &'static str,
        namespace: &str,
        name: &str,
        cached: Option<&K>,
    ) -> Cache {
        let key = (kind, namespace.to_owned(), name.to_owned());
        let mut written = self.lock();
        let Some(own) = written.get(&key) else {
            return Cache::Current;
        };
        if cached.and_then(version).is_some_and(|v| v >= own.version) {
            written.remove(&key);
            return Cache::Current;
        }
        if own.at.elapsed() > PATIENCE {
            Cache::Stuck
        } else {
            Cache::Behind
        }
    }

    /// Objects of a kind that the cache has not shown yet, by namespace and name.
    pub(crate) fn unseen(&self, kind: &'static str) -> Vec<(String, String)> {
        let written = self.lock();
        let of = written.keys().filter(|n| n.0 == kind);
        of.map(|n| (n.1.clone(), n.2.clone())).collect()
    }

    /// The API server itself was asked: what it says of the object is the newest.
    pub(crate) fn settled(&self, kind: &'static str, namespace: &str, name: &str) {
        self.lock()
            .remove(&(kind, namespace.to_owned(), name.to_owned()));
    }
}

/// resourceVersions of one API server can be compared as numbers (KEP-5504).
pub(crate) fn version<K: ResourceExt>(object: &K) -> Option<u64> {
    object.resource_version()?.parse().ok()
}
