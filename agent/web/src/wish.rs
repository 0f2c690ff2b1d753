//! Wishes: Requests in the name of whoever is signed in. The engine judges each again.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use kube::{Api, Resource as _, ResourceExt as _};
use rand::RngExt as _;
use sluice_cluster::crd::{Pipeline, Request, RequestAction, RequestBody, Rollout};
use sluice_core::approval::Channel;
use sluice_core::authorize::Action;
use sluice_core::hash::{child_name, short_name_hash};
use sluice_core::policy::Identity;

use crate::act::{Done, reason};
use crate::admit::Known;
use crate::app::App;
use crate::body::Fields;
use crate::permit::{self, permit_global, permit_in};
use crate::problem::Problem;
use crate::{text, write};

/// Wishes about one Rollout, one Pipeline or everything that wait for an answer. More is a script
/// gone wild.
const OPEN_REQUESTS: usize = 32;
/// Longest key by which a program names one wish for all its tries.
const KEY_LIMIT: usize = 128;

/// A wish without its particulars.
pub(crate) fn wish(
    who: &Identity,
    action: Action,
    reason: Option<String>,
) -> Result<RequestBody, Problem> {
    let action = match action {
        Action::Abort => RequestAction::Abort,
        Action::Pause => RequestAction::Pause,
        Action::Resume => RequestAction::Resume,
        Action::Promote => RequestAction::Promote,
        Action::Rollback => RequestAction::Rollback,
        Action::Deploy => RequestAction::Deploy,
        Action::Retry => RequestAction::Retry,
        Action::LiftQuarantine => RequestAction::LiftQuarantine,
        Action::Stop => RequestAction::Stop,
        Action::Start => RequestAction::Start,
        // Votes, what only makes a deploy louder, and what the page does not offer.
        Action::Approve
        | Action::Reject
        | Action::SkipCanary
        | Action::BreakGlass
        | Action::Drill => {
            return Err(Problem::ours("an action without a wish"));
        }
    };
    Ok(RequestBody {
        reason,
        ..RequestBody::new(action, who, Channel::Web)
    })
}

/// Asks for something about one environment of a Pipeline: a version, another try, or the end of a
/// quarantine.
pub(crate) async fn about_pipeline(
    app: &App,
    known: &Known,
    action: Action,
    place: (&str, &str),
    headers: &HeaderMap,
    fields: &Fields,
) -> Result<Done, Problem> {
    let (namespace, name) = place;
    let pipeline = app
        .world
        .pipeline(namespace, name)
        .ok_or_else(|| Problem::not_found(&format!("the pipeline {namespace}/{name}")))?;
    let environment = fields.get("environment").ok_or_else(|| {
        let advice = "send `environment`: its name in the Pipeline";
        text::unusable("environment-missing", "no environment is named", advice)
    })?;
    let environment = pipeline
        .spec
        .body
        .environments
        .iter()
        .find(|e| e.name == environment)
        .ok_or_else(|| Problem::not_found(&format!("the environment {environment} there")))?;
    let target = (
        environment.name.as_str(),
        environment.target.namespace.as_str(),
    );
    let who = &known.who;
    let (mut loud, mut body) = (vec![action], wish(who, action, None)?);
    if action == Action::Deploy {
        body.skip_canary = fields.flag("skipCanary")?;
        body.break_glass = fields.flag("breakGlass")?;
        body.dry_run = fields.flag("dryRun")?;
        loud.extend(body.skip_canary.then_some(Action::SkipCanary));
        loud.extend(body.break_glass.then_some(Action::BreakGlass));
    }
    for action in loud {
        permit::by_policy_in(&app.policy(), who, action, target).map_err(permit::refused)?;
        body.reason = reason(fields, action)?;
    }
    permit_in(app, who, action, namespace, target).await?;
    (body.tag, body.digest) = text::version(fields.get("tag"), fields.get("digest"))?;
    body.pipeline = Some(name.to_owned());
    body.environment = Some(environment.name.clone());
    let waiting = waiting(app, |r| {
        r.metadata.namespace.as_deref() == Some(namespace)
            && r.spec.pipeline.as_deref() == Some(name)
    });
    not_too_many(waiting, "this pipeline")?;
    let part = key(headers, &[namespace, name], &body)?;
    let mut request = Request::new(&child_name(name, &part), body);
    let owner = Pipeline::owner_ref(&pipeline, &());
    request.owner_references_mut().extend(owner);
    put(app, namespace, request).await
}

/// Stops everything but rollbacks, or starts it again.
pub(crate) async fn about_everything(
    app: &App,
    known: &Known,
    action: Action,
    namespace: &str,
    headers: &HeaderMap,
    fields: &Fields,
) -> Result<Done, Problem> {
    let who = &known.who;
    permit_global(app, who, action, namespace).await?;
    let mut body = wish(who, action, reason(fields, action)?)?;
    if let Some(until) = fields.get("until").filter(|_| action == Action::Stop) {
        let at: Timestamp = until.parse().map_err(|_| {
            let advice = "write it as 2026-01-05T12:00:00Z";
            text::unusable("bad-until", "until is not an instant", advice)
        })?;
        if at <= app.now() {
            let advice = "name a later one, or none: then a person starts it again";
            return Err(text::unusable("bad-until", "until is past already", advice));
        }
        body.until = Some(at);
    }
    let waiting = waiting(app, |r| {
        r.spec.pipeline.is_none() && r.spec.rollout.is_none()
    });
    not_too_many(waiting, "everything")?;
    let part = key(headers, &[namespace], &body)?;
    put(
        app,
        namespace,
        Request::new(&child_name(action.as_str(), &part), body),
    )
    .await
}

/// What makes this wish one, however often it is sent: the key that a program gave it, or nothing.
fn key(headers: &HeaderMap, place: &[&str], body: &RequestBody) -> Result<String, Problem> {
    let given = match headers.get("idempotency-key") {
        None => format!("{:032x}", rand::rng().random::<u128>()),
        Some(given) => given
            .to_str()
            .ok()
            .filter(|key| !key.is_empty() && key.len() <= KEY_LIMIT)
            .map(str::to_owned)
            .ok_or_else(|| {
                let advice = "send up to 128 plain characters, or none";
                text::unusable("bad-key", "the Idempotency-Key is not usable", advice)
            })?,
    };
    let action = serde_json::to_string(&body.action).unwrap_or_default();
    let provider = body.provider.as_str();
    let parts = [place, &[&action, provider, &body.requester, &given]].concat();
    Ok(short_name_hash(&parts))
}

async fn put(app: &App, namespace: &str, request: Request) -> Result<Done, Problem> {
    let api: Api<Request> = Api::namespaced(app.client.clone(), namespace);
    let same = |there: &Request| there.spec == request.spec;
    let repeated = write::create(app, &api, "record the wish", &request, same).await?;
    let done = Done {
        object: format!("requests/{}", request.name_any()),
        by: request.spec.requester.clone(),
        repeated,
    };
    tracing::info!(
        namespace, by = done.by, object = done.object, repeated,
        action = ?request.spec.action, "web"
    );
    Ok(done)
}

fn waiting(app: &App, about: impl Fn(&Request) -> bool) -> usize {
    let pending = |r: &Request| about(r) && r.is_open();
    app.world.requests.state_filter(pending).len()
}

fn not_too_many(waiting: usize, about: &str) -> Result<(), Problem> {
    if waiting < OPEN_REQUESTS {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-wishes",
        format!("{waiting} wishes about {about} wait for an answer"),
        "wait until the agent has looked at them",
    ))
}

/// Records a wish about one Rollout.
pub(crate) async fn about_rollout(
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
        .filter(|r| r.is_open())
        .filter(|r| !looked_at(r))
        .count();
    not_too_many(waiting, "this rollout")?;
    // The same button on the same view of things is one wish; after the agent has acted on
    // something, pressing it is a new one.
    let newest = handled.last().map(|h| h.uid.as_str()).unwrap_or_default();
    let seen = fields
        .get("seen")
        .filter(|s| handled.iter().any(|h| h.uid == **s));
    let seen = seen.unwrap_or(newest);
    let action = serde_json::to_string(&body.action).unwrap_or_default();
    let digest = body.digest.clone().unwrap_or_default();
    let part = short_name_hash(&[
        &uid,
        &action,
        body.provider.as_str(),
        &body.requester,
        seen,
        &digest,
    ]);
    let by = body.requester.clone();
    let mut request = Request::new(&child_name(&rollout.name_any(), &part), body);
    request
        .owner_references_mut()
        .extend(rollout.owner_ref(&()));
    let api: Api<Request> = Api::namespaced(app.client.clone(), &namespace);
    let same = |there: &Request| {
        (
            there.spec.action,
            there.spec.provider,
            &there.spec.requester,
            &there.spec.rollout,
        ) == (
            request.spec.action,
            request.spec.provider,
            &request.spec.requester,
            &request.spec.rollout,
        )
    };
    let repeated = write::create(app, &api, "record the wish", &request, same).await?;
    Ok(Done {
        object: format!("requests/{}", request.name_any()),
        by,
        repeated,
    })
}
