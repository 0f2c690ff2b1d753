//! Which objects care about a Deployment. Kept by name, so that an event costs a look-up and not a
//! walk over everything.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use sluice_cluster::crd::{Pipeline, Rollout};
use sluice_core::rollout::canary_name;

use crate::queue::Key;

#[derive(Default)]
struct Maps {
    by_deployment: HashMap<(String, String), HashSet<Key>>,
    of_key: HashMap<Key, Vec<(String, String)>>,
}

/// Deployment → Pipelines and live Rollouts.
#[derive(Default)]
pub(crate) struct Index {
    maps: Mutex<Maps>,
}

impl Index {
    fn lock(&self) -> MutexGuard<'_, Maps> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the targets of a Pipeline.
    pub(crate) fn pipeline(&self, key: &Key, pipeline: &Pipeline) {
        let targets = pipeline
            .spec
            .body
            .environments
            .iter()
            .map(|e| (e.target.namespace.clone(), e.target.deployment.clone()))
            .collect();
        self.set(key, targets);
    }

    /// Notes the target and the canary of a Rollout; an ended one cares about nothing.
    pub(crate) fn rollout(&self, key: &Key, rollout: &Rollout) {
        let ended = rollout.status.as_ref().is_some_and(|j| j.state.ended());
        if ended {
            self.set(key, Vec::new());
            return;
        }
        let target = &rollout.spec.body.target;
        let uid = rollout.uid().unwrap_or_default();
        self.set(
            key,
            vec![
                (target.namespace.clone(), target.deployment.clone()),
                (
                    target.namespace.clone(),
                    canary_name(&target.deployment, &uid),
                ),
            ],
        );
    }

    /// Forgets an object.
    pub(crate) fn forget(&self, key: &Key) {
        self.set(key, Vec::new());
    }

    /// Everything that cares about a Deployment.
    pub(crate) fn of(&self, namespace: &str, deployment: &str) -> Vec<Key> {
        let maps = self.lock();
        maps.by_deployment
            .get(&(namespace.to_owned(), deployment.to_owned()))
            .map(|keys| keys.iter().cloned().collect())
            .unwrap_or_default()
    }

    fn set(&self, key: &Key, deployments: Vec<(String, String)>) {
        let mut maps = self.lock();
        for old in maps.of_key.remove(key).unwrap_or_default() {
            if let Some(keys) = maps.by_deployment.get_mut(&old) {
                keys.remove(key);
                if keys.is_empty() {
                    maps.by_deployment.remove(&old);
                }
            }
        }
        for d in &deployments {
            maps.by_deployment
                .entry(d.clone())
                .or_default()
                .insert(key.clone());
        }
        if !deployments.is_empty() {
            maps.of_key.insert(key.clone(), deployments);
        }
    }
}
