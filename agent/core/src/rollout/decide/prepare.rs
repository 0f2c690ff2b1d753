//! What comes before the first step: the claim, then copies of configuration, then the hooks before
//! traffic moves. Nothing that serves is changed in it.

use super::{Flow, Turn, later};
use crate::pipeline::OutcomeKind;
use crate::rollout::{Effect, Preparing, Why};

impl Turn<'_> {
    pub(super) fn preparing(&mut self, preparing: &Preparing) -> Flow {
        let target = match self.target_or_end() {
            Ok(target) => target,
            Err(flow) => return flow,
        };
        let mine = target.claimed_by.as_ref() == Some(&self.rollout.uid);
        self.journal.claimed |= mine;
        if !self.journal.claimed
            && let Some(flow) = self.not_begun_after_all()
        {
            return flow;
        }
        if let Some(by) = self.claimed_by_other(&target.claimed_by) {
            return Flow::Wait(Why::Claimed { by });
        }
        if !mine {
            // As in a step: a claim that is refused again and again ends it.
            let limit = self.progress_deadline_ms();
            let deadline = later(later(preparing.since, limit), limit);
            if self.now >= deadline {
                let text = format!("{} could not be claimed in time", self.target_name());
                return self.go_back("not-ready", &text, false, OutcomeKind::RolledBack);
            }
            self.wake(deadline);
            self.effects.push(Effect::Claim {
                target: Self::guard(&target),
                rollout_uid: self.rollout.uid.clone(),
            });
            return Flow::Wait(Why::Prepares);
        }
        if let Some(flow) = self.too_long() {
            return flow;
        }
        if let Some(drift) = self.drifted(&target, false) {
            return Flow::Wait(drift);
        }
        if let Some(flow) = self.copies() {
            return flow;
        }
        if let Some(flow) = self.before_hooks() {
            return flow;
        }
        self.enter_step(0)
    }
}
