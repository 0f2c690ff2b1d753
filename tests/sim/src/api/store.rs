//! The objects, their versions and the log of changes that watches replay.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::resource::Resource;
use crate::json;

/// Where an object lives. Objects of the whole cluster have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) resource: Resource,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(resource: Resource, namespace: &str, name: &str) -> Self {
        Self {
            resource,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// One stored version of an object; never changed, only replaced.
#[derive(Debug)]
pub(crate) struct Object {
    value: Value,
    bytes: OnceLock<Bytes>,
}

impl Object {
    pub(crate) fn new(value: Value) -> Self {
        Self {
            value,
            bytes: OnceLock::new(),
        }
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// The object as JSON, written once however many watches send it.
    pub(crate) fn bytes(&self) -> Bytes {
        self.bytes
            .get_or_init(|| Bytes::from(self.value.to_string()))
            .clone()
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

/// One entry of the log.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) at: Instant,
    pub(crate) key: Key,
    pub(crate) kind: ChangeKind,
    /// The object before, if there was one.
    pub(crate) before: Option<Arc<Object>>,
    /// The object after; of a deletion its last state, with the deletion's version.
    pub(crate) after: Arc<Object>,
}

/// The first resource version that is given out.
const FIRST_VERSION: u64 = 1000;

/// All objects of a cluster.
#[derive(Debug)]
pub(crate) struct Store {
    objects: BTreeMap<Key, Arc<Object>>,
    by_uid: BTreeMap<String, Key>,
    dependents: BTreeMap<String, BTreeSet<Key>>,
    log: VecDeque<Change>,
    history: usize,
    version: u64,
    /// Changes up to this version were forgotten: watches from before it get 410.
    compacted: u64,
}

impl Store {
    pub(crate) fn new(history: usize) -> Self {
        Self {
            objects: BTreeMap::new(),
            by_uid: BTreeMap::new(),
            dependents: BTreeMap::new(),
            log: VecDeque::new(),
            history,
            version: FIRST_VERSION,
            compacted: FIRST_VERSION,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn compacted(&self) -> u64 {
        self.compacted
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.objects.get(key)
    }

    pub(crate) fn key_of_uid(&self, uid: &str) -> Option<&Key> {
        self.by_uid.get(uid)
    }

    /// Objects that name this uid as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<Key> {
        self.dependents
            .get(uid)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// All objects of a resource, of one namespace or (`None`) of all.
    pub(crate) fn list<'a>(
        &'a self,
        resource: Resource,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Object>)> {
        let from = Key::new(resource, namespace.unwrap_or_default(), "");
        self.objects.range(from..).take_while(move |(key, _)| {
            key.resource == resource && namespace.is_none_or(|wanted| key.namespace == wanted)
        })
    }

    /// Every object of a namespace.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Key> {
        self.objects
            .keys()
            .filter(|key| key.namespace == namespace)
            .cloned()
            .collect()
    }

    /// Stores a new version of an object.
    pub(crate) fn put(&mut self, key: Key, mut value: Value, at: Instant) -> Change {
        self.version += 1;
        json::set(
            &mut value,
            &["metadata", "resourceVersion"],
            json!(self.version.to_string()),
        );
        let after = Arc::new(Object::new(value));
        let before = self.objects.insert(key.clone(), Arc::clone(&after));
        self.unindex(&key, before.as_deref());
        self.by_uid.insert(
            json::text(after.value(), "/metadata/uid").to_owned(),
            key.clone(),
        );
        for owner in owners(after.value()) {
            self.dependents
                .entry(owner)
                .or_default()
                .insert(key.clone());
        }
        let kind = if before.is_some() {
            ChangeKind::Modified
        } else {
            ChangeKind::Added
        };
        self.record(Change {
            version: self.version,
            at,
            key,
            kind,
            before,
            after,
        })
    }

    /// Removes an object.
    pub(crate) fn remove(&mut self, key: &Key, at: Instant) -> Option<Change> {
        let before = self.objects.remove(key)?;
        self.unindex(key, Some(&before));
        self.version += 1;
        let mut last = before.value().clone();
        json::set(
            &mut last,
            &["metadata", "resourceVersion"],
            json!(self.version.to_string()),
        );
        Some(self.record(Change {
            version: self.version,
            at,
            key: key.clone(),
            kind: ChangeKind::Deleted,
            before: Some(before),
            after: Arc::new(Object::new(last)),
        }))
    }

    fn unindex(&mut self, key: &Key, before: Option<&Object>) {
        let Some(before) = before else { return };
        self.by_uid
            .remove(json::text(before.value(), "/metadata/uid"));
        for owner in owners(before.value()) {
            if let Some(keys) = self.dependents.get_mut(&owner) {
                keys.remove(key);
                if keys.is_empty() {
                    self.dependents.remove(&owner);
                }
            }
        }
    }

    fn record(&mut self, change: Change) -> Change {
        self.log.push_back(change.clone());
        while self.log.len() > self.history {
            if let Some(old) = self.log.pop_front() {
                self.compacted = old.version;
            }
        }
        change
    }

    /// Forgets all changes so far, as a compaction does.
    pub(crate) fn compact(&mut self) {
        self.log.clear();
        self.compacted = self.version;
    }

    /// The changes after a version, oldest first.
    pub(crate) fn since(&self, version: u64) -> impl Iterator<Item = &Change> {
        let start = self.log.partition_point(|change| change.version <= version);
        self.log.range(start..)
    }

    /// The version that was current `writes` changes ago (or the oldest still known).
    pub(crate) fn version_before(&self, writes: u64) -> u64 {
        let back = usize::try_from(writes).unwrap_or(usize::MAX);
        match self.log.len().checked_sub(back.saturating_add(1)) {
            Some(index) => self
                .log
                .get(index)
                .map_or(self.version, |change| change.version),
            None => self.compacted,
        }
    }

    /// What a watch sees that is late by `lag`: the version, and when the next change shows.
    pub(crate) fn seen_after(&self, lag: Duration, now: Instant) -> (u64, Option<Instant>) {
        let shown = self.log.partition_point(|change| change.at + lag <= now);
        let version = match shown.checked_sub(1).and_then(|last| self.log.get(last)) {
            Some(change) => change.version,
            None => self.compacted,
        };
        (version, self.log.get(shown).map(|change| change.at + lag))
    }

    /// The objects of a resource as they stood at an older version.
    pub(crate) fn view(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        version: u64,
    ) -> BTreeMap<Key, Arc<Object>> {
        let mut view: BTreeMap<Key, Arc<Object>> = self
            .list(resource, namespace)
            .map(|(key, object)| (key.clone(), Arc::clone(object)))
            .collect();
        for change in self
            .log
            .iter()
            .rev()
            .take_while(|change| change.version > version)
        {
            let here = change.key.resource == resource
                && namespace.is_none_or(|wanted| change.key.namespace == wanted);
            if !here {
                continue;
            }
            match &change.before {
                Some(before) => view.insert(change.key.clone(), Arc::clone(before)),
                None => view.remove(&change.key),
            };
        }
        view
    }
}

fn owners(value: &Value) -> Vec<String> {
    json::list(value, "/metadata/ownerReferences")
        .iter()
        .map(|owner| json::text(owner, "/uid").to_owned())
        .collect()
}
