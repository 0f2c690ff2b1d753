//! `sluice rollback`: of a Rollout under way, or of an environment to an earlier version.

use kube::ResourceExt;
use sluice_cluster::crd::{Pipeline, RequestAction, Rollout};
use sluice_core::pipeline::OutcomeKind;
use sluice_core::rollout::State;

use super::ask::{Special, Wait, Wish, ask};
use super::wish::{environment, wish_about};
use super::{objects, status};
use crate::args::RollbackArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::text;

/// The ends that are what a person wants who rolls a Rollout back.
const BACK: &[OutcomeKind] = &[OutcomeKind::RolledBack, OutcomeKind::Cancelled];

pub(crate) async fn run(session: &mut Session, a: &RollbackArgs) -> Result<Exit, Failure> {
    match &a.to {
        Some(to) => of_environment(session, a, &a.name, to).await,
        None => of_rollout(session, a).await,
    }
}

async fn of_rollout(session: &mut Session, a: &RollbackArgs) -> Result<Exit, Failure> {
    let rollout: Rollout = objects::get(&session.access, &a.name).await?;
    let spec = rollout.spec.body.clone();
    match rollout.status.clone().unwrap_or_default().state {
        State::Ended(end) if end.kind == OutcomeKind::Succeeded => {
            still_serves(session, a, &spec.pipeline, &spec.environment).await?;
            of_environment(session, a, &spec.pipeline, &spec.environment).await
        }
        State::Ended(end) => Err(Failure::new("too-late", format!("{} is over", a.name))
            .at(session.access.place())
            .because(format!("it ended as {}: {}", end.kind.phase(), end.message))
            .change(format!(
                "`sluice rollback {} --to {}` goes back to the version before the one that serves",
                spec.pipeline, spec.environment
            ))
            .exit(Exit::NotDone)),
        State::Finishing(_) | State::RollingBack(_) | State::Recording(_) => {
            under_way(session, a, &a.name).await
        }
        state @ (State::Queued
        | State::Planning { .. }
        | State::AwaitingApproval
        | State::Preparing(_)
        | State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_)) => {
            if !state.begun() {
                session
                    .out
                    .note("it has not begun: it is cancelled; nothing has been changed")?;
            }
            ask(
                session,
                wish_about(RequestAction::Rollback, rollout, &a.reason),
                back(a),
            )
            .await
        }
    }
}

/// A Rollout can be taken back only while what it brought is what serves: whoever names an older one
/// has something else in mind than going back from the newest.
async fn still_serves(
    session: &Session,
    a: &RollbackArgs,
    pipeline: &str,
    to: &str,
) -> Result<(), Failure> {
    let found: Pipeline = objects::get(&session.access, pipeline).await?;
    let status = found.status.unwrap_or_default();
    let stable = status.environments.get(to).and_then(|e| e.stable.as_ref());
    if stable.is_some_and(|s| s.promoted_by.as_deref() == Some(a.name.as_str())) {
        return Ok(());
    }
    let serves = stable.map_or_else(|| "nothing known".into(), text::rollout::revision);
    Err(
        Failure::new("too-late", format!("{} is not what serves in {to}", a.name))
            .at(session.access.place())
            .because(format!("{serves} serves there now"))
            .change(format!(
                "`sluice rollback {pipeline} --to {to} --tag TAG` goes to a version by name"
            ))
            .exit(Exit::NotDone),
    )
}

/// A Rollout that has begun is the quickest way back; without one a new Rollout goes back.
async fn of_environment(
    session: &mut Session,
    a: &RollbackArgs,
    pipeline: &str,
    to: &str,
) -> Result<Exit, Failure> {
    let about = environment(session, pipeline, to).await?;
    let (all, _) = objects::list::<Rollout>(&session.access, false).await?;
    let begun = all.into_iter().find(|r| {
        let spec = &r.spec.body;
        spec.pipeline == pipeline && spec.environment == to && goes_back_to(r, a)
    });
    if let Some(rollout) = begun {
        let name = rollout.name_any();
        session
            .out
            .note(&format!("{name} is under way: it is rolled back"))?;
        if matches!(
            rollout.status.as_ref().map(|j| &j.state),
            Some(State::RollingBack(_))
        ) {
            return under_way(session, a, &name).await;
        }
        return ask(
            session,
            wish_about(RequestAction::Rollback, rollout, &a.reason),
            back(a),
        )
        .await;
    }
    let wish = Wish {
        action: RequestAction::Rollback,
        about,
        tag: a.tag.clone(),
        digest: a.digest.clone(),
        reason: a.reason.clone(),
        special: Special::default(),
    };
    let wait = Wait {
        follow: a.wait,
        limit: a.limit.timeout,
        wanted: &[OutcomeKind::Succeeded],
    };
    ask(session, wish, wait).await
}

/// Whether this Rollout has begun and its way back leads to the wanted version.
fn goes_back_to(rollout: &Rollout, a: &RollbackArgs) -> bool {
    let Some(journal) = rollout.status.as_ref().filter(|j| j.state.begun()) else {
        return false;
    };
    let stable = journal.stable.as_ref();
    match (&a.digest, &a.tag) {
        (None, None) => true,
        (Some(digest), _) => stable.is_some_and(|s| s.digest == *digest),
        (None, Some(tag)) => stable.is_some_and(|s| s.tag.as_ref() == Some(tag)),
    }
}

fn back(a: &RollbackArgs) -> Wait {
    Wait {
        follow: a.wait,
        limit: a.limit.timeout,
        wanted: BACK,
    }
}

async fn under_way(session: &mut Session, a: &RollbackArgs, name: &str) -> Result<Exit, Failure> {
    session
        .out
        .text(&format!("{name} is rolling back already"))?;
    if !a.wait {
        let found: Rollout = objects::get(&session.access, name).await?;
        session.out.json(
            &serde_json::json!({"request": null, "rollout": crate::output::object(&found)}),
            false,
        )?;
        return Ok(Exit::Done);
    }
    let (exit, last) = status::watch(session, name, a.limit.timeout, BACK, false).await?;
    let last = last.as_ref().map(crate::output::object);
    session.out.json(
        &serde_json::json!({"request": null, "rollout": last}),
        false,
    )?;
    Ok(exit)
}
