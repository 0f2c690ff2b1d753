//! One deployment of one digest to one environment: the state machine behind every Rollout.
//!
//! ```text
//! Queued ─► Planning ─► AwaitingApproval ─► Preparing ─► Progressing ─► Promoting ─► Watching ─► Finishing ─► Succeeded
//!    │          │              │                │             │             │            │
//!    └──────────┴──────┬───────┘                └─────────────┴──────┬──────┴────────────┘
//!   Superseded Cancelled Refused Rejected Expired                RollingBack ─► RolledBack
//! ```
//! [`decide`] is total: what could not be seen is a value. [`absorb`] folds an answer into the
//! journal. The journal is the status of the Rollout object, and all that survives a crash.

mod absorb;
mod decide;
mod effect;
mod facts;
#[cfg(test)]
pub(crate) mod fixture;
mod journal;
mod notification;
mod object;
mod observation;
mod provider;
mod spec;
mod state;
mod why;

pub use absorb::{Fact, absorb};
pub(crate) use decide::revision_name;
pub use decide::{
    DRILL_ANNOTATION, Decision, QuotaSeen, ROLE_LABEL, ROLLOUT_ANNOTATION, ROLLOUT_LABEL,
    canary_name, decide, hook_pods_wanted, looks_at, quotas_wanted,
};
pub use effect::{CallId, Effect, Guard, OwnerRef, PluginQuestion};
pub use facts::{
    AskedShown, CourseShown, EarlierPass, FACTS_LIMIT, Facts, FactsState, IgnoredShown, ImageShown,
    Known, StepShown, facts,
};
pub use journal::{
    ApprovalRequest, CheckRecord, DRILL_CODE, Delivery, DrillReport, DrillTimes, FailedVerdict,
    Handled, HandledUntil, Intent, Journal, MeasurementRecord, Moment, Numbers, OUTBOX_LIMIT,
    PhaseTime, Replaced, Route, Scaled, TIMELINE_LIMIT, WentBack,
};
pub(crate) use journal::{bytes, cut};
pub use notification::notification;
pub use object::{ObjectKind, ObjectRef, ObjectSeen};
pub use observation::{
    Action, Observation, Other, RequestSeen, RolloutView, Seen, Sibling, SiblingStage, WorkloadSeen,
};
pub use provider::{
    Asked, Errand, ProviderDecision, ProviderQuestion, ProviderVote, provider_calls,
    provider_questions, provider_votes,
};
pub use spec::{CandidateImage, Cause, Emergency, RolloutSpec};
pub use state::{BackReason, CheckRun, End, Ending, Finishing, Preparing, Stage, State, StepState};
pub use why::Why;
pub(crate) use why::clock;

#[cfg(test)]
mod tests;
