//! `sluice explain`.

use kube::ResourceExt;
use serde_json::json;
use sluice_cluster::crd::{Pipeline, Rollout};
use sluice_cluster::observe::{deployment, target_of};
use sluice_core::rollout::{Journal, ObjectKind, RolloutSpec, Seen, WorkloadSeen, canary_name};

use super::{facts, objects};
use crate::access::Access;
use crate::args::ExplainArgs;
use crate::exit::Exit;
use crate::explain::{Pods, Sight, Subject, Workload, explain};
use crate::failure::Failure;
use crate::output::object;
use crate::session::Session;
use crate::text;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pipeline,
    Rollout,
}

pub(crate) async fn run(session: &mut Session, args: &ExplainArgs) -> Result<Exit, Failure> {
    let (kind, name) = match args.name.split_once('/') {
        Some(("rollout" | "rollouts", name)) => (Some(Kind::Rollout), name),
        Some(("pipeline" | "pipelines", name)) => (Some(Kind::Pipeline), name),
        Some(_) | None => (None, args.name.as_str()),
    };
    let access = session.access.clone();
    if kind != Some(Kind::Pipeline) && args.to.is_none() {
        let found: Option<Rollout> = match kind {
            Some(_) => Some(objects::get(&access, name).await?),
            None => objects::find(&access, name).await?,
        };
        if let Some(found) = found {
            return of_rollout(session, &found).await;
        }
    }
    match objects::find::<Pipeline>(&access, name).await? {
        Some(pipeline) => of_pipeline(session, &pipeline, args.to.as_deref()).await,
        // Names of Rollouts are long and copied, names of Pipelines are typed.
        None if kind.is_none() && args.to.is_none() => {
            let mut failure = objects::missing::<Rollout>(&access, name).await;
            failure.what = format!("there is no Rollout and no Pipeline {name}");
            let pipelines = objects::missing::<Pipeline>(&access, name).await;
            failure.why = failure
                .why
                .iter()
                .map(|w| format!("Rollouts: {w}"))
                .collect();
            failure
                .why
                .extend(pipelines.why.iter().map(|w| format!("Pipelines: {w}")));
            Err(failure)
        }
        None => Err(objects::missing::<Pipeline>(&access, name).await),
    }
}

async fn of_rollout(session: &mut Session, found: &Rollout) -> Result<Exit, Failure> {
    let access = &session.access;
    let spec = &found.spec.body;
    let journal = found.status.clone().unwrap_or_default();
    // A help, not a need: whoever may read Rollouts alone still gets the rest.
    let pipeline: Option<Pipeline> = objects::find(access, &spec.pipeline).await.ok().flatten();
    let environment = pipeline
        .as_ref()
        .and_then(|p| p.status.as_ref()?.environments.get(&spec.environment));
    let workloads = if journal.state.ended() {
        Vec::new()
    } else {
        workloads(access, spec, &found.uid().unwrap_or_default(), &journal).await
    };
    let (namespace, name) = (found.namespace().unwrap_or_default(), found.name_any());
    let now = session.now();
    let mut explanation = explain(Subject {
        namespace: &namespace,
        name: &name,
        spec,
        journal: &journal,
        environment,
        workloads,
        now,
    });
    if journal.approval.is_some() && !journal.state.begun() && !journal.state.ended() {
        explanation.facts = Some(facts::of(&session.access, found, &journal, now).await);
    }
    session.out.json(&explanation, false)?;
    let style = session.out.style();
    session
        .out
        .text(&text::explain::rollout(&explanation, now, style))?;
    Ok(Exit::Done)
}

/// How many pods there are, as far as the caller may look: the target, what goes in lockstep with
/// it, and once it has begun the canary of each.
async fn workloads(
    access: &Access,
    spec: &RolloutSpec,
    uid: &str,
    journal: &Journal,
) -> Vec<Workload> {
    let client = &access.client;
    let namespace = &spec.target.namespace;
    let mut out = Vec::new();
    for (_, kind, name) in spec.target.workloads() {
        let seen = match kind {
            ObjectKind::Deployment => deployment(client, namespace, name).await,
            _ => target_of(client, &spec.target).await,
        };
        out.push(workload(kind, namespace, name, seen));
        if kind == ObjectKind::Deployment && journal.state.begun() {
            let canary = canary_name(name, uid);
            let seen = deployment(client, namespace, &canary).await;
            out.push(workload(kind, namespace, &canary, seen));
        }
    }
    out
}

fn workload(kind: ObjectKind, namespace: &str, name: &str, seen: Seen<WorkloadSeen>) -> Workload {
    Workload {
        name: format!("{kind} {namespace}/{name}"),
        seen: match seen {
            Seen::Present(w) => Sight::Pods(Pods::from(&w)),
            Seen::Absent => Sight::Unknown("not there".to_owned()),
            Seen::Unknown(why) => Sight::Unknown(why),
        },
    }
}

async fn of_pipeline(
    session: &mut Session,
    pipeline: &Pipeline,
    only: Option<&str>,
) -> Result<Exit, Failure> {
    if let Some(name) = only {
        objects::environment(&session.access, pipeline, name)?;
    }
    let (all, _) = objects::list::<Rollout>(&session.access, false).await?;
    let live: Vec<Rollout> = all
        .into_iter()
        .filter(|r| r.spec.body.pipeline == pipeline.name_any())
        .filter(|r| !r.status.as_ref().is_some_and(|j| j.state.ended()))
        .collect();
    let now = session.now();
    let rollouts: Vec<_> = live.iter().map(object).collect();
    session.out.json(
        &json!({"pipeline": object(pipeline), "rollouts": rollouts}),
        false,
    )?;
    session
        .out
        .text(&text::pipeline::pipeline(pipeline, &live, only, now))?;
    Ok(Exit::Done)
}
