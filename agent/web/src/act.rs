//! What people do: votes become Approvals, wishes become Requests, both in the name of whoever is
//! signed in, whatever the body says (reliability.md A5). Names are made from content, so that a
//! button pressed twice writes one object.

use axum::http::StatusCode;
use sluice_cluster::crd::RequestBody;
use sluice_core::approval::{Channel, Decision};
use sluice_core::authorize::Action;

use crate::admit::Known;
use crate::app::App;
use crate::body::Fields;
use crate::permit::permit;
use crate::problem::Problem;
use crate::text;
use crate::timely::{About, timely};
use crate::vote::vote;
use crate::wish::{about_rollout, wish};

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
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
    let reason = reason(fields, action)?;
    let done = match about {
        About::Vote(hash) => {
            same_hash(fields, &hash)?;
            let decision = match action {
                Action::Reject => Decision::Reject,
                _ => Decision::Approve,
            };
            vote(app, who, Channel::Web, &rollout, decision, hash, reason).await?
        }
        About::Rollout => {
            let body = RequestBody {
                rollout: Some(name.to_owned()),
                ..wish(who, action, reason)?
            };
            about_rollout(app, &rollout, fields, body).await?
        }
        About::Environment(revision) => {
            let body = RequestBody {
                pipeline: Some(rollout.spec.body.pipeline.clone()),
                environment: Some(rollout.spec.body.environment.clone()),
                tag: revision.tag,
                digest: Some(revision.digest),
                ..wish(who, action, reason)?
            };
            about_rollout(app, &rollout, fields, body).await?
        }
    };
    tracing::info!(rollout = name, namespace, by = who.username, %action, object = done.object, "web");
    Ok(done)
}

/// Whether nobody should do this without a word.
pub(crate) fn needs_reason(action: Action) -> bool {
    matches!(
        action,
        Action::Reject
            | Action::SkipCanary
            | Action::BreakGlass
            | Action::LiftQuarantine
            | Action::Stop
            | Action::Start
    )
}

fn conflict(code: &'static str, message: String) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        code,
        message,
        "open the rollout again and look",
    )
}

/// What somebody says about it. Some things nobody should do without a word.
pub(crate) fn reason(fields: &Fields, action: Action) -> Result<Option<String>, Problem> {
    let reason = text::reason(fields.get("reason"))?;
    if reason.is_none() && needs_reason(action) {
        return Err(text::unusable(
            "reason-missing",
            &format!("to {action} something, say why"),
            "write a sentence for those who read this later",
        ));
    }
    Ok(reason)
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
