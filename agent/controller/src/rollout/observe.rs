//! The observation that one decision rests on.

use std::collections::BTreeMap;

use kube::ResourceExt;
use sluice_cluster::crd::{RequestAction, created};
use sluice_cluster::object::object;
use sluice_cluster::observe::{
    autoscaler, deployment, pods_in_the_way, revision_template, target_of,
};
use sluice_cluster::quota::quotas;
use sluice_core::approval::{Channel, Vote};
use sluice_core::hook::JobPods;
use sluice_core::pipeline::EnvironmentStatus;
use sluice_core::rollout::{
    Action, Journal, ObjectKind, ObjectRef, ObjectSeen, Observation, RequestSeen, RolloutView,
    Seen, State, canary_name, hook_pods_wanted, looks_at, quotas_wanted,
};

use crate::context::Context;
use crate::guards;
use crate::rollout::members::members;
use crate::world::World;

/// What can be seen of one Rollout; who else there is, the caller says.
pub(super) async fn observe(
    context: &Context,
    view: &RolloutView,
    journal: &Journal,
) -> Observation {
    if journal.state.ended() {
        return Observation::default();
    }
    let target = &view.spec.target;
    let client = &context.client;
    let namespace = target.namespace.as_str();
    let canary = canary_name(target.name(), &view.uid);
    let canary_matters = journal.state.begun() && target.kind() == ObjectKind::Deployment;
    let back = match (&journal.state, &journal.stable) {
        (State::RollingBack(_), Some(stable)) => Some(stable.name.clone()),
        _ => None,
    };
    let (target, canary, stable_template, return_template, autoscaler, objects, hook_pods, quotas) = futures::join!(
        target_of(client, target),
        async {
            if canary_matters {
                deployment(client, namespace, &canary).await
            } else {
                Seen::Absent
            }
        },
        async {
            match &back {
                Some(name) => revision_template(client, namespace, name).await,
                None => Seen::Absent,
            }
        },
        async {
            match &view.spec.returns_to {
                Some(r) => revision_template(client, namespace, &r.name).await,
                None => Seen::Absent,
            }
        },
        async {
            // Whose the number of pods is, is settled when it begins.
            if journal.state.begun() {
                Seen::Absent
            } else {
                autoscaler(
                    client,
                    view.spec.target.kind(),
                    namespace,
                    view.spec.target.name(),
                )
                .await
            }
        },
        objects(client, looks_at(view, journal)),
        hook_pods(client, namespace, journal),
        async {
            if quotas_wanted(view, journal) {
                quotas(client, namespace).await
            } else {
                Seen::Absent
            }
        },
    );
    let pods_in_the_way = match (&journal.state, target.present()) {
        (State::RollingBack(_), Some(t)) if t.kind == ObjectKind::StatefulSet && !t.settled() => {
            pods_in_the_way(client, t).await
        }
        _ => Seen::Absent,
    };
    let members = members(client, view, journal).await;
    Observation {
        pods_in_the_way,
        members,
        target,
        canary,
        stable_template,
        return_template,
        autoscaler,
        objects,
        hook_pods,
        quotas,
        votes: votes(context, view).await,
        requests: requests(context, view),
        environment: environment(context, view).await,
        plugins: context.ports.plugins.catalog(),
        ..Observation::default()
    }
}

/// The objects that the decision looks at, read live and at once: there are few.
async fn objects(
    client: &kube::Client,
    wanted: Vec<ObjectRef>,
) -> BTreeMap<String, Seen<ObjectSeen>> {
    let reads = wanted.into_iter().map(async |wanted| {
        let found = object(client, &wanted).await;
        (wanted.to_string(), found)
    });
    futures::future::join_all(reads).await.into_iter().collect()
}

/// The pods of hooks' Jobs, only while those run.
async fn hook_pods(
    client: &kube::Client,
    namespace: &str,
    journal: &Journal,
) -> BTreeMap<String, Seen<JobPods>> {
    let reads = hook_pods_wanted(journal).into_iter().map(async |job| {
        let found = sluice_cluster::hooks::pods(client, namespace, &job).await;
        (job, found)
    });
    futures::future::join_all(reads).await.into_iter().collect()
}

/// What the Pipeline remembers, read live: the end of a Rollout rests on it.
async fn environment(context: &Context, view: &RolloutView) -> Seen<EnvironmentStatus> {
    let api: kube::Api<sluice_cluster::crd::Pipeline> =
        kube::Api::namespaced(context.client.clone(), &view.namespace);
    match api.get_opt(&view.spec.pipeline).await {
        Ok(Some(p)) if p.spec.body.environment(&view.spec.environment).is_some() => {
            let status = p.status.unwrap_or_default();
            let found = status.environments.get(&view.spec.environment);
            Seen::Present(found.cloned().unwrap_or_default())
        }
        Ok(Some(_) | None) => Seen::Absent,
        Err(e) => {
            let object = format!("Pipeline {}/{}", view.namespace, view.spec.pipeline);
            let fault = sluice_cluster::fault::ClusterFault::sort("get", object, e);
            Seen::Unknown(fault.to_string())
        }
    }
}

/// The votes, and whether those that people wrote themselves can be believed.
async fn votes(context: &Context, view: &RolloutView) -> Vec<Vote> {
    let mut votes = votes_of(&context.world, &view.namespace, &view.uid);
    let own_hand = |v: &&mut Vote| v.channel == Channel::Kubernetes;
    if votes.iter_mut().any(|v| own_hand(&v)) {
        let believed = guards::hold(context, &view.namespace).await;
        votes
            .iter_mut()
            .filter(own_hand)
            .for_each(|v| v.believed = believed);
    }
    votes
}

/// The votes on a Rollout, as `core` counts them.
pub fn votes_of(world: &World, namespace: &str, rollout_uid: &str) -> Vec<Vote> {
    let mut votes: Vec<Vote> = world
        .approvals_of(namespace, rollout_uid)
        .iter()
        .map(|a| a.vote())
        .collect();
    votes.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    votes
}

fn requests(context: &Context, view: &RolloutView) -> Vec<RequestSeen> {
    context
        .world
        .requests_of(&view.namespace, &view.name)
        .iter()
        .filter_map(|r| {
            let action = match r.spec.action {
                RequestAction::Abort => Action::Abort,
                RequestAction::Rollback => Action::Rollback,
                RequestAction::Pause => Action::Pause,
                RequestAction::Resume => Action::Resume,
                RequestAction::Promote => Action::Promote,
                RequestAction::Deploy
                | RequestAction::Retry
                | RequestAction::LiftQuarantine
                | RequestAction::Adopt
                | RequestAction::Drill
                | RequestAction::Stop
                | RequestAction::Start => return None,
            };
            Some(RequestSeen {
                uid: r.uid()?,
                action,
                by: r.spec.asker(),
                reason: r.spec.reason.clone(),
                at: created(r.as_ref()),
            })
        })
        .collect()
}
