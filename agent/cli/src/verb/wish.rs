//! The wishes that are one Request each.

use kube::ResourceExt;
use sluice_cluster::crd::{Pipeline, RequestAction, Rollout};
use sluice_core::pipeline::OutcomeKind;
use sluice_core::rollout::State;

use super::ask::{About, Special, Wait, Wish, ask};
use super::objects;
use crate::args::{
    AdoptArgs, DeployArgs, PlainWishArgs, RolloutWishArgs, StartArgs, StopArgs, VersionWishArgs,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

pub(crate) async fn deploy(session: &mut Session, a: &DeployArgs) -> Result<Exit, Failure> {
    let wait = Wait {
        follow: !a.no_wait,
        limit: a.limit.timeout,
        wanted: if a.dry_run {
            &[OutcomeKind::Planned]
        } else {
            &[OutcomeKind::Succeeded]
        },
    };
    let wish = Wish {
        action: RequestAction::Deploy,
        about: environment(session, &a.pipeline, &a.to).await?,
        tag: a.version.tag.clone(),
        digest: a.version.digest.clone(),
        reason: a.reason.clone(),
        special: Special {
            skip_canary: a.skip_canary,
            break_glass: a.break_glass,
            dry_run: a.dry_run,
            until: None,
        },
    };
    ask(session, wish, wait).await
}

pub(crate) async fn abort(session: &mut Session, a: &RolloutWishArgs) -> Result<Exit, Failure> {
    let wanted = &[OutcomeKind::RolledBack, OutcomeKind::Cancelled];
    about_rollout(session, RequestAction::Abort, a, wanted).await
}

pub(crate) async fn resume(session: &mut Session, a: &RolloutWishArgs) -> Result<Exit, Failure> {
    about_rollout(session, RequestAction::Resume, a, &[OutcomeKind::Succeeded]).await
}

pub(crate) async fn promote(session: &mut Session, a: &RolloutWishArgs) -> Result<Exit, Failure> {
    about_rollout(
        session,
        RequestAction::Promote,
        a,
        &[OutcomeKind::Succeeded],
    )
    .await
}

pub(crate) async fn pause(session: &mut Session, a: &PlainWishArgs) -> Result<Exit, Failure> {
    let rollout = live(session, RequestAction::Pause, &a.rollout).await?;
    let wish = wish_about(RequestAction::Pause, rollout, &a.reason);
    ask(session, wish, Wait::NO).await
}

pub(crate) async fn retry(session: &mut Session, a: &VersionWishArgs) -> Result<Exit, Failure> {
    about_version(session, RequestAction::Retry, a).await
}

pub(crate) async fn lift(session: &mut Session, a: &VersionWishArgs) -> Result<Exit, Failure> {
    about_version(session, RequestAction::LiftQuarantine, a).await
}

pub(crate) async fn adopt(session: &mut Session, a: &AdoptArgs) -> Result<Exit, Failure> {
    let wish = Wish {
        action: RequestAction::Adopt,
        about: environment(session, &a.pipeline, &a.to).await?,
        tag: None,
        digest: None,
        reason: a.reason.clone(),
        special: Special::default(),
    };
    ask(session, wish, Wait::NO).await
}

/// Holds everything but rollbacks, everywhere.
pub(crate) async fn stop(session: &mut Session, a: &StopArgs) -> Result<Exit, Failure> {
    let special = Special {
        until: a.until,
        ..Special::default()
    };
    everything(
        session,
        RequestAction::Stop,
        Some(a.reason.clone()),
        special,
    )
    .await
}

/// Lifts the global stop.
pub(crate) async fn start(session: &mut Session, a: &StartArgs) -> Result<Exit, Failure> {
    let reason = a.reason.clone();
    everything(session, RequestAction::Start, reason, Special::default()).await
}

async fn everything(
    session: &mut Session,
    action: RequestAction,
    reason: Option<String>,
    special: Special,
) -> Result<Exit, Failure> {
    let wish = Wish {
        action,
        about: About::Everything,
        tag: None,
        digest: None,
        reason,
        special,
    };
    ask(session, wish, Wait::NO).await
}

async fn about_version(
    session: &mut Session,
    action: RequestAction,
    a: &VersionWishArgs,
) -> Result<Exit, Failure> {
    let wish = Wish {
        action,
        about: environment(session, &a.pipeline, &a.to).await?,
        tag: a.version.tag.clone(),
        digest: a.version.digest.clone(),
        reason: a.reason.clone(),
        special: Special::default(),
    };
    ask(session, wish, Wait::NO).await
}

async fn about_rollout(
    session: &mut Session,
    action: RequestAction,
    a: &RolloutWishArgs,
    wanted: &'static [OutcomeKind],
) -> Result<Exit, Failure> {
    let rollout = live(session, action, &a.rollout).await?;
    let wait = Wait {
        follow: a.wait,
        limit: a.limit.timeout,
        wanted,
    };
    ask(session, wish_about(action, rollout, &a.reason), wait).await
}

pub(crate) fn wish_about(action: RequestAction, rollout: Rollout, reason: &Option<String>) -> Wish {
    Wish {
        action,
        about: About::Rollout(Box::new(rollout)),
        tag: None,
        digest: None,
        reason: reason.clone(),
        special: Special::default(),
    }
}

/// An environment that is there.
pub(crate) async fn environment(
    session: &Session,
    pipeline: &str,
    environment: &str,
) -> Result<About, Failure> {
    let pipeline: Pipeline = objects::get(&session.access, pipeline).await?;
    objects::environment(&session.access, &pipeline, environment)?;
    Ok(About::Environment {
        pipeline: Box::new(pipeline),
        environment: environment.to_owned(),
    })
}

/// A Rollout that still takes wishes. One that is over never answers: say so at once.
async fn live(session: &Session, action: RequestAction, name: &str) -> Result<Rollout, Failure> {
    let rollout: Rollout = objects::get(&session.access, name).await?;
    let journal = rollout.status.clone().unwrap_or_default();
    match takes_wishes(&journal.state) {
        Ok(()) => Ok(rollout),
        Err(why) => {
            let verb = crate::text::lists::action(action);
            let spec = &rollout.spec.body;
            Err(Failure::new(
                "too-late",
                format!("cannot {verb} Rollout {}", rollout.name_any()),
            )
            .at(session.access.place())
            .because(why)
            .change(format!(
                "`sluice rollback {} --to {}` goes back to an earlier version",
                spec.pipeline, spec.environment
            ))
            .exit(Exit::NotDone))
        }
    }
}

/// Why a Rollout in this state cannot be changed any more.
pub(crate) fn takes_wishes(state: &State) -> Result<(), String> {
    match state {
        State::Queued
        | State::Planning { .. }
        | State::AwaitingApproval
        | State::Preparing(_)
        | State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_) => Ok(()),
        State::Finishing(_) => Err("it has succeeded and clears up".into()),
        State::RollingBack(reason) => {
            Err(format!("it is rolling back already: {}", reason.message))
        }
        State::Recording(ending) => Err(format!(
            "its end is decided, {}: {}",
            ending.kind.phase(),
            ending.message
        )),
        State::Ended(end) => Err(format!("it is over, {}: {}", end.kind.phase(), end.message)),
    }
}
