//! Whether the watches still tell what happens. A watch that is silent looks like a cluster in which
//! nothing happens: a vote that was cast is never counted (reliability.md P2, P3). So once in a period
//! all own objects are listed, names and versions only, and where a cache does not know what the list
//! says, every watch begins anew. The cost does not depend on how many Rollouts wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, ListParams, PartialObjectMeta};
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::context::Context;
use crate::own::version;

/// As often as each live Rollout is looked at (R5).
const PERIOD: Duration = Duration::from_secs(30);
/// An event that is under way for longer than this is lost: the API server sends them at once.
const GRACE: Duration = Duration::from_secs(5);
/// Longest wait for one page of a list.
const LIMIT: Duration = Duration::from_secs(10);
/// Objects in one page.
const PAGE: u32 = 500;
/// Lists of one look.
const CALLS: u32 = 4;

/// Looks for ever, while this agent leads.
pub(crate) async fn keep(
    context: Arc<Context>,
    namespace: Option<String>,
    leads: watch::Receiver<bool>,
) {
    loop {
        sleep(PERIOD).await;
        if !*leads.borrow() {
            continue;
        }
        context.pace.take(CALLS).await;
        let (world, namespace) = (&context.world, namespace.as_deref());
        let (p, r, a, q) = futures::join!(
            doubts(&context, namespace, &world.pipelines),
            doubts(&context, namespace, &world.rollouts),
            doubts(&context, namespace, &world.approvals),
            doubts(&context, namespace, &world.requests),
        );
        if !(p.is_empty() && r.is_empty() && a.is_empty() && q.is_empty()) {
            sleep(GRACE).await;
            let behind = p.confirmed(&world.pipelines)
                || r.confirmed(&world.rollouts)
                || a.confirmed(&world.approvals)
                || q.confirmed(&world.requests);
            if behind {
                tracing::warn!("a watch does not tell what happens: all begin anew");
                context.renewal.notify_waiters();
            }
        }
    }
}

type Name = (String, String);

/// Where a cache and a live list differ.
#[derive(Default)]
struct Doubts {
    /// Objects that are there at this version at least.
    there: Vec<(Name, u64)>,
    /// Objects that are not there any more: no version up to this one.
    gone: Vec<(Name, u64)>,
}

impl Doubts {
    fn is_empty(&self) -> bool {
        self.there.is_empty() && self.gone.is_empty()
    }

    /// Whether the cache has still not heard of it.
    fn confirmed<K>(&self, store: &Store<K>) -> bool
    where
        K: Resource<DynamicType = ()> + Clone + 'static,
    {
        let cached = versions(store);
        let missed = |(name, version): &(Name, u64)| cached.get(name).is_none_or(|v| v < version);
        let stayed = |(name, version): &(Name, u64)| cached.get(name).is_some_and(|v| v <= version);
        self.there.iter().any(missed) || self.gone.iter().any(stayed)
    }
}

/// Compares a cache with the API server. What cannot be listed is not doubted.
async fn doubts<K>(context: &Context, namespace: Option<&str>, store: &Store<K>) -> Doubts
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + 'static,
{
    let api: Api<K> = match namespace {
        Some(ns) => Api::namespaced(context.client.clone(), ns),
        None => Api::all(context.client.clone()),
    };
    let Some((listed, at)) = list(&api).await else {
        return Doubts::default();
    };
    let cached = versions(store);
    Doubts {
        there: listed
            .iter()
            .filter(|(name, version)| cached.get(*name).is_none_or(|v| v < *version))
            .map(|(name, version)| (name.clone(), *version))
            .collect(),
        gone: cached
            .iter()
            .filter(|(name, version)| !listed.contains_key(*name) && **version <= at)
            .map(|(name, _)| (name.clone(), at))
            .collect(),
    }
}

/// Names and versions, and the version of the list.
async fn list<K>(api: &Api<K>) -> Option<(HashMap<Name, u64>, u64)>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let (mut found, mut at) = (HashMap::new(), None);
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = match timeout(LIMIT, api.list_metadata(&params)).await {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => {
                tracing::warn!(kind = %K::kind(&()), %error, "cannot compare a cache with the cluster");
                return None;
            }
            Err(_) => return None,
        };
        let of_page = page.metadata.resource_version.as_deref();
        at = at.or_else(|| of_page?.parse::<u64>().ok());
        found.extend(page.items.iter().filter_map(entry::<PartialObjectMeta<K>>));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Some((found, at?)),
        }
    }
}

fn versions<K>(store: &Store<K>) -> HashMap<Name, u64>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let all = store.state();
    all.iter().filter_map(|k| entry(k.as_ref())).collect()
}

fn entry<K: ResourceExt>(object: &K) -> Option<(Name, u64)> {
    let name = (object.namespace().unwrap_or_default(), object.name_any());
    Some((name, version(object)?))
}
