//! Canaries that nobody knows any more. The epoch fences changes, not creations: what a leader sent
//! before it was stopped can arrive when the next one has ended that Rollout and cleaned up after it.
//! It arrives empty (reliability.md W4), and is removed here.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::PartialObjectMeta;
use sluice_cluster::crd::Rollout;
use sluice_cluster::execute::execute;
use sluice_cluster::fault::ClusterFault;
use sluice_cluster::observe::deployment;
use sluice_core::rollout::{Effect, ROLLOUT_LABEL, Seen};

use crate::backoff;
use crate::context::Context;
use crate::queue::Key;

/// While its Rollout is under way a canary is that Rollout's business; then it is looked at once more.
const WHILE_IT_RUNS: Duration = Duration::from_secs(30);

/// What to look at when a Deployment was seen: the canary of some Rollout.
pub(crate) fn key(
    found: &PartialObjectMeta<k8s_openapi::api::apps::v1::Deployment>,
) -> Option<Key> {
    Some(Key::Canary {
        namespace: found.namespace()?,
        name: found.name_any(),
        rollout_uid: found.labels().get(ROLLOUT_LABEL)?.clone(),
    })
}

/// Removes it, if its Rollout is over and no pod is in it. Returns when to look again.
pub(crate) async fn reconcile(
    context: &Arc<Context>,
    namespace: &str,
    name: &str,
    rollout_uid: &str,
) -> Option<Duration> {
    // A Rollout that this agent does not know may be another agent's.
    let rollout = owner(context, rollout_uid)?;
    if !rollout.status.as_ref().is_some_and(|j| j.state.ended()) {
        return Some(WHILE_IT_RUNS);
    }
    let found = match deployment(&context.client, namespace, name).await {
        Seen::Present(found) => found,
        Seen::Absent => return None,
        Seen::Unknown(why) => {
            tracing::warn!(
                namespace,
                name,
                why,
                "a canary of an ended Rollout cannot be read"
            );
            return Some(backoff::wait(2));
        }
    };
    if !found.made_by(rollout_uid) || found.replicas > 0 || found.pods > 0 {
        return None;
    }
    let effect = Effect::Delete {
        object: found.guard(),
    };
    match execute(&context.writer, &effect, ("", "", "")).await {
        Ok(()) => {
            tracing::info!(
                namespace,
                name,
                "removed the empty canary of an ended Rollout"
            );
            None
        }
        Err(ClusterFault::Deposed { .. }) => {
            context.deposed();
            None
        }
        Err(fault) => {
            tracing::warn!(error = %crate::rollout::chain(&fault), "an empty canary stays for now");
            Some(backoff::wait(2))
        }
    }
}

fn owner(context: &Context, rollout_uid: &str) -> Option<Arc<Rollout>> {
    let rollouts = context.world.rollouts.state();
    rollouts
        .into_iter()
        .find(|r| r.uid().as_deref() == Some(rollout_uid))
}
