//! The whole way of a Rollout, part by part, and what its hooks said.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use sluice_core::hook::{HookRun, HookState};
use sluice_core::plan::outline::{Part, Place as Stands, Stand, outline};
use sluice_core::rollout::{Journal, RolloutSpec, State};
use sluice_core::router::percent;

use super::step::{Place, steps};
use super::time::{When, span};

/// The way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WayView {
    /// `at least 7m`.
    pub(crate) takes: String,
    /// How it goes back, as long as it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) back: Option<String>,
    /// Its parts.
    pub(crate) parts: Vec<PartView>,
}

/// A part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartView {
    /// What it is, in one word, such as `before` or `step`.
    pub(crate) kind: &'static str,
    /// Its name; of a step with its number.
    pub(crate) name: String,
    /// The share of the candidate in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) share: Option<String>,
    /// Not before, from the start: `+2m`. None: it has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// The same as an instant, once it has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<When>,
    /// Milliseconds that it takes at the least.
    pub(crate) least_ms: u64,
    /// Milliseconds that it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) most_ms: Option<u64>,
    /// Who opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gate: Option<String>,
    /// What happens in it.
    pub(crate) text: String,
    /// Where it stands.
    pub(crate) place: Place,
}

impl WayView {
    pub(crate) fn new(spec: &RolloutSpec, journal: &Journal, now: Timestamp) -> Option<Self> {
        let plan = journal.plan.as_ref()?;
        let way = outline(plan, spec);
        let steps = steps(journal);
        let unbegun = journal.started_at.is_none();
        let step = |part: &Part| steps.get(usize::try_from(part.step?).ok()?);
        let view = |(part, stand): (&Part, Stand)| PartView {
            kind: part.kind.word(),
            name: match part.step {
                Some(n) => format!("{} {}", n.saturating_add(1), part.name),
                None if part.most_ms.is_some() => part.name.clone(),
                None => part.kind.word().to_owned(),
            },
            share: part.step.and(part.share_bp).map(percent),
            from: unbegun.then(|| part.from()),
            not_before: stand.at.map(|at| When::new(at, now)),
            least_ms: part.least_ms,
            most_ms: part.most_ms,
            gate: step(part).and_then(|step| step.gate.clone()),
            text: plain(&part.text),
            place: step(part).map_or_else(|| place(part, stand, journal), |step| step.place),
        };
        Some(Self {
            takes: way.takes(),
            back: goes_back(&journal.state).then(|| plain(&way.way_back())),
            parts: way
                .parts
                .iter()
                .zip(way.stands(journal, now))
                .map(view)
                .collect(),
        })
    }
}

fn goes_back(state: &State) -> bool {
    match state {
        State::Queued
        | State::Planning { .. }
        | State::AwaitingApproval
        | State::Preparing(_)
        | State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_) => true,
        State::Finishing(_) | State::RollingBack(_) | State::Recording(_) | State::Ended(_) => {
            false
        }
    }
}

/// Backticks are for terminals.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// A hook that failed is no part that is over.
fn place(part: &Part, stand: Stand, journal: &Journal) -> Place {
    let failed = |run: &&HookRun| run.name == part.name && run.state == HookState::Failed;
    match stand.place {
        Stands::Done if journal.hooks.iter().any(|run| failed(&run)) => Place::Failed,
        Stands::Done => Place::Done,
        Stands::Now if journal.state.ended() => Place::Failed,
        Stands::Now => Place::Now,
        Stands::Later => Place::Ahead,
    }
}

/// A hook whose turn has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HookView {
    pub(crate) name: String,
    /// `before`, `after` or `undo`.
    pub(crate) when: &'static str,
    pub(crate) job: String,
    /// How far it is, in words.
    pub(crate) state: &'static str,
    #[serde(skip)]
    pub(crate) tone: &'static str,
    pub(crate) since: When,
    /// When waiting for it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<When>,
    /// How long its Job ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) took: Option<String>,
    /// What its pod waits for, or how it ended.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    /// What it said of itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) result: String,
    /// Whether that was verified.
    pub(crate) verified: bool,
    /// The command that puts back what it saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restore: Option<String>,
    /// The last lines of its log.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) log: String,
}

impl HookView {
    pub(crate) fn new(run: &HookRun, now: Timestamp) -> Self {
        let (state, tone) = match run.state {
            HookState::Wanted | HookState::Starting => ("is being started", "run"),
            HookState::Running => ("runs", "run"),
            HookState::Succeeded => ("succeeded", "good"),
            HookState::Failed => ("failed", "bad"),
            HookState::NeverStarted => ("was never started", "off"),
        };
        let took = run.started_at.zip(run.ended_at).map(|(from, to)| {
            let ms = to.duration_since(from).as_millis();
            span(u64::try_from(ms).unwrap_or(0))
        });
        Self {
            name: run.name.clone(),
            when: run.when.as_str(),
            job: run.job.clone(),
            state,
            tone,
            since: When::new(run.since, now),
            until: (!run.ended()).then(|| When::new(run.until, now)),
            took,
            message: run.message.clone(),
            result: run.result.clone(),
            verified: run.verified,
            restore: run.restore.clone(),
            log: run.log.clone(),
        }
    }
}
