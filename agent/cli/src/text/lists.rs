//! The tables of `sluice get`.

use jiff::Timestamp;
use kube::ResourceExt;
use sluice_cluster::crd::{Approval, Pipeline, Request, RequestAction, RequestState, Rollout};
use sluice_core::approval::Decision;

use super::{rollout, table, when};

fn age<K: ResourceExt>(object: &K, now: Timestamp) -> String {
    object
        .creation_timestamp()
        .map(|t| when::between(t.0, now))
        .unwrap_or_default()
}

/// Rows with the namespace in front, where several are shown.
fn with_namespace<K: ResourceExt>(
    all: bool,
    header: &[&'static str],
    objects: &[K],
    rows: impl Fn(&K) -> Vec<Vec<String>>,
) -> String {
    let mut head: Vec<&str> = header.to_vec();
    if all {
        head.insert(0, "NAMESPACE");
    }
    let rows: Vec<Vec<String>> = objects
        .iter()
        .flat_map(|o| {
            rows(o).into_iter().map(move |mut row| {
                if all {
                    row.insert(0, o.namespace().unwrap_or_default());
                }
                row
            })
        })
        .collect();
    table::table(&head, &rows)
}

/// One line per environment of each Pipeline.
pub(crate) fn pipelines(objects: &[Pipeline], all: bool, now: Timestamp) -> String {
    let header = ["PIPELINE", "ENVIRONMENT", "SERVES", "FOR", "NOTE"];
    with_namespace(all, &header, objects, |p| {
        let status = p.status.clone().unwrap_or_default();
        p.spec
            .body
            .environments
            .iter()
            .map(|e| {
                let known = status
                    .environments
                    .get(&e.name)
                    .cloned()
                    .unwrap_or_default();
                let stable = known.stable.as_ref();
                let note = status
                    .problems
                    .first()
                    .map(|problem| format!("spec: {problem}"))
                    .or(known.waiting)
                    .or_else(|| {
                        let refused = known.refused.as_ref()?;
                        let tag = rollout::version(refused.tag.as_deref(), &refused.digest);
                        Some(format!("{tag} refused: {}", refused.reasons.join("; ")))
                    });
                vec![
                    p.name_any(),
                    e.name.clone(),
                    stable.map(rollout::revision).unwrap_or_default(),
                    stable
                        .map(|r| when::between(r.since, now))
                        .unwrap_or_default(),
                    note.unwrap_or_default(),
                ]
            })
            .collect()
    })
}

/// One line per Rollout.
pub(crate) fn rollouts(objects: &[Rollout], all: bool, now: Timestamp) -> String {
    let header = ["ROLLOUT", "ENVIRONMENT", "VERSION", "PHASE", "AGE", "WHY"];
    with_namespace(all, &header, objects, |r| {
        let spec = &r.spec.body;
        let journal = r.status.clone().unwrap_or_default();
        let phase = rollout::phase(&journal);
        vec![vec![
            r.name_any(),
            spec.environment.clone(),
            rollout::version(spec.image.tag.as_deref(), &spec.image.digest),
            phase.to_owned(),
            age(r, now),
            rollout::why(&journal),
        ]]
    })
}

/// One line per vote.
pub(crate) fn approvals(objects: &[Approval], all: bool, now: Timestamp) -> String {
    let header = ["ROLLOUT", "APPROVER", "DECISION", "AGE", "REASON"];
    with_namespace(all, &header, objects, |a| {
        let decision = match a.spec.decision {
            Decision::Approve => "approve",
            Decision::Reject => "reject",
        };
        vec![vec![
            a.spec.rollout.clone(),
            a.spec.approver.clone(),
            decision.to_owned(),
            age(a, now),
            a.spec.reason.clone().unwrap_or_default(),
        ]]
    })
}

/// One line per wish.
pub(crate) fn requests(objects: &[Request], all: bool, now: Timestamp) -> String {
    let header = ["REQUEST", "ACTION", "BY", "ABOUT", "AGE", "STATE", "ANSWER"];
    with_namespace(all, &header, objects, |r| {
        let s = &r.spec;
        let mut about = match (&s.rollout, &s.pipeline, &s.environment) {
            (Some(rollout), _, _) => rollout.clone(),
            (None, Some(pipeline), Some(environment)) => format!("{pipeline} to {environment}"),
            (None, pipeline, _) => pipeline.clone().unwrap_or_default(),
        };
        if let Some(wanted) = s.tag.clone().or(s.digest.as_deref().map(rollout::short)) {
            about.push_str(&format!(" {wanted}"));
        }
        let status = r.status.clone().unwrap_or_default();
        vec![vec![
            r.name_any(),
            action(s.action).to_owned(),
            s.requester.clone(),
            about,
            age(r, now),
            state(status.state).to_owned(),
            status.message,
        ]]
    })
}

/// One line per version in quarantine, with what lets it out.
pub(crate) fn quarantine(objects: &[Pipeline], all: bool, now: Timestamp) -> String {
    let header = ["PIPELINE", "ENVIRONMENT", "TAG", "DIGEST", "FOR", "REASON"];
    let entries = |p: &Pipeline| -> Vec<Vec<String>> {
        let status = p.status.clone().unwrap_or_default();
        let environments = status.environments.iter();
        environments
            .flat_map(|(environment, known)| {
                known.quarantined.iter().map(|q| {
                    vec![
                        p.name_any(),
                        environment.clone(),
                        q.tag.clone().unwrap_or_default(),
                        rollout::short(&q.digest),
                        when::between(q.at, now),
                        format!("{} ({})", q.reason, q.rollout),
                    ]
                })
            })
            .collect()
    };
    if objects.iter().all(|p| entries(p).is_empty()) {
        return "nothing is in quarantine".to_owned();
    }
    let table = with_namespace(all, &header, objects, entries);
    format!(
        "{table}\n\n`sluice quarantine lift PIPELINE --to ENVIRONMENT --digest DIGEST` takes one out"
    )
}

/// The verb of a wish.
pub(crate) fn action(action: RequestAction) -> &'static str {
    match action {
        RequestAction::Deploy => "deploy",
        RequestAction::Rollback => "rollback",
        RequestAction::Abort => "abort",
        RequestAction::Pause => "pause",
        RequestAction::Resume => "resume",
        RequestAction::Promote => "promote",
        RequestAction::Retry => "retry",
        RequestAction::LiftQuarantine => "lift",
        RequestAction::Adopt => "adopt",
        RequestAction::Drill => "drill",
        RequestAction::Stop => "stop",
        RequestAction::Start => "start",
    }
}

fn state(state: RequestState) -> &'static str {
    match state {
        RequestState::Pending => "Pending",
        RequestState::Accepted => "Accepted",
        RequestState::Refused => "Refused",
    }
}
