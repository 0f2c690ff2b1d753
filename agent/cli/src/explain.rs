//! Why a Rollout is where it is, what it waits for, who can act, and what would happen next: as
//! values. `text/explain.rs` makes sentences of them; `-o json` shows them as they are.

mod next;

use jiff::Timestamp;
use serde::Serialize;
use sluice_core::analysis::AnalysisRun;
use sluice_core::hook::HookRun;
use sluice_core::pipeline::{EnvironmentStatus, OnFailure, OutcomeKind, Revision};
use sluice_core::plan::curve::{Curve, curve};
use sluice_core::plan::outline::{Outline, Place, outline};
use sluice_core::rollout::{
    CheckRecord, Facts, Journal, Moment, RolloutSpec, State, Why, WorkloadSeen,
};
use sluice_core::router::percent;

use crate::text::rollout;

/// Moments that are shown: the last ones say where it is.
const MOMENTS_SHOWN: usize = 12;

/// Everything that `sluice explain` says about one Rollout.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    pub(crate) namespace: String,
    pub(crate) rollout: String,
    pub(crate) spec: RolloutSpec,
    pub(crate) phase: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Timestamp>,
    /// The version that serves, or served before it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<Revision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<Why>,
    /// The same as one sentence.
    pub(crate) message: String,
    /// What people can do, each with its command.
    pub(crate) can: Vec<String>,
    pub(crate) next: Vec<Next>,
    /// The whole way, once there is a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outline: Option<Outline>,
    /// The share of the candidate over time, where there is something to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) curve: Option<Curve>,
    /// Hooks whose turn has come.
    pub(crate) hooks: Vec<HookRun>,
    /// What its metrics said.
    pub(crate) metrics: Vec<AnalysisRun>,
    /// What happens if the candidate turns out bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) if_bad: Option<String>,
    /// The Deployments as they are at this moment.
    pub(crate) now: Vec<Workload>,
    /// The newest result of each check that did not pass.
    pub(crate) failed_checks: Vec<CheckRecord>,
    pub(crate) happened: Vec<Moment>,
    /// What an approver sees, while it can be approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) facts: Option<Facts>,
}

/// One thing on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Next {
    pub(crate) place: Place,
    /// Not before: an instant once it has begun, before that a time from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<String>,
    pub(crate) text: String,
}

/// A Deployment as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Workload {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) seen: Sight,
}

/// What could be seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Sight {
    Pods(Pods),
    /// Nothing, for this reason.
    Unknown(String),
}

/// Its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Pods {
    pub(crate) wanted: u32,
    pub(crate) ready: u32,
    pub(crate) updated: u32,
}

impl From<&WorkloadSeen> for Pods {
    fn from(w: &WorkloadSeen) -> Self {
        Self {
            wanted: w.replicas,
            ready: w.ready,
            updated: w.updated,
        }
    }
}

/// What is explained.
pub(crate) struct Subject<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) spec: &'a RolloutSpec,
    pub(crate) journal: &'a Journal,
    /// What the Pipeline remembers of the environment, if it could be read.
    pub(crate) environment: Option<&'a EnvironmentStatus>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) now: Timestamp,
}

/// Explains a Rollout.
pub(crate) fn explain(subject: Subject<'_>) -> Explanation {
    let Subject {
        namespace,
        name,
        spec,
        journal,
        environment,
        workloads,
        now,
    } = subject;
    let stable = journal
        .stable
        .clone()
        .or_else(|| environment.and_then(|e| e.stable.clone()));
    let phase = rollout::phase(journal).to_owned();
    Explanation {
        namespace: namespace.to_owned(),
        rollout: name.to_owned(),
        spec: spec.clone(),
        phase,
        since: journal.since,
        why: journal.why.clone(),
        message: rollout::why(journal),
        can: can(name, spec, journal, environment),
        next: next::next(spec, journal, stable.as_ref(), now),
        outline: journal.plan.as_ref().map(|plan| outline(plan, spec)),
        curve: curve(spec, journal, now),
        hooks: journal.hooks.clone(),
        metrics: journal.analysis.clone(),
        if_bad: if_bad(spec, journal, stable.as_ref()),
        replaces: stable
            .filter(|_| !matches!(journal.state, State::Ended(_)))
            .or_else(|| journal.stable.clone()),
        now: workloads,
        failed_checks: failed(journal),
        happened: tail(&journal.timeline),
        facts: None,
    }
}

/// What people can do about it. Who may is the policy's matter; the agent tells whoever may not.
fn can(
    name: &str,
    spec: &RolloutSpec,
    journal: &Journal,
    environment: Option<&EnvironmentStatus>,
) -> Vec<String> {
    let mut out: Vec<String> = journal.why.iter().filter_map(|w| w.advice(name)).collect();
    if let (Some(Why::WaitsForVotes { .. }), Some(asker)) = (&journal.why, &spec.cause.requester) {
        out.push(format!(
            "{} asked for it, so their own approval does not count unless the policy says \
             selfApproval",
            asker.username
        ));
    }
    match &journal.state {
        State::Queued | State::Planning { .. } | State::AwaitingApproval => {
            out.push(format!(
                "`sluice abort {name}` cancels it; nothing has been changed"
            ));
        }
        State::Preparing(_) | State::Progressing(_) | State::Promoting(_) | State::Watching(_) => {
            if matches!(journal.why, Some(Why::Holds { .. } | Why::Watches { .. })) {
                out.push(format!(
                    "`sluice promote {name}` ends the watching of this step now"
                ));
            }
            if journal.paused.is_none() {
                out.push(format!("`sluice pause {name}` starts no further step"));
            }
            if !out.iter().any(|line| line.contains("`sluice abort")) {
                out.push(format!("`sluice abort {name}` puts the old version back"));
            }
        }
        State::Finishing(_) | State::RollingBack(_) | State::Recording(_) => {}
        State::Ended(end) => out.extend(after(name, spec, end.kind, environment)),
    }
    out
}

/// What can be done once it is over.
fn after(
    name: &str,
    spec: &RolloutSpec,
    kind: OutcomeKind,
    environment: Option<&EnvironmentStatus>,
) -> Option<String> {
    let (pipeline, to) = (&spec.pipeline, &spec.environment);
    let which = match &spec.image.tag {
        Some(tag) => format!("--tag {tag}"),
        None => format!("--digest {}", spec.image.digest),
    };
    if environment.is_some_and(|e| e.quarantine(&spec.image.digest).is_some()) {
        return Some(format!(
            "the digest is quarantined: nothing proposes it again until a person lifts it with \
             `sluice lift {pipeline} --to {to} {which}`"
        ));
    }
    match kind {
        OutcomeKind::Succeeded => Some(format!(
            "`sluice rollback {pipeline} --to {to}` goes back to the version before it"
        ))
        .filter(|_| {
            environment.is_none_or(|e| {
                e.stable
                    .as_ref()
                    .is_some_and(|s| s.promoted_by.as_deref() == Some(name))
            })
        }),
        OutcomeKind::RolledBack
        | OutcomeKind::Rejected
        | OutcomeKind::Expired
        | OutcomeKind::Cancelled
        | OutcomeKind::Refused
        | OutcomeKind::Failed => Some(format!(
            "`sluice retry {pipeline} --to {to} {which}` lets its triggers propose it again"
        )),
        OutcomeKind::Planned => Some(format!(
            "it changed nothing; `sluice deploy {pipeline} --to {to} {which}` asks for it"
        )),
        OutcomeKind::Superseded => None,
    }
}

fn if_bad(spec: &RolloutSpec, journal: &Journal, stable: Option<&Revision>) -> Option<String> {
    match &journal.state {
        State::Queued
        | State::Planning { .. }
        | State::AwaitingApproval
        | State::Preparing(_)
        | State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_) => {}
        State::Finishing(_) | State::RollingBack(_) | State::Recording(_) | State::Ended(_) => {
            return None;
        }
    }
    let old = stable.map_or_else(|| "the old version".into(), rollout::revision);
    let unbegun = !journal.state.begun();
    let most = journal
        .plan
        .as_ref()
        .filter(|_| unbegun)
        .and_then(|p| p.steps.first())
        .filter(|s| !s.promotes());
    let exposed = most.map_or_else(String::new, |s| {
        format!(
            "; in the first step at most {} of the traffic sees it",
            percent(s.achieved_bp)
        )
    });
    let names = spec.checks.iter().map(|c| c.label());
    let analyses = spec.course.analysis.iter().map(|a| a.label());
    let names: Vec<&str> = names.chain(analyses).collect();
    let judge = match names.as_slice() {
        [] => "its pods do not become ready".to_owned(),
        names => format!(
            "{} fails or its pods do not become ready",
            names.join(" or ")
        ),
    };
    let back = match spec.course.on_failure {
        OnFailure::Rollback => format!("{old} is put back by itself and the digest is quarantined"),
        OnFailure::Hold => format!(
            "it stays where it is for a person to decide, until the policy's time for that is over: \
             then {old} is put back and the digest is quarantined"
        ),
    };
    Some(format!("if {judge}, {back}{exposed}"))
}

/// The newest result of each check of the newest step, where it is no pass.
fn failed(journal: &Journal) -> Vec<CheckRecord> {
    let mut newest: Vec<&CheckRecord> = Vec::new();
    for c in journal.checks.iter().rev() {
        if !newest.iter().any(|n| n.name == c.name) {
            newest.push(c);
        }
    }
    newest.reverse();
    newest
        .into_iter()
        .filter(|c| c.outcome != sluice_core::plugin::Outcome::Pass)
        .cloned()
        .collect()
}

fn tail(timeline: &[Moment]) -> Vec<Moment> {
    timeline
        .iter()
        .skip(timeline.len().saturating_sub(MOMENTS_SHOWN))
        .cloned()
        .collect()
}
