//! Wishes about everything: the global stop and its end. Answers them, looks at every live Rollout when
//! it changes what is in force, and removes what has no effect any more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use kube::api::Api;
use sluice_cluster::crd::{Request, RequestAction, RequestState, RequestStatus};
use sluice_cluster::fault::ClusterFault;
use sluice_cluster::own::{answer_request, delete_request};
use sluice_core::policy::Policy;
use sluice_core::stop::Stop;

use crate::context::Context;
use crate::guards;
use crate::own::{Cache, REQUEST};
use crate::queue::Key;
use crate::rollout::chain;
use crate::stop;

/// Answered ones without effect that are kept to be read (as many as a Pipeline remembers outcomes).
const KEPT: usize = 50;
/// A watch event is under way so long at most, usually.
const CACHE_COMES: Duration = Duration::from_millis(50);
/// After a fault of the API server.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// The stop that the Rollouts were looked at under last.
#[derive(Default)]
pub(crate) struct Told {
    stop: Mutex<Option<Stop>>,
}

impl Told {
    /// Whether it is another one than before.
    fn changed(&self, stop: Option<&Stop>) -> bool {
        let mut told = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = told.as_ref() != stop;
        *told = stop.cloned();
        changed
    }
}

/// Returns when to look again: when the stop lifts by itself, or after what did not go through.
pub(crate) async fn reconcile(context: &Context) -> Option<Duration> {
    let policy = context.policy();
    let mut again = answer_all(context, &policy).await;
    let now = context.now();
    let stop = context.world.stop(&policy, now);
    if context.told.changed(stop.as_ref()) {
        match &stop {
            Some(stop) => {
                tracing::warn!(by = stop.by, reason = stop.reason, "everything is stopped")
            }
            None => tracing::warn!("nothing is stopped any more"),
        }
        look_at_rollouts(context);
    }
    forget(context, &policy).await;
    if let Some(until) = stop.and_then(|stop| stop.until) {
        let wait = Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO);
        again = Some(again.map_or(wait, |sooner| sooner.min(wait)));
    }
    again
}

fn look_at_rollouts(context: &Context) {
    let live =
        |r: &sluice_cluster::crd::Rollout| !r.status.as_ref().is_some_and(|j| j.state.ended());
    for r in context.world.rollouts.state_filter(live) {
        context.queue.now(Key::Rollout {
            namespace: r.namespace().unwrap_or_default(),
            name: r.name_any(),
        });
    }
}

/// Answers what has no answer yet, oldest first. When to look again, if something is left.
async fn answer_all(context: &Context, policy: &Policy) -> Option<Duration> {
    let mut again = None;
    for cached in context.world.global_requests() {
        if !cached.is_open() {
            // Forgets the answer that the cache shows by now.
            let (namespace, name) = place(&cached);
            context
                .own
                .state(REQUEST, &namespace, &name, Some(cached.as_ref()));
            continue;
        }
        match answer(context, policy, &cached).await {
            Ok(None) => {}
            // In their order: what comes after may rest on it.
            Ok(Some(wait)) => return Some(wait),
            Err(fault @ ClusterFault::Deposed { .. }) => {
                tracing::error!(%fault, "stops writing");
                context.deposed();
                return None;
            }
            Err(fault) => {
                tracing::warn!(error = %chain(&fault), "a wish about everything has no answer yet");
                again = Some(AFTER_FAULT);
            }
        }
    }
    again
}

async fn answer(
    context: &Context,
    policy: &Policy,
    cached: &Request,
) -> Result<Option<Duration>, ClusterFault> {
    let (namespace, name) = place(cached);
    match context.own.state(REQUEST, &namespace, &name, Some(cached)) {
        Cache::Current => {}
        Cache::Behind => return Ok(Some(CACHE_COMES)),
        Cache::Stuck => {
            let api: Api<Request> = Api::namespaced(context.client.clone(), &namespace);
            let object = format!("Request {namespace}/{name}");
            let live = api
                .get_opt(&name)
                .await
                .map_err(|e| ClusterFault::sort("get", object, e))?;
            context.own.settled(REQUEST, &namespace, &name);
            if live.is_none_or(|r| !r.is_open()) {
                return Ok(None);
            }
        }
    }
    let verdict = match stop::answer(&context.world, cached, policy, context.now()) {
        // What loosens is taken only from who surely is who they say.
        Ok(_) if loosens(cached) && !guards::believed(context, cached).await => {
            Err(guards::NOT_BELIEVED.to_owned())
        }
        verdict => verdict,
    };
    let (state, message) = match verdict {
        Ok(message) => (RequestState::Accepted, message),
        Err(message) => (RequestState::Refused, message),
    };
    tracing::info!(
        request = name,
        by = cached.spec.requester,
        ?state,
        "{message}"
    );
    let status = RequestStatus {
        state,
        message,
        ..RequestStatus::default()
    };
    let answered = answer_request(&context.writer, cached, status).await?;
    context.own.wrote(REQUEST, &answered);
    Ok(None)
}

fn loosens(request: &Request) -> bool {
    request.spec.action == RequestAction::Start
}

/// Removes the oldest of those that have no effect any more: their number is people's, not ours.
async fn forget(context: &Context, policy: &Policy) {
    let spent = context.world.spent_requests(policy, context.now());
    let surplus = spent.len().saturating_sub(KEPT);
    for request in spent.iter().take(surplus) {
        if let Err(fault) = delete_request(&context.writer, request).await {
            tracing::debug!(%fault, "an old Request stays for now");
        }
    }
}

fn place(request: &Request) -> (String, String) {
    (request.namespace().unwrap_or_default(), request.name_any())
}
