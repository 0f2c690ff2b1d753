//! Callbacks of approval providers: somebody pressed a button elsewhere. The plugin host says who it
//! was and for which hash; the policy says whether they may; the vote is an Approval like any other
//! (reliability.md A5, H1, H3).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use sluice_cluster::crd::Rollout;
use sluice_core::approval::{Channel, Decision};
use sluice_core::authorize::Action;
use sluice_core::plugin::{ApprovalStatus, PluginAnswer, PluginCall};
use sluice_core::policy::IdentityProvider;
use sluice_core::rollout::{State, provider_calls};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::raw;
use crate::app::App;
use crate::doors::Verified;
use crate::permit::permit;
use crate::problem::Problem;
use crate::text;
use crate::view::{self, Scene};
use crate::vote::vote;

/// The sender is answered after so long, done or not: Slack gives up, and sends again, after 3 s.
const ACKNOWLEDGE: Duration = Duration::from_millis(2_500);
/// Work goes on for so long behind an answer that said "received".
const PATIENCE: Duration = Duration::from_secs(30);
/// Callbacks that are worked on at the same time.
const UNFINISHED: usize = 32;
/// Headers of one callback at most.
const HEADERS: usize = 64;

/// Work that has begun for verified callbacks. Ends with the agent; the sender's next try, or the
/// next press of the button, does it again.
#[derive(Default)]
pub(crate) struct Unfinished(Mutex<JoinSet<()>>);

impl Unfinished {
    fn take(&self, work: impl Future<Output = ()> + Send + 'static) -> Result<(), Problem> {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= UNFINISHED {
            return Err(Problem::busy("the places for callbacks"));
        }
        tasks.spawn(async move {
            // Over time is over: the button can be pressed again.
            let _ = tokio::time::timeout(PATIENCE, work).await;
        });
        Ok(())
    }
}

/// Takes a callback for a plugin.
pub(crate) async fn callback(
    app: &Arc<App>,
    plugin: &str,
    parts: &Parts,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = raw::bytes(parts, body).await?;
    let headers = headers(parts)?;
    let receive = app
        .doors
        .callbacks
        .receive(plugin, &headers, &bytes, app.now());
    let received = tokio::time::timeout(ACKNOWLEDGE, receive).await;
    let received = received.map_err(|_| Problem::busy("the secrets of callbacks"))?;
    let verified = received.map_err(|refused| {
        tracing::warn!(
            plugin,
            status = refused.status,
            why = refused.sentence,
            "a callback is refused"
        );
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::FORBIDDEN);
        let advice = "the operator's grant for the plugin's callbacks says what they must be";
        Problem::new(status, "callback-refused", refused.sentence, advice)
    })?;
    let (done, told) = oneshot::channel();
    let own = Arc::clone(app);
    let unfinished = app.unfinished.upgrade();
    let unfinished = unfinished.ok_or_else(|| Problem::busy("the places for callbacks"))?;
    unfinished.take(async move {
        let said = settle(&own, &verified).await;
        tracing::info!(
            plugin = verified.plugin,
            by = verified.person.username,
            said,
            "a callback"
        );
        // Nobody listens any more where the answer was "received".
        let _ = done.send(said);
    })?;
    let said = match tokio::time::timeout(ACKNOWLEDGE, told).await {
        Ok(Ok(said)) => said,
        Ok(Err(_)) | Err(_) => "received".to_owned(),
    };
    Ok((StatusCode::OK, format!("{said}\n")).into_response())
}

fn headers(parts: &Parts) -> Result<Vec<(String, String)>, Problem> {
    let refused = || raw::bad("the headers are too many, or not text");
    if parts.headers.len() > HEADERS {
        return Err(refused());
    }
    parts
        .headers
        .iter()
        .map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect::<Option<_>>()
        .ok_or_else(refused)
}

/// What becomes of a verified callback, in words for whoever pressed the button.
async fn settle(app: &App, verified: &Verified) -> String {
    let Some(subject) = &verified.subject else {
        return "nothing to do".to_owned();
    };
    let Some(rollout) = open(app, subject) else {
        return "superseded: what this button was made for is not asked any more".to_owned();
    };
    match ask(app, verified, &rollout, subject).await {
        Ok(Some(ApprovalStatus::Decided(decision))) if decision.subject_digest == *subject => {
            let (decision, action) = if decision.approved {
                ((Decision::Approve, decision.reason), Action::Approve)
            } else {
                ((Decision::Reject, decision.reason), Action::Reject)
            };
            let done = record(app, verified, &rollout, subject, decision, action).await;
            done.unwrap_or_else(|problem| format!("not recorded: {}", problem.message))
        }
        Ok(Some(ApprovalStatus::Decided(_))) => {
            "not recorded: the plugin read a decision about something else".to_owned()
        }
        Ok(Some(ApprovalStatus::Pending(_)) | None) => "nothing is decided yet".to_owned(),
        Ok(Some(ApprovalStatus::Expired)) => {
            "not recorded: the provider gave up on the request".to_owned()
        }
        Err(why) => {
            tracing::warn!(
                plugin = verified.plugin,
                why,
                "a plugin does not read a callback"
            );
            "not recorded: the plugin does not answer; press the button again later".to_owned()
        }
    }
}

/// Lets the plugin read what it means. The context is that of the request which the agent opened
/// with it; without one it has nothing to say.
async fn ask(
    app: &App,
    verified: &Verified,
    rollout: &Rollout,
    subject: &str,
) -> Result<Option<ApprovalStatus>, String> {
    let view = sluice_controller::view(rollout)?;
    let journal = rollout.status.clone().unwrap_or_default();
    let asked = journal
        .asked
        .iter()
        .any(|asked| asked.hash == subject && asked.ticket.is_some());
    let facts = view::facts(&Scene::of(app), &view, &journal);
    // The current request comes first.
    let context = provider_calls(&view, &journal, &facts, &verified.plugin)
        .into_iter()
        .next()
        .filter(|_| asked);
    let Some((invocation, ticket)) = context else {
        return Err("nothing is open with it about this".to_owned());
    };
    let call = PluginCall::ApprovalCallback {
        plugin: verified.plugin.clone(),
        invocation,
        ticket,
        headers: verified.headers.clone(),
        body: verified.body.clone(),
    };
    match app.doors.callbacks.ask(call).await {
        PluginAnswer::ApprovalCallback(status) => Ok(status),
        PluginAnswer::Failed(fault) => Err(format!("{}: {}", fault.code, fault.message)),
        _ => Err("it answered another question".to_owned()),
    }
}

/// The Rollout that asks for votes on this hash now.
fn open(app: &App, subject: &str) -> Option<Arc<Rollout>> {
    let asks = |r: &Rollout| {
        r.status.as_ref().is_some_and(|journal| {
            matches!(journal.state, State::AwaitingApproval)
                && journal.approval.as_ref().is_some_and(|a| a.hash == subject)
        })
    };
    app.world.rollouts.find(asks)
}

async fn record(
    app: &App,
    verified: &Verified,
    rollout: &Arc<Rollout>,
    hash: &str,
    (decision, reason): (Decision, String),
    action: Action,
) -> Result<String, Problem> {
    let who = &verified.person;
    let channel = match who.provider {
        IdentityProvider::Slack => Channel::Slack,
        IdentityProvider::Plugin => Channel::Plugin,
        // Somebody whom the operator's grant names by another provider's words.
        IdentityProvider::Kubernetes | IdentityProvider::Oidc | IdentityProvider::Caller => {
            return Err(Problem::ours(
                "a callback of somebody who does not vote this way",
            ));
        }
    };
    let namespace = rollout.metadata.namespace.clone().unwrap_or_default();
    permit(app, who, action, &namespace, &rollout.spec.body).await?;
    let reason: String = reason.chars().take(text::REASON_LIMIT).collect();
    let reason = text::reason(Some(reason.trim()).filter(|r| !r.is_empty()))?;
    let done = vote(
        app,
        who,
        channel,
        rollout,
        decision,
        hash.to_owned(),
        reason,
    )
    .await?;
    Ok(if done.repeated {
        "recorded before".to_owned()
    } else {
        "recorded".to_owned()
    })
}
