//! What the oracles look at: which pods stood behind each Service over time, the weights of routes,
//! and a view of the cluster at each change.

mod moment;
mod traffic;

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

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

/// By namespace and name; of a rule also its name, or its index as text.
type Book<K, T> = BTreeMap<K, VecDeque<T>>;

#[derive(Debug, Default)]
pub(crate) struct Timeline {
    ready: Book<(String, String), Sample>,
    standing: Book<(String, String), Standing>,
    weights: Book<(String, String, String), Weights>,
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

    /// Notes the weights of a rule.
    pub(crate) fn weigh(
        &mut self,
        namespace: &str,
        route: &str,
        rule: &str,
        weights: BTreeMap<String, i64>,
        at: Timestamp,
    ) {
        let key = (namespace.to_owned(), route.to_owned(), rule.to_owned());
        let samples = self.weights.entry(key).or_default();
        if samples.back().is_none_or(|last| last.weights != weights) {
            push(samples, Weights { at, weights });
        }
    }

    /// The rules of a route that were ever seen.
    pub(crate) fn rules(&self, namespace: &str, route: &str) -> Vec<String> {
        self.weights
            .keys()
            .filter(|(in_namespace, of, _)| in_namespace == namespace && of == route)
            .map(|(_, _, rule)| rule.clone())
            .collect()
    }

    pub(crate) fn of(&self, namespace: &str, service: &str) -> Vec<Sample> {
        copy(&self.ready, &(namespace.to_owned(), service.to_owned()))
    }

    pub(crate) fn standing(&self, namespace: &str, service: &str) -> Vec<Standing> {
        copy(&self.standing, &(namespace.to_owned(), service.to_owned()))
    }

    pub(crate) fn weights(&self, namespace: &str, route: &str, rule: &str) -> Vec<Weights> {
        let rule = if rule.is_empty() { "0" } else { rule };
        let key = (namespace.to_owned(), route.to_owned(), rule.to_owned());
        copy(&self.weights, &key)
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
