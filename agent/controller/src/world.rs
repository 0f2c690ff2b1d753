//! The agent's own objects, kept current by watches. A cache: a decision that changes a workload rests
//! on live reads, and every write is guarded.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use sluice_cluster::crd::{Approval, Pipeline, Request, Rollout, created};

/// What the watches have seen.
#[derive(Clone)]
pub struct World {
    /// Pipelines.
    pub pipelines: Store<Pipeline>,
    /// Rollouts.
    pub rollouts: Store<Rollout>,
    /// Votes.
    pub approvals: Store<Approval>,
    /// Wishes.
    pub requests: Store<Request>,
}

impl World {
    /// The Pipeline of that name.
    pub fn pipeline(&self, namespace: &str, name: &str) -> Option<Arc<Pipeline>> {
        self.pipelines.get(&ObjectRef::new(name).within(namespace))
    }

    /// The Rollout of that name.
    pub fn rollout(&self, namespace: &str, name: &str) -> Option<Arc<Rollout>> {
        self.rollouts.get(&ObjectRef::new(name).within(namespace))
    }

    /// All votes on a Rollout.
    pub fn approvals_of(&self, namespace: &str, rollout_uid: &str) -> Vec<Arc<Approval>> {
        self.approvals.state_filter(|a| {
            a.namespace().as_deref() == Some(namespace) && a.spec.rollout_uid == rollout_uid
        })
    }

    /// All wishes about a Rollout by name, oldest first.
    pub fn requests_of(&self, namespace: &str, rollout: &str) -> Vec<Arc<Request>> {
        let mut found = self.requests.state_filter(|r| {
            r.namespace().as_deref() == Some(namespace)
                && r.spec.rollout.as_deref() == Some(rollout)
        });
        found.sort_by_key(|r| (created(r.as_ref()), r.name_any()));
        found
    }
}
