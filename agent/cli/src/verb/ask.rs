//! Writing a Request in the caller's name, and waiting for the agent's answer.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ObjectMeta, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::json;
use sluice_cluster::crd::{Pipeline, Request, RequestAction, RequestBody, RequestState, Rollout};
use sluice_core::approval::Channel;
use sluice_core::duration::HumanDuration;
use sluice_core::hash::{child_name, short_name_hash};
use sluice_core::pipeline::OutcomeKind;

use super::{objects, status};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{Followed, Sight, follow};
use crate::identity::whoami;
use crate::output::object;
use crate::session::Session;
use crate::text::lists;

/// An agent that works answers within seconds; one that has just been started, within a minute.
const ANSWER: Duration = Duration::from_secs(60);

/// What is wished for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) action: RequestAction,
    pub(crate) about: About,
    pub(crate) tag: Option<String>,
    pub(crate) digest: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) special: Special,
}

/// What is not usual about it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Special {
    /// Go to all traffic at once.
    pub(crate) skip_canary: bool,
    /// Wait for nothing, with the approvals of an emergency.
    pub(crate) break_glass: bool,
    /// Change nothing.
    pub(crate) dry_run: bool,
    /// When a global stop lifts by itself.
    pub(crate) until: Option<jiff::Timestamp>,
}

/// About what.
#[derive(Clone, Debug)]
pub(crate) enum About {
    Environment {
        pipeline: Box<Pipeline>,
        environment: String,
    },
    Rollout(Box<Rollout>),
    /// Every environment at once.
    Everything,
}

/// Whether to follow the Rollout that comes of it, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) follow: bool,
    pub(crate) limit: Option<HumanDuration>,
    /// The ends that are what was wished for.
    pub(crate) wanted: &'static [OutcomeKind],
}

impl Wait {
    /// The agent's answer is enough.
    pub(crate) const NO: Self = Self {
        follow: false,
        limit: None,
        wanted: &[],
    };
}

/// What came of a wish that was taken up.
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// The Rollout that came of it, as it was seen last.
    pub(crate) rollout: Option<Rollout>,
    pub(crate) exit: Exit,
}

/// Asks, shows the answer, and follows where that is wished.
pub(crate) async fn ask(session: &mut Session, wish: Wish, wait: Wait) -> Result<Exit, Failure> {
    let asked = asked(session, wish, wait).await?;
    let rollout = asked.rollout.as_ref().map(object);
    session.out.json(
        &json!({"request": object(&asked.request), "rollout": rollout}),
        false,
    )?;
    Ok(asked.exit)
}

/// The same, without the last word.
pub(crate) async fn asked(session: &mut Session, wish: Wish, wait: Wait) -> Result<Asked, Failure> {
    let request = create(session, &wish).await?;
    let name = request.name_any();
    let verb = lists::action(wish.action);
    session.out.text(&format!(
        "asked: {verb} {} (Request {name})",
        subject(&wish)
    ))?;
    let request = answer(session, &name).await?;
    let answered = request.status.clone().unwrap_or_default();
    match answered.state {
        RequestState::Accepted => {
            session
                .out
                .text(&format!("accepted: {}", answered.message))?;
        }
        RequestState::Refused => {
            session.out.json(
                &json!({"request": object(&request), "rollout": null}),
                false,
            )?;
            return Err(refused(session, verb, &answered.message));
        }
        RequestState::Pending => {
            session.out.json(
                &json!({"request": object(&request), "rollout": null}),
                false,
            )?;
            return Err(unanswered(session, &wish, &name));
        }
    }
    let rollout = match &wish.about {
        About::Rollout(r) => Some(r.name_any()),
        About::Environment { .. } | About::Everything => answered.rollout.clone(),
    };
    let (exit, last) = match (&rollout, wait.follow) {
        (Some(rollout), true) => {
            status::watch(session, rollout, wait.limit, wait.wanted, false).await?
        }
        (Some(rollout), false) => {
            session
                .out
                .text(&format!("`sluice status {rollout} -w` follows it"))?;
            (Exit::Done, None)
        }
        (None, _) => (Exit::Done, None),
    };
    let last = match (&rollout, last) {
        (Some(name), None) if session.out.is_json() => {
            objects::find::<Rollout>(&session.access, name).await?
        }
        (_, last) => last,
    };
    Ok(Asked {
        request,
        rollout: last,
        exit,
    })
}

fn subject(wish: &Wish) -> String {
    let which = wish.tag.clone().or_else(|| wish.digest.clone());
    match (&wish.about, which) {
        (About::Rollout(r), _) => r.name_any(),
        (About::Everything, _) => "everything".to_owned(),
        (
            About::Environment {
                pipeline,
                environment,
            },
            Some(which),
        ) => {
            format!("{which} of {} in {environment}", pipeline.name_any())
        }
        (
            About::Environment {
                pipeline,
                environment,
            },
            None,
        ) => {
            format!("{} in {environment}", pipeline.name_any())
        }
    }
}

/// Writes the Request. Its owner is what it speaks of, so that it goes when that goes.
async fn create(session: &mut Session, wish: &Wish) -> Result<Request, Failure> {
    let by = whoami(&session.access).await?;
    let (prefix, owner, pipeline, environment, rollout) = match &wish.about {
        About::Environment {
            pipeline,
            environment,
        } => (
            format!("{}-{environment}", pipeline.name_any()),
            owner(pipeline.as_ref()),
            Some(pipeline.name_any()),
            Some(environment.clone()),
            None,
        ),
        About::Rollout(r) => (
            r.name_any(),
            owner(r.as_ref()),
            None,
            None,
            Some(r.name_any()),
        ),
        About::Everything => ("everything".to_owned(), None, None, None, None),
    };
    // New for every command, the same for every try of it: an answer that was lost is no second wish.
    let verb = lists::action(wish.action);
    let moment = session.now().as_nanosecond().to_string();
    let process = std::process::id().to_string();
    let hash = short_name_hash(&[verb, &by.username, &moment, &process]);
    let name = child_name(&format!("{verb}-{prefix}"), &hash);
    let request = Request {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(session.access.namespace.clone()),
            owner_references: owner.map(|o| vec![o]),
            ..ObjectMeta::default()
        },
        spec: RequestBody {
            action: wish.action,
            pipeline,
            environment,
            rollout,
            tag: wish.tag.clone(),
            digest: wish.digest.clone(),
            reason: wish.reason.clone(),
            skip_canary: wish.special.skip_canary,
            break_glass: wish.special.break_glass,
            dry_run: wish.special.dry_run,
            until: wish.special.until,
            requester: by.username,
            provider: by.provider,
            groups: by.groups,
            channel: Channel::Kubernetes,
        },
        status: None,
    };
    let api = objects::api::<Request>(&session.access);
    match api.create(&PostParams::default(), &request).await {
        Ok(created) => Ok(created),
        // Only this very command can have made an object of this name.
        Err(kube::Error::Api(s)) if s.code == 409 => objects::get(&session.access, &name).await,
        Err(e) => Err(session.access.fault("write", &format!("Request {name}"), e)),
    }
}

/// The owner reference that lets garbage collection remove what has lost its subject.
pub(crate) fn owner<K: Resource<DynamicType = ()>>(object: &K) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: object.meta().name.clone()?,
        uid: object.meta().uid.clone()?,
        controller: Some(false),
        block_owner_deletion: Some(false),
    })
}

/// Waits for the agent's answer. Without one in time, the Request as it stands.
async fn answer(session: &mut Session, name: &str) -> Result<Request, Failure> {
    let out = &mut session.out;
    let followed = follow::<Request>(&session.access, name, Some(ANSWER), |sight| match sight {
        Sight::Object(r) => Ok(!r.is_open()),
        Sight::Tick => {
            out.paint("waits for the agent's answer")?;
            Ok(false)
        }
        Sight::Trouble(_) => Ok(false),
    })
    .await?;
    session.out.clear()?;
    match followed {
        Followed::Reached(request) => Ok(request),
        Followed::TimedOut => objects::get(&session.access, name).await,
        Followed::Gone => Err(Failure::new("gone", format!("Request {name} was deleted"))
            .at(session.access.place())
            .because("its subject is gone, or somebody deleted it")
            .exit(Exit::NotDone)),
    }
}

fn refused(session: &Session, verb: &str, message: &str) -> Failure {
    let mut failure = Failure::new("refused", format!("the agent refuses to {verb}"))
        .at(session.access.place())
        .exit(Exit::NotDone);
    failure.why = message.lines().map(str::to_owned).collect();
    failure
}

fn unanswered(session: &Session, wish: &Wish, name: &str) -> Failure {
    let failure = Failure::new(
        "no-answer",
        format!("the agent has not answered Request {name}"),
    )
    .at(session.access.place())
    .because(format!(
        "it waits for {} s; the Request stands and may be answered later",
        ANSWER.as_secs()
    ))
    .exit(Exit::TimedOut);
    match &wish.about {
        About::Rollout(r) => failure.change(format!(
            "look at `sluice status {}`: a Rollout that is over, or rolls back, takes no wishes; \
             and whether the agent is running",
            r.name_any()
        )),
        About::Environment { .. } | About::Everything => {
            failure.change("see whether the agent is running and looks at this namespace")
        }
    }
}
