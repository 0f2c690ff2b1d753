//! Votes: Approvals in the name of whoever is signed in, or of whom a verified callback names
//! (reliability.md A2, A5). Names are made from content: a button pressed twice writes one object.

use std::sync::Arc;

use kube::{Api, Resource as _, ResourceExt as _};
use sluice_cluster::crd::{Approval, ApprovalBody, Rollout};
use sluice_controller::votes_of;
use sluice_core::approval::{Channel, Decision, IgnoredWhy, Vote, count_votes};
use sluice_core::hash::{child_name, short_name_hash};
use sluice_core::policy::Identity;

use crate::act::Done;
use crate::app::App;
use crate::problem::Problem;
use crate::write;

/// Records a vote on this hash.
pub(crate) async fn vote(
    app: &App,
    who: &Identity,
    channel: Channel,
    rollout: &Arc<Rollout>,
    decision: Decision,
    hash: String,
    reason: Option<String>,
) -> Result<Done, Problem> {
    let namespace = rollout.namespace().unwrap_or_default();
    let uid = rollout.uid().unwrap_or_default();
    would_count(app, who, channel, rollout, decision, &hash)?;
    let said = match decision {
        Decision::Approve => "approve",
        Decision::Reject => "reject",
    };
    let part = short_name_hash(&[&uid, who.provider.as_str(), &who.username, said, &hash]);
    let mut approval = Approval::new(
        &child_name(&rollout.name_any(), &part),
        ApprovalBody {
            rollout: rollout.name_any(),
            rollout_uid: uid,
            hash,
            approver: who.username.clone(),
            provider: who.provider,
            groups: who.groups.clone(),
            decision,
            channel,
            reason,
        },
    );
    approval
        .owner_references_mut()
        .extend(rollout.owner_ref(&()));
    let api: Api<Approval> = Api::namespaced(app.client.clone(), &namespace);
    let same = |there: &Approval| {
        let (a, b) = (&there.spec, &approval.spec);
        (&a.rollout_uid, &a.hash, &a.approver, a.provider, a.decision)
            == (&b.rollout_uid, &b.hash, &b.approver, b.provider, b.decision)
    };
    let repeated = write::create(app, &api, "record the vote", &approval, same).await?;
    Ok(Done {
        object: format!("approvals/{}", approval.name_any()),
        by: who.username.clone(),
        repeated,
    })
}

/// Refuses a vote that would be ignored for a reason that its voter should hear now.
fn would_count(
    app: &App,
    who: &Identity,
    channel: Channel,
    rollout: &Rollout,
    decision: Decision,
    hash: &str,
) -> Result<(), Problem> {
    let spec = &rollout.spec.body;
    let policy = app.policy();
    let Ok(rules) = policy
        .environment(&spec.environment, &spec.target.namespace)
        .into_result()
    else {
        // Said by `permit` already; closed meanwhile is the engine's to say.
        return Ok(());
    };
    let rules = rules.for_rollout(spec);
    let mut votes = votes_of(
        &app.world,
        &rollout.namespace().unwrap_or_default(),
        &rollout.uid().unwrap_or_default(),
    );
    let now = app.now();
    let mine = "\u{0}this vote";
    votes.push(Vote {
        believed: true,
        id: mine.to_owned(),
        approver: who.clone(),
        channel,
        decision,
        hash: hash.to_owned(),
        at: now,
        reason: String::new(),
    });
    let requesters = policy.behind(spec);
    let tally = count_votes(&rules, &policy, &requesters, &votes, hash, now);
    let refused = tally
        .ignored
        .iter()
        .find(|ignored| ignored.vote == mine)
        .map(|i| i.why);
    match refused {
        Some(why @ (IgnoredWhy::SelfApproval | IgnoredWhy::NoRole)) => Err(Problem::forbidden(
            "vote-would-not-count",
            &format!("your vote would not count: {why}"),
            "somebody else with one of the missing roles decides",
        )),
        Some(why @ IgnoredWhy::TooManyByChat) => Err(Problem::forbidden(
            "vote-would-not-count",
            &format!("your vote would not count: {why}"),
            "vote on the page or by the CLI instead",
        )),
        // Harmless: the same again, or more than needed, which stands in when a role is lost.
        Some(
            IgnoredWhy::Superseded
            | IgnoredWhy::Unguarded
            | IgnoredWhy::Duplicate
            | IgnoredWhy::NotYet
            | IgnoredWhy::NotNeeded,
        )
        | None => Ok(()),
    }
}
