//! Watches of StatefulSets and DaemonSets. Most clusters release Deployments alone: another kind is
//! watched once a Pipeline names one, so that the agent neither asks for what nobody uses nor needs a
//! right to it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use kube::api::{Api, PartialObjectMeta};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use sluice_cluster::crd::Pipeline;
use sluice_core::rollout::ObjectKind;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::index::Index;
use crate::queue::Queue;
use crate::watches::{drain, renewed, wake};

/// A kind, and the namespace that is watched; none: all of them.
type Scope = (ObjectKind, Option<String>);

/// The kinds that some Pipeline named since the start. Each is asked for once, so the channel holds no
/// more than there are namespaces.
pub(crate) struct Kinds {
    named: Mutex<HashSet<Scope>>,
    wanted: UnboundedSender<Scope>,
    /// The agent may read all namespaces, and one watch is enough.
    everywhere: bool,
}

impl Kinds {
    /// Starts a task that owns the watches to come; they end when `tasks` is dropped.
    pub(crate) fn start(
        client: &Client,
        everywhere: bool,
        queue: &Arc<Queue>,
        index: &Arc<Index>,
        renewal: &Arc<Notify>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (wanted, asked) = unbounded_channel();
        let watch = Watch {
            client: client.clone(),
            queue: queue.clone(),
            index: index.clone(),
            renewal: renewal.clone(),
        };
        tasks.spawn(watch.each(asked));
        Self {
            named: Mutex::default(),
            wanted,
            everywhere,
        }
    }

    /// Sees to it that the workloads of a Pipeline are watched.
    pub(crate) fn of(&self, pipeline: &Pipeline) {
        let environments = &pipeline.spec.body.environments;
        for (namespace, kind, _) in environments.iter().flat_map(|e| e.target.workloads()) {
            if kind == ObjectKind::Deployment {
                continue;
            }
            let scope = (kind, (!self.everywhere).then(|| namespace.to_owned()));
            let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            if named.insert(scope.clone()) && self.wanted.send(scope).is_err() {
                tracing::debug!(%kind, "the watches have ended");
            }
        }
    }
}

struct Watch {
    client: Client,
    queue: Arc<Queue>,
    index: Arc<Index>,
    renewal: Arc<Notify>,
}

impl Watch {
    async fn each(self, mut asked: UnboundedReceiver<Scope>) {
        let mut watches = JoinSet::new();
        while let Some((kind, namespace)) = asked.recv().await {
            tracing::info!(%kind, namespace, "watches what a pipeline names");
            match kind {
                ObjectKind::StatefulSet => self.begin::<StatefulSet>(namespace, &mut watches),
                ObjectKind::DaemonSet => self.begin::<DaemonSet>(namespace, &mut watches),
                _ => {}
            }
        }
    }

    fn begin<K>(&self, namespace: Option<String>, watches: &mut JoinSet<()>)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Send + Sync,
        K: std::fmt::Debug + 'static,
    {
        let api: Api<PartialObjectMeta<K>> = match &namespace {
            Some(ns) => Api::namespaced(self.client.clone(), ns),
            None => Api::all(self.client.clone()),
        };
        let (queue, index) = (self.queue.clone(), self.index.clone());
        let stream = renewed(api, self.renewal.clone());
        watches.spawn(drain(stream, K::kind(&()).into_owned(), move |event| {
            wake(event, &index, &queue);
        }));
    }
}
