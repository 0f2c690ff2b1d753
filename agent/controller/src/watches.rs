//! The watches: they fill the caches and say what to look at.

use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use sluice_cluster::crd::{Approval, Pipeline, Request, Rollout};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::index::Index;
use crate::kinds::Kinds;
use crate::leftover;
use crate::queue::{Key, Queue};
use crate::stop;
use crate::world::World;

/// Starts every watch; they end when `tasks` is dropped.
pub(crate) fn start(
    client: &Client,
    namespace: Option<&str>,
    target_namespaces: &[String],
    queue: &Arc<Queue>,
    renewal: &Arc<Notify>,
    tasks: &mut JoinSet<()>,
) -> World {
    let index = Arc::new(Index::default());
    let everywhere = target_namespaces.is_empty();
    let kinds = Kinds::start(client, everywhere, queue, &index, renewal, tasks);
    let (q, i) = (queue.clone(), index.clone());
    let pipelines = follow::<Pipeline>(client, namespace, renewal, tasks, move |event| {
        let (object, gone) = applied_or_gone(event);
        if let Some(p) = object {
            let key = pipeline_key(p);
            if gone {
                i.forget(&key);
            } else {
                i.pipeline(&key, p);
                kinds.of(p);
            }
            q.now(key);
        }
    });
    let (q, i) = (queue.clone(), index.clone());
    let rollouts = follow::<Rollout>(client, namespace, renewal, tasks, move |event| {
        let (object, gone) = applied_or_gone(event);
        if let Some(r) = object {
            let namespace = r.namespace().unwrap_or_default();
            let key = Key::Rollout {
                namespace: namespace.clone(),
                name: r.name_any(),
            };
            let made_place = if gone {
                i.forget(&key);
                true
            } else {
                i.rollout(&key, r)
            };
            q.now(key);
            if made_place {
                i.first_in_line().into_iter().for_each(|key| q.now(key));
            }
            // Whoever waits for one of these workloads may go on.
            for (namespace, _, name) in r.spec.body.target.workloads() {
                i.of(namespace, name).into_iter().for_each(|key| q.now(key));
            }
            q.now(Key::Pipeline {
                namespace,
                name: r.spec.body.pipeline.clone(),
            });
        }
    });
    let q = queue.clone();
    let approvals = follow::<Approval>(client, namespace, renewal, tasks, move |event| {
        if let (Some(a), _) = applied_or_gone(event) {
            let namespace = a.namespace().unwrap_or_default();
            q.now(Key::Rollout {
                namespace,
                name: a.spec.rollout.clone(),
            });
        }
    });
    let q = queue.clone();
    let requests = follow::<Request>(client, namespace, renewal, tasks, move |event| {
        if let (Some(r), _) = applied_or_gone(event) {
            let namespace = r.namespace().unwrap_or_default();
            if stop::is_global(r) {
                q.now(Key::Everything);
            }
            match (&r.spec.rollout, &r.spec.pipeline) {
                (Some(name), _) => q.now(Key::Rollout {
                    namespace,
                    name: name.clone(),
                }),
                (None, Some(name)) => q.now(Key::Pipeline {
                    namespace,
                    name: name.clone(),
                }),
                (None, None) => {}
            }
        }
    });
    deployments(client, target_namespaces, queue, &index, renewal, tasks);
    World {
        pipelines,
        rollouts,
        approvals,
        requests,
    }
}

pub(crate) fn pipeline_key(p: &Pipeline) -> Key {
    Key::Pipeline {
        namespace: p.namespace().unwrap_or_default(),
        name: p.name_any(),
    }
}

fn applied_or_gone<K>(event: &Event<K>) -> (Option<&K>, bool) {
    match event {
        Event::Apply(o) | Event::InitApply(o) => (Some(o), false),
        Event::Delete(o) => (Some(o), true),
        Event::Init | Event::InitDone => (None, false),
    }
}

/// Watches one kind into a store and shows every event to `seen`.
fn follow<K>(
    client: &Client,
    namespace: Option<&str>,
    renewal: &Arc<Notify>,
    tasks: &mut JoinSet<()>,
    seen: impl Fn(&Event<K>) + Send + 'static,
) -> Store<K>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let api: Api<K> = match namespace {
        Some(ns) => Api::namespaced(client.clone(), ns),
        None => Api::all(client.clone()),
    };
    let (reader, writer) = reflector::store();
    let stream = reflector::reflector(writer, renewed(api, renewal.clone()));
    tasks.spawn(drain(stream, K::kind(&()).into_owned(), seen));
    reader
}

/// Deployments of the target namespaces: only their names are kept, and not even these.
fn deployments(
    client: &Client,
    namespaces: &[String],
    queue: &Arc<Queue>,
    index: &Arc<Index>,
    renewal: &Arc<Notify>,
    tasks: &mut JoinSet<()>,
) {
    let mut apis: Vec<Api<PartialObjectMeta<Deployment>>> = namespaces
        .iter()
        .map(|ns| Api::namespaced(client.clone(), ns))
        .collect();
    if apis.is_empty() {
        apis.push(Api::all(client.clone()));
    }
    for api in apis {
        let (q, i) = (queue.clone(), index.clone());
        let stream = renewed(api, renewal.clone());
        let seen = move |event: &Event<PartialObjectMeta<Deployment>>| {
            wake(event, &i, &q);
            if let (Some(d), false) = applied_or_gone(event)
                && let Some(key) = leftover::key(d)
            {
                q.now(key);
            }
        };
        tasks.spawn(drain(stream, "Deployment".to_owned(), seen));
    }
}

/// Whoever cares about a workload looks at it.
pub(crate) fn wake<K: Resource>(event: &Event<K>, index: &Index, queue: &Queue) {
    if let (Some(w), _) = applied_or_gone(event) {
        for key in index.of(&w.namespace().unwrap_or_default(), &w.name_any()) {
            queue.now(key);
        }
    }
}

/// A watch that begins anew, with a list, each time it is told to.
pub(crate) fn renewed<K>(
    api: Api<K>,
    renewal: Arc<Notify>,
) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
{
    let begin = move || {
        watcher(api.clone(), watcher::Config::default())
            .default_backoff()
            .take_until(renewal.clone().notified_owned())
    };
    stream::repeat_with(begin).flatten()
}

pub(crate) async fn drain<K>(
    stream: impl Stream<Item = Result<Event<K>, watcher::Error>>,
    kind: String,
    seen: impl Fn(&Event<K>),
) {
    let mut stream = std::pin::pin!(stream);
    loop {
        match stream.try_next().await {
            Ok(Some(event)) => seen(&event),
            Ok(None) => return,
            // The stream backs off and lists again by itself.
            Err(error) => {
                tracing::warn!(kind, error = %error, "watch interrupted; it starts again by itself");
            }
        }
    }
}

/// Waits until every store has been filled once.
pub(crate) async fn ready(world: &World) -> bool {
    let (a, b, c, d) = futures::join!(
        world.pipelines.wait_until_ready(),
        world.rollouts.wait_until_ready(),
        world.approvals.wait_until_ready(),
        world.requests.wait_until_ready(),
    );
    a.is_ok() && b.is_ok() && c.is_ok() && d.is_ok()
}
