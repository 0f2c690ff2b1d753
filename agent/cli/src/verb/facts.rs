//! What an approver sees of a Rollout, by core's one function for it, as far as the caller may look.

use jiff::Timestamp;
use kube::ResourceExt;
use sluice_cluster::crd::{Pipeline, Request, Rollout};
use sluice_core::approval::Vote;
use sluice_core::policy::Policy;
use sluice_core::rollout::{Facts, Journal, Known, RolloutView, Why, facts};

use super::objects;
use super::policy::cluster;
use crate::access::Access;
use crate::text::rollout::why;

/// The facts. Without the right to read the policy or the votes the agent's own words stand for who is
/// missing.
pub(crate) async fn of(
    access: &Access,
    rollout: &Rollout,
    journal: &Journal,
    now: Timestamp,
) -> Facts {
    let spec = &rollout.spec.body;
    let policy = cluster::policy(access, None).await.ok();
    let pipeline: Option<Pipeline> = objects::find(access, &spec.pipeline).await.ok().flatten();
    let votes: Option<Vec<Vote>> = objects::votes(access, rollout).await.ok();
    let stop = match (&policy, objects::list::<Request>(access, false).await) {
        (Some((policy, _)), Ok((requests, _))) => cluster::stop(&requests, policy, now),
        (_, _) => None,
    };
    let view = RolloutView {
        namespace: rollout.namespace().unwrap_or_default(),
        name: rollout.name_any(),
        uid: rollout.uid().unwrap_or_default(),
        created_at: rollout.creation_timestamp().map_or(now, |at| at.0),
        spec: spec.clone(),
    };
    let known = Known {
        votes: votes.as_deref().unwrap_or_default(),
        pipeline: pipeline.as_ref().and_then(|p| p.status.as_ref()),
        stop: stop.as_ref(),
    };
    let in_force = policy.as_ref().map(|(policy, _)| policy);
    let mut found = facts(
        &view,
        journal,
        in_force.unwrap_or(&Policy::absent()),
        &known,
        now,
    );
    // Votes that cannot be seen are not missing.
    if in_force.is_none() || votes.is_none() {
        as_the_agent_says(&mut found, spec.cause.requester.as_ref(), journal);
    }
    found
}

/// Who is missing and what holds it, as the journal has it.
fn as_the_agent_says(
    facts: &mut Facts,
    requester: Option<&sluice_core::policy::Identity>,
    journal: &Journal,
) {
    facts.opens = why(journal);
    facts.requester = requester.map(|who| who.username.clone());
    if let Some(Why::WaitsForVotes { missing, .. }) = &journal.why {
        facts.missing.clone_from(missing);
    }
}
