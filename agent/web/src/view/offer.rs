//! The buttons: what makes sense now, and whether this person may.

use schemars::JsonSchema;
use serde::Serialize;
use sluice_cluster::crd::Pipeline;
use sluice_core::approval::Decision;
use sluice_core::authorize::Action;
use sluice_core::policy::Identity;
use sluice_core::rollout::{Journal, RolloutSpec, RolloutView, State, Why};

use super::{Scene, version};
use crate::act::needs_reason;
use crate::permit::by_policy;
use crate::timely::{ACTIONS, About, timely};

/// One action that makes sense now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfferView {
    /// The last part of its address.
    pub(crate) action: Action,
    /// On the button.
    pub(crate) label: String,
    /// What it does.
    pub(crate) effect: String,
    /// Whether a reason must be given.
    pub(crate) needs_reason: bool,
    /// Why this person may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why_not: Option<String>,
}

impl OfferView {
    /// Whether it is a vote: those stand with what is signed.
    pub(crate) fn is_vote(&self) -> bool {
        matches!(self.action, Action::Approve | Action::Reject)
    }

    /// A class of the style sheet.
    pub(crate) fn tone(&self) -> &'static str {
        match self.action {
            Action::Approve | Action::Promote | Action::Resume => "go",
            Action::Reject | Action::Abort | Action::Rollback => "stop",
            Action::Pause
            | Action::Deploy
            | Action::Retry
            | Action::LiftQuarantine
            | Action::SkipCanary
            | Action::BreakGlass
            | Action::Stop
            | Action::Start
            | Action::Drill => "plain",
        }
    }
}

/// Every action that makes sense now, allowed or not.
pub(crate) fn offers(
    scene: &Scene,
    who: Option<&Identity>,
    rollout: &RolloutView,
    journal: &Journal,
    pipeline: Option<&Pipeline>,
) -> Vec<OfferView> {
    let spec = &rollout.spec;
    ACTIONS
        .iter()
        .filter_map(|action| {
            let about = timely(*action, &rollout.name, spec, journal, pipeline).ok()?;
            let allowed = match who {
                Some(who) if said(scene, who, rollout, *action, &about) => {
                    Err("you have said so already".to_owned())
                }
                Some(who) if *action == Action::Approve && behind(scene, who, spec) => {
                    Err("you asked for it or wrote it: somebody else approves".to_owned())
                }
                Some(who) => by_policy(&scene.policy, who, *action, spec),
                None => Err("sign in to do this".to_owned()),
            };
            let (label, effect) = words(*action, &about, journal, spec);
            Some(OfferView {
                action: *action,
                label,
                effect,
                needs_reason: needs_reason(*action),
                why_not: allowed.err(),
            })
        })
        .collect()
}

/// Whether this person is behind the release and the policy does not let such people approve.
fn behind(scene: &Scene, who: &Identity, spec: &RolloutSpec) -> bool {
    let policy = &scene.policy;
    let person = policy.person(who);
    let verdict = policy.environment(&spec.environment, &spec.target.namespace);
    let strict = verdict
        .into_result()
        .is_ok_and(|rules| !rules.for_rollout(spec).approvals.self_approval);
    let mut all = policy.behind(spec).into_iter();
    strict && all.any(|other| policy.person(&other).is(&person))
}

/// Whether this person has given this vote on what is asked now.
fn said(
    scene: &Scene,
    who: &Identity,
    rollout: &RolloutView,
    action: Action,
    about: &About,
) -> bool {
    let decision = match action {
        Action::Approve => Decision::Approve,
        Action::Reject => Decision::Reject,
        Action::Deploy
        | Action::Abort
        | Action::Pause
        | Action::Resume
        | Action::Promote
        | Action::Rollback
        | Action::Retry
        | Action::LiftQuarantine
        | Action::SkipCanary
        | Action::BreakGlass
        | Action::Stop
        | Action::Start
        | Action::Drill => return false,
    };
    let About::Vote(hash) = about else {
        return false;
    };
    scene
        .world
        .approvals_of(&rollout.namespace, &rollout.uid)
        .iter()
        .any(|a| {
            a.spec.voter().username == who.username
                && a.spec.provider == who.provider
                && a.spec.decision == decision
                && a.spec.hash == *hash
        })
}

fn words(action: Action, about: &About, journal: &Journal, spec: &RolloutSpec) -> (String, String) {
    let state = &journal.state;
    let watched = matches!(state, State::Watching(_));
    let failed = matches!(journal.why, Some(Why::FailedHolds { .. }));
    let candidate = version(spec.image.tag.as_deref(), &spec.image.digest);
    let environment = &spec.environment;
    let (label, effect) = match (action, about) {
        (Action::Approve, _) => ("Approve", format!("{candidate} may go to {environment}")),
        (Action::Reject, _) => (
            "Reject",
            format!("{candidate} does not go to {environment}"),
        ),
        (Action::Abort, _) if state.begun() => (
            "Abort",
            "puts the stable version back; this version may be tried again".to_owned(),
        ),
        (Action::Abort, _) => ("Cancel", "ends it before anything has changed".to_owned()),
        (Action::Rollback, About::Environment(revision)) => {
            let before = version(revision.tag.as_deref(), &revision.digest);
            return (
                format!("Roll back to {before}"),
                format!("brings {before}, which served well, back to {environment}"),
            );
        }
        (Action::Rollback, _) if watched && spec.strategy.router.switches() => (
            "Roll back",
            format!("sends everything to the old version at once and quarantines {candidate}"),
        ),
        (Action::Rollback, _) => (
            "Roll back",
            format!("puts the stable version back and quarantines {candidate}"),
        ),
        (Action::Pause, _) => ("Pause", "starts no further step until resumed".to_owned()),
        (Action::Resume, _) => ("Resume", "goes on where it was paused".to_owned()),
        (Action::Promote, _) if failed => (
            "Go on all the same",
            format!("takes {candidate} further although it was found bad"),
        ),
        (Action::Promote, _) if watched => (
            "End the watch",
            format!("{candidate} stays; nothing goes back by itself any more"),
        ),
        (Action::Promote, _) => (
            "Go on now",
            "skips the rest of this step's hold, or opens the next gate".to_owned(),
        ),
        (
            Action::Deploy
            | Action::Retry
            | Action::LiftQuarantine
            | Action::SkipCanary
            | Action::BreakGlass
            | Action::Stop
            | Action::Start
            | Action::Drill,
            _,
        ) => ("", String::new()),
    };
    (label.to_owned(), effect)
}
