//! The phases of a Rollout, as the API server holds them: which words there are, and from which of
//! them there is no way to which. One write may pass several phases, so what is forbidden is listed
//! and not what is allowed.

use sluice_core::pipeline::OutcomeKind;

/// Phases of a Rollout that is not over.
const LIVE: [&str; 10] = [
    "Queued",
    "Planning",
    "AwaitingApproval",
    "Preparing",
    "Progressing",
    "Promoting",
    "Watching",
    "Finishing",
    "RollingBack",
    "Recording",
];

/// How a Rollout ends.
pub(super) const ENDS: [OutcomeKind; 9] = [
    OutcomeKind::Succeeded,
    OutcomeKind::RolledBack,
    OutcomeKind::Refused,
    OutcomeKind::Rejected,
    OutcomeKind::Expired,
    OutcomeKind::Superseded,
    OutcomeKind::Cancelled,
    OutcomeKind::Failed,
    OutcomeKind::Planned,
];

/// Every word that may stand in `status.phase`. Empty: nobody has decided anything yet.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    let ends = ENDS.iter().map(|end| end.phase());
    std::iter::once("").chain(LIVE).chain(ends)
}

/// Conditions on a status and the one before it, each with what is wrong where it does not hold.
pub(super) fn rules() -> Vec<(String, &'static str)> {
    let ends: Vec<String> = ENDS.iter().map(|e| format!("'{}'", e.phase())).collect();
    let only = |from: &str, to: &str| {
        format!("oldSelf.state.phase != '{from}' || self.state.phase in [{to}]")
    };
    vec![
        (
            format!(
                "!(oldSelf.phase in [{}]) || self.phase == oldSelf.phase",
                ends.join(", ")
            ),
            "an ended Rollout stays ended: its phase never changes. Ask for another Rollout",
        ),
        (
            "oldSelf.state.phase != 'Ended' || self.state == oldSelf.state".into(),
            "an ended Rollout stays ended: its state never changes. Ask for another Rollout",
        ),
        (
            only("Recording", "'Recording', 'Ended'"),
            "after Recording comes the end and nothing else",
        ),
        (
            only("RollingBack", "'RollingBack', 'Recording', 'Ended'"),
            "a Rollout that goes back never goes forward again",
        ),
        (
            only("Finishing", "'Finishing', 'Recording', 'Ended'"),
            "a Rollout that has cleared up its way back never goes back again",
        ),
        (
            "self.state.phase != 'Queued' || oldSelf.state.phase == 'Queued'".into(),
            "a Rollout is queued once, at its beginning",
        ),
        (
            "!(has(oldSelf.claimed) && oldSelf.claimed) || !(self.state.phase in ['Queued', \
             'Planning', 'AwaitingApproval'])"
                .into(),
            "a Rollout that has begun to change its target never waits before the gate again",
        ),
    ]
}
