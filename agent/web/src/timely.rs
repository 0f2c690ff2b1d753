//! Whether an action makes sense where a Rollout stands now. The engine judges every wish again; this
//! only keeps the page from offering what cannot work.

use sluice_cluster::crd::Pipeline;
use sluice_core::authorize::Action;
use sluice_core::pipeline::{OutcomeKind, Revision};
use sluice_core::rollout::{Journal, RolloutSpec, Stage, State, Why};

/// The actions that the page knows, in the order in which it shows them.
pub(crate) const ACTIONS: [Action; 7] = [
    Action::Approve,
    Action::Reject,
    Action::Promote,
    Action::Pause,
    Action::Resume,
    Action::Abort,
    Action::Rollback,
];

/// What an action would be about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum About {
    /// A vote on this hash.
    Vote(String),
    /// This Rollout.
    Rollout,
    /// The environment: back to this revision.
    Environment(Revision),
}

/// What the action would be about now, or why it makes no sense.
pub(crate) fn timely(
    action: Action,
    name: &str,
    spec: &RolloutSpec,
    journal: &Journal,
    pipeline: Option<&Pipeline>,
) -> Result<About, String> {
    let state = &journal.state;
    let settled = matches!(
        state,
        State::Finishing(_) | State::RollingBack(_) | State::Recording(_) | State::Ended(_)
    );
    let no = |why: &str| Err(format!("{why}; it is {}", state.phase()));
    match action {
        Action::Approve | Action::Reject => match (&journal.approval, state) {
            (Some(request), State::AwaitingApproval) => Ok(About::Vote(request.hash.clone())),
            _ => no("the rollout does not ask for votes now"),
        },
        Action::Abort if !settled => Ok(About::Rollout),
        Action::Abort => no("there is nothing left to abort"),
        Action::Rollback => match state {
            State::Preparing(_)
            | State::Progressing(_)
            | State::Promoting(_)
            | State::Watching(_) => Ok(About::Rollout),
            State::Ended(end) if end.kind == OutcomeKind::Succeeded => {
                match revision_before(name, spec, pipeline) {
                    Some(revision) => Ok(About::Environment(revision)),
                    None => no("it is not what serves now, or nothing served well before it"),
                }
            }
            State::Queued
            | State::Planning { .. }
            | State::AwaitingApproval
            | State::Finishing(_)
            | State::RollingBack(_)
            | State::Recording(_)
            | State::Ended(_) => no("there is nothing to put back"),
        },
        Action::Pause if journal.paused.is_some() => no("it is paused already"),
        Action::Pause if settled || matches!(state, State::Promoting(_) | State::Watching(_)) => {
            no("no further step would be held")
        }
        Action::Pause => Ok(About::Rollout),
        Action::Resume if journal.paused.is_some() && !settled => Ok(About::Rollout),
        Action::Resume => no("it is not paused"),
        Action::Promote => match state {
            State::Progressing(step) | State::Watching(step)
                if !step.promoted && waits(&step.stage, journal) =>
            {
                Ok(About::Rollout)
            }
            _ => no("it does not hold for a person or a timer"),
        },
        Action::Deploy
        | Action::Retry
        | Action::LiftQuarantine
        | Action::SkipCanary
        | Action::BreakGlass
        | Action::Stop
        | Action::Start
        | Action::Drill => no("that is not done to one rollout"),
    }
}

fn waits(stage: &Stage, journal: &Journal) -> bool {
    let gate = matches!(journal.why, Some(Why::WaitsForGate { .. }));
    match stage {
        Stage::Hold { .. } | Stage::Judge { .. } => true,
        Stage::Shift | Stage::Check { .. } => gate,
    }
}

/// The revision that served before this Rollout, as long as what it brought still serves.
fn revision_before(
    name: &str,
    spec: &RolloutSpec,
    pipeline: Option<&Pipeline>,
) -> Option<Revision> {
    let status = pipeline?
        .status
        .as_ref()?
        .environments
        .get(&spec.environment)?;
    let serves = status.stable.as_ref()?.promoted_by.as_deref() == Some(name);
    serves.then(|| status.earlier.first().cloned()).flatten()
}
