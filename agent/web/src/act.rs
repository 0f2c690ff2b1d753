//! What people do: votes become Approvals, wishes become Requests, both in the name of whoever is
//! signed in, whatever the body says (reliability.md A5). Names are made from content, so that a
//! button pressed twice writes one object.

use std::sync::Arc;

use axum::http::StatusCode;
use kube::api::PostParams;
use kube::{Api, Resource, ResourceExt};
use sluice_cluster::crd::{
    Approval, ApprovalBody, Request, RequestAction, RequestBody, RequestState, Rollout,
};
use sluice_controller::votes_of;
use sluice_core::approval::{Channel, Decision, IgnoredWhy, Vote, count_votes};
use sluice_core::authorize::Action;
use sluice_core::hash::{child_name, short_name_hash};
use sluice_core::policy::Identity;

use crate::admit::Known;
use crate::app::App;
use crate::body::Fields;
use crate::permit::permit;
use crate::problem::Problem;
use crate::timely::{About, timely};
use crate::write;

/// Characters of a reason: what a journal keeps of a text.
const REASON_LIMIT: usize = 500;
/// Wishes about one Rollout that wait for an answer. More is a script gone wild.
const OPEN_REQUESTS: usize = 32;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Done {
    /// The object, as `approvals/name`.
    pub(crate) object: String,
    /// In whose name.
    pub(crate) by: String,
    /// Whether the same was said before.
    pub(crate) repeated: bool,
}

/// Does one action to one Rollout, for one person.
pub(crate) async fn act(
    app: &App,
    known: &Known,
    action: Action,
    namespace: &str,
    name: &str,
    fields: &Fields,
) -> Result<Done, Problem> {
    let rollout = app
        .world
        .rollout(namespace, name)
        .ok_or_else(|| Problem::not_found(&format!("the rollout {namespace}/{name}")))?;
    let who = &known.who;
    permit(app, who, action, namespace, &rollout.spec.body).await?;
    let journal = rollout.status.clone().unwrap_or_default();
    let pipeline = app.world.pipeline(namespace, &rollout.spec.body.pipeline);
    let about = timely(
        action,
        name,
        &rollout.spec.body,
        &journal,
        pipeline.as_deref(),
    )
    .map_err(|why| conflict("not-now", why))?;
    let reason = reason(fields)?;
    if reason.is_none() && needs_reason(action) {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "reason-missing",
            format!("to {action} something, say why"),
            "write a sentence for those who read this later",
        ));
    }
    let done = match about {
        About::Vote(hash) => {
            same_hash(fields, &hash)?;
            let decision = match action {
                Action::Reject => Decision::Reject,
                _ => Decision::Approve,
            };
            vote(app, who, &rollout, decision, hash, reason).await?
        }
        About::Rollout => {
            let body = RequestBody {
                rollout: Some(name.to_owned()),
                ..wish(who, action, reason)?
            };
            request(app, &rollout, fields, body).await?
        }
        About::Environment(revision) => {
            let body = RequestBody {
                pipeline: Some(rollout.spec.body.pipeline.clone()),
                environment: Some(rollout.spec.body.environment.clone()),
                tag: revision.tag,
                digest: Some(revision.digest),
                ..wish(who, action, reason)?
            };
            request(app, &rollout, fields, body).await?
        }
    };
    tracing::info!(rollout = name, namespace, by = who.username, %action, object = done.object, "web");
    Ok(done)
}

/// Whether nobody should do this without a word.
pub(crate) fn needs_reason(action: Action) -> bool {
    matches!(action, Action::Reject)
}

fn conflict(code: &'static str, message: String) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        code,
        message,
        "open the rollout again and look",
    )
}

/// The reason, without what could garble a terminal.
fn reason(fields: &Fields) -> Result<Option<String>, Problem> {
    let Some(text) = fields.get("reason") else {
        return Ok(None);
    };
    if text.chars().count() > REASON_LIMIT {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "reason-too-long",
            format!("the reason is longer than {REASON_LIMIT} characters"),
            "say it shorter",
        ));
    }
    Ok(Some(
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
    ))
}

/// A vote is for what its voter saw, and for nothing else (A2).
fn same_hash(fields: &Fields, now: &str) -> Result<(), Problem> {
    match fields.get("hash") {
        Some(seen) if seen == now => Ok(()),
        Some(_) => Err(conflict(
            "changed",
            "what would change has changed since you looked; nothing was recorded".to_owned(),
        )),
        None => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "hash-missing",
            "the vote does not say what it is for",
            "send `hash`: the approval hash that you looked at",
        )),
    }
}

async fn vote(
    app: &App,
    who: &Identity,
    rollout: &Arc<Rollout>,
    decision: Decision,
    hash: String,
    reason: Option<String>,
) -> Result<Done, Problem> {
    let namespace = rollout.namespace().unwrap_or_default();
    let uid = rollout.uid().unwrap_or_default();
    would_count(app, who, rollout, decision, &hash)?;
    let said = match decision {
        Decision::Approve => "approve",
        Decision::Reject => "reject",
    };
    let part = short_name_hash(&[&uid, &who.username, said, &hash]);
    let mut approval = Approval::new(
        &child_name(&rollout.name_any(), &part),
        ApprovalBody {
            rollout: rollout.name_any(),
            rollout_uid: uid,
            hash,
            approver: who.username.clone(),
            groups: who.groups.clone(),
            decision,
            channel: Channel::Web,
            reason,
        },
    );
    approval
        .owner_references_mut()
        .extend(rollout.owner_ref(&()));
    let api: Api<Approval> = Api::namespaced(app.client.clone(), &namespace);
    let same = |there: &Approval| {
        let (a, b) = (&there.spec, &approval.spec);
        (&a.rollout_uid, &a.hash, &a.approver, a.decision)
            == (&b.rollout_uid, &b.hash, &b.approver, b.decision)
    };
    let repeated = create(app, &api, "record the vote", &approval, same).await?;
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
        channel: Channel::Web,
        decision,
        hash: hash.to_owned(),
        at: now,
        reason: String::new(),
    });
    let requesters: Vec<Identity> = spec.cause.requester.iter().cloned().collect();
    let tally = count_votes(rules, &policy, &requesters, &votes, hash, now);
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

fn wish(who: &Identity, action: Action, reason: Option<String>) -> Result<RequestBody, Problem> {
    let action = match action {
        Action::Abort => RequestAction::Abort,
        Action::Pause => RequestAction::Pause,
        Action::Resume => RequestAction::Resume,
        Action::Promote => RequestAction::Promote,
        Action::Rollback => RequestAction::Rollback,
        Action::Approve
        | Action::Reject
        | Action::Deploy
        | Action::Retry
        | Action::LiftQuarantine => return Err(Problem::ours("an action without a wish")),
    };
    Ok(RequestBody {
        action,
        pipeline: None,
        environment: None,
        rollout: None,
        tag: None,
        digest: None,
        reason,
        requester: who.username.clone(),
        groups: who.groups.clone(),
        channel: Channel::Web,
    })
}

async fn request(
    app: &App,
    rollout: &Arc<Rollout>,
    fields: &Fields,
    body: RequestBody,
) -> Result<Done, Problem> {
    let namespace = rollout.namespace().unwrap_or_default();
    let uid = rollout.uid().unwrap_or_default();
    let journal = rollout.status.clone().unwrap_or_default();
    let handled = &journal.handled;
    let looked_at = |r: &Request| {
        let place = (r.creation_timestamp().map(|t| t.0), r.uid());
        let until = journal.handled_until.as_ref();
        handled.iter().any(|h| Some(&h.uid) == place.1.as_ref())
            || until.is_some_and(|u| place <= (Some(u.at), Some(u.uid.clone())))
    };
    let waiting = app
        .world
        .requests_of(&namespace, &rollout.name_any())
        .iter()
        .filter(|r| {
            r.status
                .as_ref()
                .is_none_or(|s| s.state == RequestState::Pending)
        })
        .filter(|r| !looked_at(r))
        .count();
    if waiting >= OPEN_REQUESTS {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-wishes",
            format!("{waiting} wishes about this rollout wait for an answer"),
            "wait until the agent has looked at them",
        ));
    }
    // The same button on the same view of things is one wish; after the agent has acted on
    // something, pressing it is a new one.
    let newest = handled.last().map(|h| h.uid.as_str()).unwrap_or_default();
    let seen = fields
        .get("seen")
        .filter(|s| handled.iter().any(|h| h.uid == **s));
    let seen = seen.unwrap_or(newest);
    let action = serde_json::to_string(&body.action).unwrap_or_default();
    let digest = body.digest.clone().unwrap_or_default();
    let part = short_name_hash(&[&uid, &action, &body.requester, seen, &digest]);
    let by = body.requester.clone();
    let mut request = Request::new(&child_name(&rollout.name_any(), &part), body);
    request
        .owner_references_mut()
        .extend(rollout.owner_ref(&()));
    let api: Api<Request> = Api::namespaced(app.client.clone(), &namespace);
    let same = |there: &Request| {
        (
            there.spec.action,
            &there.spec.requester,
            &there.spec.rollout,
        ) == (
            request.spec.action,
            &request.spec.requester,
            &request.spec.rollout,
        )
    };
    let repeated = create(app, &api, "record the wish", &request, same).await?;
    Ok(Done {
        object: format!("requests/{}", request.name_any()),
        by,
        repeated,
    })
}

/// Creates an object; the same one that is there already is as good. Tells which it was.
async fn create<K>(
    app: &App,
    api: &Api<K>,
    what: &str,
    object: &K,
    same: impl Fn(&K) -> bool,
) -> Result<bool, Problem>
where
    K: Resource + Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    match write::call(&app.calls, what, api.create(&PostParams::default(), object)).await? {
        Ok(_) => Ok(false),
        Err(e) if write::exists_already(&e) => {
            let there = write::call(&app.calls, what, api.get(&object.name_any()))
                .await?
                .map_err(|e| write::problem(what, &e))?;
            if same(&there) {
                return Ok(true);
            }
            // Somebody took the name for another object: not ours, and not to be trusted.
            Err(conflict(
                "name-taken",
                format!("{} exists and says something else", object.name_any()),
            ))
        }
        Err(e) => Err(write::problem(what, &e)),
    }
}
