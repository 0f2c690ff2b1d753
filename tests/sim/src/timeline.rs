//! What the oracles look at: which pods stood behind each Service over time, the weights of routes,
//! and a view of the cluster at each change.

mod entrance;
mod moment;
mod traffic;

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

pub(crate) use crate::timeline::entrance::{Entrances, WeightOf};
pub use crate::timeline::moment::{Happened, Moment, Observer};

/// How many pods were ready behind a Service from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it became so.
    pub at: Timestamp,
    /// Ready pods.
    pub ready: usize,
}

/// Which versions stood behind a Service from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// When it became so.
    pub at: Timestamp,
    /// Ready pods by the digest of their image, `sha256:…`.
    pub versions: BTreeMap<String, usize>,
}

/// The weights of a route's rule from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// When it became so.
    pub at: Timestamp,
    /// Weight by the name of the backend; one that is named twice has the sum.
    pub weights: BTreeMap<String, i64>,
}

/// Entries per Service or rule that are kept; the oldest go first.
const ENTRIES: usize = 10_000;

/// Entries by what they are about.
type Book<K, T> = BTreeMap<K, VecDeque<T>>;

#[derive(Debug, Default)]
pub(crate) struct Timeline {
    ready: Book<(String, String), Sample>,
    standing: Book<(String, String), Standing>,
    /// Weights as they were written, and as the gateways have taken them.
    pub(crate) written: Entrances,
    pub(crate) served: Entrances,
}

impl Timeline {
    /// Notes what stands behind a Service now.
    pub(crate) fn sample(
        &mut self,
        namespace: &str,
        service: &str,
        versions: BTreeMap<String, usize>,
        at: Timestamp,
    ) {
        let key = (namespace.to_owned(), service.to_owned());
        let ready = versions.values().sum();
        let samples = self.ready.entry(key.clone()).or_default();
        if samples.back().is_none_or(|last| last.ready != ready) {
            push(samples, Sample { at, ready });
        }
        let standing = self.standing.entry(key).or_default();
        if standing.back().is_none_or(|last| last.versions != versions) {
            push(standing, Standing { at, versions });
        }
    }

    pub(crate) fn of(&self, namespace: &str, service: &str) -> Vec<Sample> {
        copy(&self.ready, &(namespace.to_owned(), service.to_owned()))
    }

    pub(crate) fn standing(&self, namespace: &str, service: &str) -> Vec<Standing> {
        copy(&self.standing, &(namespace.to_owned(), service.to_owned()))
    }
}

fn push<T>(entries: &mut VecDeque<T>, entry: T) {
    if entries.len() == ENTRIES {
        entries.pop_front();
    }
    entries.push_back(entry);
}

fn copy<K: Ord, T: Clone>(book: &Book<K, T>, key: &K) -> Vec<T> {
    book.get(key).into_iter().flatten().cloned().collect()
}
