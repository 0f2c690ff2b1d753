//! People's wishes about an environment: deploy, go back, retry, lift, adopt.

use kube::ResourceExt;
use sluice_cluster::crd::{Request, RequestAction, RequestState, RequestStatus, created};
use sluice_core::admit::{Candidate, PipelineView};
use sluice_core::approval::Channel;
use sluice_core::authorize::{Action, authorize};
use sluice_core::pipeline::{EnvironmentSpec, Revision, TriggerKind};
use sluice_core::policy::{EnvironmentVerdict, Identity, IdentityProvider};
use sluice_core::port::RegistryFault;
use sluice_core::rollout::{CandidateImage, Cause, Emergency};

use super::create::Proposed;
use super::{Held, baseline, propose, remember, status_of};
use crate::context::Context;
use crate::guards;
use crate::rollout::answer as answer_to;
use crate::stop;

/// Acts on every wish about this environment that has no answer yet, oldest first.
pub(super) async fn grant(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
) -> Result<(), Held> {
    let mut open = context.world.requests.state_filter(|r| {
        r.namespace().as_deref() == Some(namespace)
            && r.spec.rollout.is_none()
            && r.spec.pipeline.as_deref() == Some(view.name.as_str())
            && r.spec.environment.as_deref() == Some(environment.name.as_str())
            && r.is_open()
            // Whether it is about everything after all is said elsewhere.
            && !stop::is_global(r)
    });
    open.sort_by_key(|r| (created(r.as_ref()), r.name_any()));
    let mut held: Option<Held> = None;
    for request in open {
        let answer = match one(context, namespace, view, environment, &request).await {
            Ok(answer) => answer,
            Err(why) => {
                // A version whose registry is down must not keep a way back from its turn.
                held.get_or_insert(why);
                continue;
            }
        };
        let status = match answer {
            Ok((message, rollout)) => RequestStatus {
                state: RequestState::Accepted,
                message,
                rollout,
                ..RequestStatus::default()
            },
            Err(message) => RequestStatus {
                state: RequestState::Refused,
                message,
                ..RequestStatus::default()
            },
        };
        tracing::info!(
            request = request.name_any(),
            by = request.spec.requester,
            state = ?status.state,
            "{}",
            status.message
        );
        answer_to(context, &request, status).await;
    }
    held.map_or(Ok(()), Err)
}

type Answer = Result<(String, Option<String>), String>;

async fn one(
    context: &Context,
    namespace: &str,
    view: &mut PipelineView,
    environment: &EnvironmentSpec,
    request: &Request,
) -> Result<Answer, Held> {
    let by = request.spec.asker();
    if let Err(why) = machine(context, view, environment, request, &by) {
        return Ok(Err(why));
    }
    match request.spec.action {
        RequestAction::Deploy => {
            let emergency = Emergency::of(request.spec.skip_canary, request.spec.break_glass);
            if emergency.is_some() && !guards::believed(context, request).await {
                return Ok(Err(guards::NOT_BELIEVED.into()));
            }
            let image = match image(context, view, request).await {
                Ok(image) => image,
                Err(why) => return Ok(Err(why)),
            };
            let candidate = Candidate {
                emergency,
                dry_run: request.spec.dry_run,
                ..Candidate::release(image, cause(request, by))
            };
            let proposed = propose(context, namespace, view, environment, &candidate).await?;
            Ok(answer_of(proposed))
        }
        RequestAction::Rollback => {
            let revision = match earlier(view, environment, request) {
                Ok(r) => r,
                Err(why) => return Ok(Err(why)),
            };
            let image = CandidateImage::new(
                view.spec.image.repository.clone(),
                revision.tag.clone(),
                revision.digest.clone(),
            );
            let candidate = Candidate {
                returns_to: Some(revision),
                ..Candidate::release(image, cause(request, by))
            };
            let proposed = propose(context, namespace, view, environment, &candidate).await?;
            Ok(answer_of(proposed))
        }
        RequestAction::Retry | RequestAction::LiftQuarantine => {
            let lift = request.spec.action == RequestAction::LiftQuarantine;
            let action = if lift {
                Action::LiftQuarantine
            } else {
                Action::Retry
            };
            if let Err(why) = may(context, environment, action, &by) {
                return Ok(Err(why));
            }
            let digest = match known_digest(view, environment, request) {
                Ok(d) => d,
                Err(why) => return Ok(Err(why)),
            };
            remember(context, namespace, view, &environment.name, |e| {
                if lift {
                    e.with_lifted(&digest)
                } else {
                    e.with_retry(&digest)
                }
            })
            .await?;
            context
                .polls
                .hurry(&format!("{namespace}/{}", view.name), &environment.name);
            Ok(Ok((format!("{digest} may be proposed again"), None)))
        }
        RequestAction::Adopt => {
            if let Err(why) = may(context, environment, Action::Retry, &by) {
                return Ok(Err(why));
            }
            let target = &environment.target;
            match baseline::serves(context, target).await {
                Ok(found) => {
                    match baseline::adopt_now(context, namespace, view, environment, &found).await {
                        Ok(()) => Ok(Ok((format!("{target} as it is now is the baseline"), None))),
                        Err(held) => Ok(Err(held.why)),
                    }
                }
                Err(baseline::Missing::Absent(why)) => Ok(Err(why)),
                Err(baseline::Missing::Unseen(why)) => Err(Held::soon(why)),
            }
        }
        RequestAction::Drill => {
            let Some(stable) = status_of(view, &environment.name).stable else {
                let target = &environment.target;
                let why =
                    format!("{target} was never seen healthy: there is nothing to drill with");
                return Ok(Err(why));
            };
            let repository = view.spec.image.repository.clone();
            let candidate = Candidate::drill(&repository, &stable, cause(request, by));
            let proposed = propose(context, namespace, view, environment, &candidate).await?;
            Ok(answer_of(proposed))
        }
        RequestAction::Stop | RequestAction::Start => Ok(Err(
            "this wish is about everything: leave out pipeline and environment".into(),
        )),
        RequestAction::Abort
        | RequestAction::Pause
        | RequestAction::Resume
        | RequestAction::Promote => Ok(Err(
            "this wish is about one Rollout: name it in spec.rollout".into(),
        )),
    }
}

fn answer_of(proposed: Proposed) -> Answer {
    match proposed {
        Proposed::Rollout(name) => Ok((format!("Rollout {name}"), Some(name))),
        Proposed::Nothing(why) => Err(why),
        Proposed::Refused(reasons) => Err(reasons.join("\n")),
    }
}

fn cause(request: &Request, by: Identity) -> Cause {
    let trigger = match by.provider {
        IdentityProvider::Caller => TriggerKind::Webhook,
        IdentityProvider::Kubernetes
        | IdentityProvider::Oidc
        | IdentityProvider::Slack
        | IdentityProvider::Plugin => TriggerKind::Manual,
    };
    Cause {
        trigger,
        id: request.uid().unwrap_or_else(|| request.name_any()),
        requester: Some(by),
        reason: request.spec.reason.clone(),
    }
}

/// Whether a machine may ask for this: by the policy of now, whatever it was when the call came.
fn machine(
    context: &Context,
    view: &PipelineView,
    environment: &EnvironmentSpec,
    request: &Request,
    by: &Identity,
) -> Result<(), String> {
    let is_machine = by.provider == IdentityProvider::Caller;
    if is_machine != (request.spec.channel == Channel::Webhook) {
        return Err(
            "a hook is for machines that the policy's `callers` names, and for no others".into(),
        );
    }
    if !is_machine {
        return Ok(());
    }
    if request.spec.action != RequestAction::Deploy {
        return Err("a machine may propose a version and nothing else".into());
    }
    let policy = context.policy();
    policy.caller_may_propose(&by.username, &view.name, &environment.name)
}

fn may(
    context: &Context,
    environment: &EnvironmentSpec,
    action: Action,
    by: &Identity,
) -> Result<(), String> {
    let policy = context.policy();
    match policy.environment(&environment.name, &environment.target.namespace) {
        EnvironmentVerdict::Closed(why) => Err(why.to_string()),
        EnvironmentVerdict::Open(rules) => {
            authorize(action, by, rules, &policy).map_err(|d| d.to_string())
        }
    }
}

/// The digest that is asked for: by digest, or by a tag that is resolved once, here.
async fn image(
    context: &Context,
    view: &PipelineView,
    request: &Request,
) -> Result<CandidateImage, String> {
    let repository = view.spec.image.repository.clone();
    let tag = request.spec.tag.clone();
    if let Some(digest) = &request.spec.digest {
        return Ok(CandidateImage::new(repository, tag, digest.clone()));
    }
    let Some(name) = &tag else {
        return Err("the Request names neither a tag nor a digest".into());
    };
    match context.ports.registry.resolve(&repository, name).await {
        Ok(digest) => Ok(CandidateImage::new(repository, tag, digest)),
        Err(fault @ RegistryFault::NotFound(_)) => Err(format!("no such image: {fault}")),
        Err(fault) => Err(format!("the tag could not be resolved now: {fault}")),
    }
}

/// The revision to go back to: the named one, or the one before the stable one.
fn earlier(
    view: &PipelineView,
    environment: &EnvironmentSpec,
    request: &Request,
) -> Result<Revision, String> {
    let status = status_of(view, &environment.name);
    let wanted = |r: &&Revision| match (&request.spec.digest, &request.spec.tag) {
        (Some(digest), _) => r.digest == *digest,
        (None, Some(tag)) => r.tag.as_ref() == Some(tag),
        (None, None) => status.stable.as_ref().is_none_or(|s| s.digest != r.digest),
    };
    status.earlier.iter().find(wanted).cloned().ok_or_else(|| {
        let known: Vec<&str> = status
            .earlier
            .iter()
            .map(|r| r.tag.as_deref().unwrap_or(&r.digest))
            .collect();
        format!(
            "{} has no such earlier revision that served well; there are: {}",
            environment.name,
            if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            }
        )
    })
}

/// The digest that a retry or a lift is about.
fn known_digest(
    view: &PipelineView,
    environment: &EnvironmentSpec,
    request: &Request,
) -> Result<String, String> {
    let status = status_of(view, &environment.name);
    if let Some(digest) = &request.spec.digest {
        return Ok(digest.clone());
    }
    let tag = request
        .spec
        .tag
        .as_ref()
        .ok_or("the Request names neither a tag nor a digest")?;
    let quarantined = status
        .quarantined
        .iter()
        .find(|q| q.tag.as_ref() == Some(tag))
        .map(|q| q.digest.clone());
    let ended = status
        .history
        .iter()
        .find(|o| o.tag.as_ref() == Some(tag))
        .map(|o| o.digest.clone());
    quarantined
        .or(ended)
        .ok_or_else(|| format!("{} remembers no rollout of {tag}", environment.name))
}
