//! Which objects care about a workload, and who stands in line. Kept by name, so that an event costs
//! a look-up and not a walk over everything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;
use sluice_cluster::crd::{Pipeline, Rollout};
use sluice_core::rollout::canary_name;

use crate::queue::Key;

#[derive(Default)]
struct Maps {
    by_workload: HashMap<(String, String), HashSet<Key>>,
    of_key: HashMap<Key, Vec<(String, String)>>,
    /// Rollouts that wait until fewer are under way: since when, and for which environment.
    line: HashMap<Key, (Timestamp, String)>,
}

/// Workload → Pipelines and live Rollouts.
#[derive(Default)]
pub(crate) struct Index {
    maps: Mutex<Maps>,
}

impl Index {
    fn lock(&self) -> MutexGuard<'_, Maps> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the workloads of a Pipeline.
    pub(crate) fn pipeline(&self, key: &Key, pipeline: &Pipeline) {
        let targets = pipeline
            .spec
            .body
            .environments
            .iter()
            .flat_map(|e| e.target.workloads())
            .map(|(namespace, _, name)| (namespace.to_owned(), name.to_owned()))
            .collect();
        self.set(key, targets);
    }

    /// Notes the workloads and the canaries of a Rollout; an ended one cares about nothing. Answers whether
    /// it made a place: it is over, or stands in line no more.
    pub(crate) fn rollout(&self, key: &Key, rollout: &Rollout) -> bool {
        let journal = rollout.status.as_ref();
        if journal.is_some_and(|j| j.state.ended()) {
            self.forget(key);
            return true;
        }
        let waits = journal
            .filter(|j| !j.state.begun())
            .and_then(|j| j.slot_wanted_at);
        let left = match waits {
            Some(since) => {
                let place = (since, rollout.spec.body.environment.clone());
                self.lock().line.insert(key.clone(), place);
                false
            }
            None => self.lock().line.remove(key).is_some(),
        };
        let target = &rollout.spec.body.target;
        let uid = rollout.uid().unwrap_or_default();
        let names = target.workloads().flat_map(|(namespace, _, name)| {
            let canary = canary_name(name, &uid);
            [name.to_owned(), canary].map(|name| (namespace.to_owned(), name))
        });
        self.set(key, names.collect());
        left
    }

    /// Who is first in line for each environment: a place that becomes free is for one of them.
    pub(crate) fn first_in_line(&self) -> Vec<Key> {
        let maps = self.lock();
        let mut first: BTreeMap<&str, (Timestamp, &Key)> = BTreeMap::new();
        for (key, (since, environment)) in &maps.line {
            let mine = (*since, key);
            let first = first.entry(environment).or_insert(mine);
            *first = mine.min(*first);
        }
        first.into_values().map(|(_, key)| key.clone()).collect()
    }

    /// Forgets an object.
    pub(crate) fn forget(&self, key: &Key) {
        self.lock().line.remove(key);
        self.set(key, Vec::new());
    }

    /// Everything that cares about a workload of this name, whatever its kind.
    pub(crate) fn of(&self, namespace: &str, workload: &str) -> Vec<Key> {
        let maps = self.lock();
        maps.by_workload
            .get(&(namespace.to_owned(), workload.to_owned()))
            .map(|keys| keys.iter().cloned().collect())
            .unwrap_or_default()
    }

    fn set(&self, key: &Key, workloads: Vec<(String, String)>) {
        let mut maps = self.lock();
        for old in maps.of_key.remove(key).unwrap_or_default() {
            if let Some(keys) = maps.by_workload.get_mut(&old) {
                keys.remove(key);
                if keys.is_empty() {
                    maps.by_workload.remove(&old);
                }
            }
        }
        for d in &workloads {
            maps.by_workload
                .entry(d.clone())
                .or_default()
                .insert(key.clone());
        }
        if !workloads.is_empty() {
            maps.of_key.insert(key.clone(), workloads);
        }
    }
}
