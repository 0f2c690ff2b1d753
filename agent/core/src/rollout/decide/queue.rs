//! Whose turn it is at a target. One Rollout at a time changes it (A9).

use super::{Flow, Turn};
use crate::pipeline::{OutcomeKind, TriggerKind};
use crate::policy::Newer;
use crate::rollout::journal::clip;
use crate::rollout::{Seen, Sibling, SiblingStage, State, Why};

impl Turn<'_> {
    pub(super) fn queued(&mut self) -> Flow {
        if let Some(flow) = self.pointless() {
            return flow;
        }
        let environment = match &self.seen.environment {
            Seen::Present(e) => e,
            Seen::Absent => return cannot_see("the pipeline's status", "it is gone"),
            Seen::Unknown(why) => return cannot_see("the pipeline's status", why),
        };
        if let Seen::Unknown(why) = &self.seen.target {
            return cannot_see(&self.target_name(), why);
        }
        let minimum_age = match self.environment_policy() {
            Ok(policy) => policy.images.minimum_age,
            Err(closed) => return Flow::Wait(closed),
        };
        let Some(stable) = &environment.stable else {
            return Flow::Wait(Why::NoBaseline);
        };
        let spec = &self.rollout.spec;
        if stable.digest == spec.image.digest && spec.returns_to.is_none() && !spec.drill {
            return self.end_unbegun(
                OutcomeKind::Refused,
                "this digest is the stable one already",
            );
        }
        // Known since it was proposed here: never less than its true age, whatever the registry says.
        let old_enough = minimum_age.map(|age| age.after(self.rollout.created_at));
        let looks_only = self.rollout.spec.dry_run;
        if let Some(until) = old_enough
            && self.now < until
            && self.rollout.spec.returns_to.is_none()
            && !looks_only
        {
            self.wake(until);
            return Flow::Wait(Why::TooYoung { until });
        }
        if let Some(first) = self.goes_first().filter(|_| !looks_only) {
            let (name, title) = (first.name.clone(), first.title.clone());
            return Flow::Wait(Why::WaitsForRollout { name, title });
        }
        let now = self.now;
        self.journal.state = State::Planning {
            attempt: 1,
            not_before: now,
        };
        Flow::Again
    }

    /// What cannot come to anything any more ends before it begins. Looked at again and again until
    /// the first change, because all of it may happen while a Rollout waits for people.
    pub(super) fn pointless(&mut self) -> Option<Flow> {
        let spec = &self.rollout.spec;
        let (kind, text) = match (&self.seen.environment, &self.seen.target) {
            (Seen::Absent, _) => (
                OutcomeKind::Cancelled,
                "the pipeline or its environment was deleted".into(),
            ),
            (_, Seen::Absent) => (
                OutcomeKind::Failed,
                format!("the target {} was deleted", spec.target.kind()),
            ),
            (_, Seen::Present(t)) if t.uid != spec.target_uid => (
                OutcomeKind::Failed,
                format!(
                    "the target {} was made anew after this was asked for",
                    spec.target.kind()
                ),
            ),
            (Seen::Present(e), _) if spec.returns_to.is_none() => {
                let q = e.quarantine(&spec.image.digest)?;
                let text = format!("the digest was quarantined by {}: {}", q.rollout, q.reason);
                (OutcomeKind::Refused, text)
            }
            (Seen::Present(_) | Seen::Unknown(_), Seen::Present(_) | Seen::Unknown(_)) => {
                return None;
            }
        };
        Some(self.end_unbegun(kind, &text))
    }

    /// A newer candidate of the same pipeline may take this one's place.
    pub(super) fn newer_sibling(&mut self) -> Option<Flow> {
        // What only looks is in nobody's place.
        let over = matches!(
            self.journal.state,
            State::Watching(_)
                | State::Finishing(_)
                | State::RollingBack(_)
                | State::Recording(_)
                | State::Ended(_)
        );
        if over || self.rollout.spec.dry_run {
            return None;
        }
        let newer = self
            .seen
            .siblings
            .iter()
            .filter(|s| s.pipeline == self.rollout.spec.pipeline && self.older_than(s))
            .max_by_key(|s| (s.returns, s.created_at, s.name.clone()))?;
        let text = format!("{} ({}) took its place", newer.name, newer.title);
        let queued = matches!(self.journal.state, State::Queued);
        let asked_by_person = self.rollout.spec.cause.trigger == TriggerKind::Manual;
        // A person wants the earlier version back: no release comes between, and once pods move, no
        // other return either. Going back on a return would serve the version that is to go.
        let displaces = if self.rollout.spec.returns_to.is_some() {
            newer.returns && !self.journal.state.begun()
        } else {
            newer.returns
                || (queued && !asked_by_person)
                || self
                    .environment_policy()
                    .is_ok_and(|p| p.newer == Newer::Supersede)
        };
        if !displaces {
            return None;
        }
        Some(if self.journal.state.begun() {
            self.go_back("superseded", &text, false, OutcomeKind::Superseded)
        } else {
            self.end_unbegun(OutcomeKind::Superseded, &text)
        })
    }

    /// The sibling that this one has to wait for.
    fn goes_first(&self) -> Option<&Sibling> {
        self.seen.siblings.iter().find(|s| match s.stage {
            SiblingStage::Begun | SiblingStage::Waiting => true,
            SiblingStage::Queued => !self.older_than(s),
        })
    }

    fn older_than(&self, s: &Sibling) -> bool {
        (self.rollout.created_at, &self.rollout.name) < (s.created_at, &s.name)
    }

    pub(super) fn target_name(&self) -> String {
        let target = &self.rollout.spec.target;
        format!("{} {target}", target.kind())
    }
}

pub(super) fn cannot_see(what: &str, why: &str) -> Flow {
    Flow::Wait(unseen(what, why))
}

pub(super) fn unseen(what: &str, why: &str) -> Why {
    Why::CannotSee {
        what: clip(&format!("{what}: {why}")),
    }
}
