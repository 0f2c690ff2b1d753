//! `sluice policy explain`.

use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use sluice_cluster::crd::Pipeline;
use sluice_core::admit::PipelineView;
use sluice_core::explain::{Question, Verdict, explain, remembered_digest};
use sluice_core::policy::{Identity, IdentityProvider, Policy};
use sluice_core::rollout::Emergency;

use super::{cluster, of_file, pipeline, registry};
use crate::access::Access;
use crate::args::PolicyExplainArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::text::policy::{Asked, explanation};
use crate::text::rollout::short;
use crate::verb::objects;

pub(super) async fn run(
    args: &PolicyExplainArgs,
    open: Option<&Access>,
    out: &mut Output,
    now: Timestamp,
) -> Result<Exit, Failure> {
    let offline = pipeline::is_file(&args.pipeline) && args.place.policy.is_some();
    let access = match open {
        Some(access) => Some(access.clone()),
        None if offline => None,
        None => Some(Access::open(&args.cluster).await?),
    };
    let access = access.filter(|_| !offline);
    let (policy, mut sources) = match (&args.place.policy, &access) {
        (Some(file), _) => (of_file(file)?, Vec::new()),
        (None, Some(access)) => {
            let from = args.place.policy_from.as_deref();
            let (policy, place) = cluster::policy(access, from).await?;
            (policy, vec![format!("the policy of {place}")])
        }
        (None, None) => return Err(no_policy()),
    };
    let view = match &access {
        _ if pipeline::is_file(&args.pipeline) => pipeline::of_file(Path::new(&args.pipeline))?,
        Some(access) => pipeline::view(&objects::get::<Pipeline>(access, &args.pipeline).await?),
        None => return Err(no_policy()),
    };
    let at = args.at.unwrap_or(now);
    let mut question = question(args, &policy, &view, at);
    if args.digest.is_none()
        && let (Some(tag), Some(digest)) = (&question.tag, &question.digest)
    {
        sources.push(format!(
            "{tag} was {} when Sluice saw it last",
            short(digest)
        ));
    }
    if args.read_image {
        let environment = view.spec.environment(&args.to);
        let namespace = environment.map(|e| e.target.namespace.as_str());
        let repository = &view.spec.image.repository;
        let namespace = namespace.unwrap_or_default();
        let from = registry::look(args, &policy, namespace, repository, &mut question).await?;
        sources = vec![from];
    }
    if let Some(access) = &access {
        sources.extend(cluster::look(access, &policy, &view.name, &mut question, now).await);
    }
    let answer = explain(&policy, Some(&view), &question);
    let asked = Asked {
        pipeline: view.name.clone(),
        environment: args.to.clone(),
        version: args
            .tag
            .clone()
            .or_else(|| args.digest.as_deref().map(short)),
        who: question
            .requester
            .as_ref()
            .map(|person| policy.person(person).name),
        how: how(args),
        at,
        sources,
    };
    out.json(
        &json!({
            "pipeline": view.name,
            "environment": args.to,
            "tag": question.tag,
            "digest": question.digest,
            "trigger": args.trigger,
            "at": at,
            "answer": answer.answer,
            "lines": answer.lines,
            "sources": asked.sources,
        }),
        false,
    )?;
    out.text(&explanation(&asked, &answer))?;
    Ok(match answer.answer {
        Verdict::Ok => Exit::Done,
        Verdict::Unknown | Verdict::Needed => Exit::NotYet,
        Verdict::No => Exit::NotDone,
    })
}

fn question(
    args: &PolicyExplainArgs,
    policy: &Policy,
    view: &PipelineView,
    at: Timestamp,
) -> Question {
    let digest = args.digest.clone().or_else(|| {
        let tag = args.tag.as_deref()?;
        remembered_digest(&view.status, tag)
    });
    Question {
        trigger: args.trigger,
        requester: args
            .user
            .as_deref()
            .map(|user| person(policy, user, &args.groups)),
        reason: args.reason.clone(),
        emergency: Emergency::of(args.skip_canary, args.break_glass),
        tag: args.tag.clone(),
        digest,
        ..Question::new(&args.to, at)
    }
}

/// Somebody of the policy's `people` by their name there, or a Kubernetes user.
fn person(policy: &Policy, user: &str, groups: &[String]) -> Identity {
    let entry = policy.people.iter().find(|entry| entry.name == user);
    let known = |provider| Some(Identity::of(provider, entry?.known_as(provider)?));
    let mut identity = known(IdentityProvider::Kubernetes)
        .or_else(|| known(IdentityProvider::Oidc))
        .or_else(|| known(IdentityProvider::Slack))
        .unwrap_or_else(|| Identity::kubernetes(user, Vec::new()));
    identity.groups = groups.to_vec();
    identity
}

/// How it is asked for, in words.
fn how(args: &PolicyExplainArgs) -> String {
    let by = match args.trigger {
        sluice_core::policy::TriggerKind::Manual => "asked for".to_owned(),
        other => format!("proposed ({other})"),
    };
    match (args.skip_canary, args.break_glass) {
        (false, false) => by,
        (true, false) => format!("SKIPPING THE CANARY, {by}"),
        (false, true) => format!("BREAKING THE GLASS, {by}"),
        (true, true) => format!("BREAKING THE GLASS, SKIPPING THE CANARY, {by}"),
    }
}

fn no_policy() -> Failure {
    Failure::new("usage", "without a cluster both files are needed")
        .change("give --policy FILE and --pipeline FILE")
        .exit(Exit::Usage)
}
