//! The line before the target, where the policy limits how many Rollouts are under way at the same time
//! (requirement G13). Who stands in it looks, decides and writes alone, one after the other: what each
//! sees of the others is what they last wrote. So two can never take the last place.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, ListParams};
use sluice_cluster::crd::Rollout;
use sluice_core::policy::{EnvironmentVerdict, Policy};
use sluice_core::rollout::{Journal, Other, RolloutView, State};

use super::AFTER_CONFLICT;
use crate::backoff;
use crate::context::Context;
use crate::own::{Cache, ROLLOUT};

/// Whether this Rollout may have to wait for others, wherever they are.
pub(super) fn stands(policy: &Policy, view: &RolloutView, journal: &Journal) -> bool {
    let spec = &view.spec;
    let has_changed = journal.state.begun() && journal.claimed;
    let over = matches!(journal.state, State::Recording(_) | State::Ended(_));
    if has_changed || over || spec.dry_run || spec.returns_to.is_some() {
        return false;
    }
    match policy.environment(&spec.environment, &spec.target.namespace) {
        EnvironmentVerdict::Closed(_) => false,
        EnvironmentVerdict::Open(rules) => {
            let here = rules.for_rollout(spec).limits.concurrent_rollouts;
            here.is_some() || policy.limits.concurrent_rollouts.is_some()
        }
    }
}

/// All other live Rollouts of this agent, or when to look again. From the cache, as far as it has what
/// this agent itself wrote.
pub(super) async fn others(context: &Context, view: &RolloutView) -> Result<Vec<Other>, Duration> {
    let all = match cache(context, view) {
        Cache::Current => context.world.rollouts.state(),
        Cache::Behind => return Err(AFTER_CONFLICT),
        Cache::Stuck => live(context, view).await?,
    };
    let mut out: Vec<Other> = all
        .iter()
        .filter(|r| r.uid().as_deref() != Some(view.uid.as_str()))
        .filter_map(|r| other(r))
        .collect();
    out.sort_by(|a, b| (a.slot_wanted_at, &a.name).cmp(&(b.slot_wanted_at, &b.name)));
    Ok(out)
}

/// How the cache stands to this agent's writes, as far as they could mean that another one has begun.
/// One that the cache knows to have begun counts until the cache knows that it has ended: that errs
/// towards waiting.
fn cache(context: &Context, view: &RolloutView) -> Cache {
    let mut found = Cache::Current;
    for (namespace, name) in context.own.unseen(ROLLOUT) {
        let cached = context.world.rollout(&namespace, &name);
        let settled = cached
            .as_ref()
            .and_then(|r| r.status.as_ref())
            .is_some_and(|j| takes_place(j) || j.state.ended());
        if settled || (namespace == view.namespace && name == view.name) {
            continue;
        }
        match context
            .own
            .state(ROLLOUT, &namespace, &name, cached.as_deref())
        {
            Cache::Current => {}
            Cache::Behind => found = Cache::Behind,
            Cache::Stuck => return Cache::Stuck,
        }
    }
    found
}

async fn live(context: &Context, view: &RolloutView) -> Result<Vec<Arc<Rollout>>, Duration> {
    let api: Api<Rollout> = match &context.namespace {
        Some(namespace) => Api::namespaced(context.client.clone(), namespace),
        None => Api::all(context.client.clone()),
    };
    match api.list(&ListParams::default()).await {
        Ok(list) => {
            for (namespace, name) in context.own.unseen(ROLLOUT) {
                context.own.settled(ROLLOUT, &namespace, &name);
            }
            Ok(list.items.into_iter().map(Arc::new).collect())
        }
        Err(e) => {
            tracing::warn!(rollout = view.name, error = %e, "Rollouts cannot be listed; tries again");
            Err(backoff::wait(2))
        }
    }
}

fn other(r: &Rollout) -> Option<Other> {
    let journal = r.status.as_ref();
    if r.spec.body.dry_run || journal.is_some_and(|j| j.state.ended()) {
        return None;
    }
    Some(Other {
        name: r.name_any(),
        environment: r.spec.body.environment.clone(),
        begun: journal.is_some_and(takes_place),
        slot_wanted_at: journal.and_then(|j| j.slot_wanted_at),
    })
}

/// Whether a Rollout counts as under way. What never began and is being recorded does not.
fn takes_place(journal: &Journal) -> bool {
    let recorded = matches!(journal.state, State::Recording(_)) && journal.started_at.is_some();
    journal.state.begun() || recorded
}
