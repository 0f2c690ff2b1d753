//! The other live Rollouts of the same target. From the cache, unless the cache is behind what this
//! agent itself wrote: a Rollout that it does not show may have begun already (reliability.md R2).

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, ListParams};
use sluice_cluster::crd::{Rollout, created};
use sluice_core::rollout::{RolloutView, Sibling, SiblingStage, State};

use super::AFTER_CONFLICT;
use crate::backoff;
use crate::context::Context;
use crate::own::{Cache, ROLLOUT};

/// The siblings, or when to look again.
pub(super) async fn siblings(
    context: &Context,
    view: &RolloutView,
) -> Result<Vec<Sibling>, Duration> {
    let all = match cache(context, view) {
        Cache::Current => context.world.rollouts.state(),
        Cache::Behind => return Err(AFTER_CONFLICT),
        Cache::Stuck => live(context, view).await?,
    };
    let target = &view.spec.target;
    let same_target = |r: &&Arc<Rollout>| {
        let other = &r.spec.body.target;
        r.uid().as_deref() != Some(view.uid.as_str())
            // A workload in common is enough: of a group each is claimed by one Rollout at a time.
            && target.shares(other)
            // What changes nothing is in nobody's way.
            && !r.spec.body.dry_run
    };
    let mut out: Vec<Sibling> = all
        .iter()
        .filter(same_target)
        .filter_map(|r| sibling(r))
        .collect();
    out.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
    Ok(out)
}

/// How the cache stands to this agent's writes of other Rollouts. This one is read live anyway.
fn cache(context: &Context, view: &RolloutView) -> Cache {
    let namespace = view.namespace.as_str();
    let mut found = Cache::Current;
    for (_, name) in unseen(context, namespace) {
        let cached = context.world.rollout(namespace, &name);
        let other_target = cached
            .as_ref()
            .is_some_and(|r| !view.spec.target.shares(&r.spec.body.target));
        if name == view.name || other_target {
            continue;
        }
        match context
            .own
            .state(ROLLOUT, namespace, &name, cached.as_deref())
        {
            Cache::Current => {}
            Cache::Behind => found = Cache::Behind,
            Cache::Stuck => return Cache::Stuck,
        }
    }
    found
}

fn unseen(context: &Context, namespace: &str) -> Vec<(String, String)> {
    let mut unseen = context.own.unseen(ROLLOUT);
    unseen.retain(|(of, _)| of == namespace);
    unseen
}

async fn live(context: &Context, view: &RolloutView) -> Result<Vec<Arc<Rollout>>, Duration> {
    let api: Api<Rollout> = Api::namespaced(context.client.clone(), &view.namespace);
    match api.list(&ListParams::default()).await {
        Ok(list) => {
            for (namespace, name) in unseen(context, &view.namespace) {
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

fn sibling(r: &Rollout) -> Option<Sibling> {
    let stage = match r.status.as_ref().map(|j| &j.state) {
        None | Some(State::Queued) => SiblingStage::Queued,
        Some(State::Planning { .. } | State::AwaitingApproval) => SiblingStage::Waiting,
        Some(
            State::Preparing(_)
            | State::Progressing(_)
            | State::Promoting(_)
            | State::Watching(_)
            | State::Finishing(_)
            | State::RollingBack(_)
            | State::Recording(_),
        ) => SiblingStage::Begun,
        Some(State::Ended(_)) => return None,
    };
    let spec = &r.spec.body;
    Some(Sibling {
        name: r.name_any(),
        uid: r.uid()?,
        pipeline: spec.pipeline.clone(),
        created_at: created(r),
        stage,
        returns: spec.returns_to.is_some(),
        title: spec.title(),
    })
}
