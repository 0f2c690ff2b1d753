//! Others write the target too: an autoscaler, GitOps, a person. Sluice holds and explains, and never
//! writes against them (reliability.md W10).

use super::{Flow, Turn, later};
use crate::pipeline::OutcomeKind;
use crate::plan::PlannedStep;
use crate::rollout::why::clock;
use crate::rollout::{ObjectKind, Scaled, Stage, StepState, Why, WorkloadSeen};
use crate::router::replicas;
use crate::template::template_hash;

impl Turn<'_> {
    /// Whether somebody else changed the pod template under a Rollout that is under way (W10).
    pub(super) fn drifted(&self, target: &WorkloadSeen, promotes: bool) -> Option<Why> {
        let found = template_hash(target.template());
        let stable = self
            .journal
            .stable
            .as_ref()
            .map(|r| r.template_hash.as_str());
        let candidate = self.journal.candidate_template_hash.as_deref();
        // A StatefulSet holds both versions.
        let takes = promotes || target.kind == ObjectKind::StatefulSet;
        if stable == Some(found.as_str()) || (takes && candidate == Some(found.as_str())) {
            return self.repartitioned(target);
        }
        Some(Why::Drifted {
            message: format!(
                "somebody else changed the pod template of {}; Sluice does not fight over it",
                self.rollout.spec.target
            ),
        })
    }

    /// While somebody else has changed the number of pods that is Sluice's to share out: it holds, and
    /// in the end goes back, and keeps what was added (T5). Once the candidate takes over there is
    /// nothing left to share, and the other's number is kept.
    pub(super) fn rescaled(&mut self, target: &WorkloadSeen) -> Option<Flow> {
        let others = self.journal.others_number(target);
        let now = self.now;
        let limit = self.progress_deadline_ms();
        let total = self.journal.total_replicas;
        let apart = self.router().is_some();
        let scaled = self.journal.scaled.as_mut()?;
        if !others || self.journal.autoscaler.is_some() || apart || !self.journal.state.shares() {
            scaled.other_since = None;
            return None;
        }
        let until = later(*scaled.other_since.get_or_insert(now), limit);
        let message = format!(
            "somebody else set {} to {} replicas, Sluice had set {} of {}; it does not fight over \
             them: with {} again it goes on, otherwise it rolls back at {}",
            self.rollout.spec.target,
            target.replicas,
            scaled.to,
            total.unwrap_or(scaled.to),
            scaled.to,
            clock(&until),
        );
        if now >= until {
            return Some(self.go_back("rescaled", &message, false, OutcomeKind::RolledBack));
        }
        self.wake(until);
        Some(Flow::Wait(Why::Rescaled { message }))
    }

    /// Notes a number of pods that is about to be written.
    pub(super) fn will_scale(&mut self, target: &WorkloadSeen, replicas: u32) {
        if target.replicas != replicas {
            self.journal.scaled = Some(Scaled {
                from: target.replicas,
                to: replicas,
                other_since: None,
            });
        }
    }

    /// A write that was seen to be done: from now on the number before it is somebody else's, too.
    pub(super) fn seen_scaled(&mut self, target: &WorkloadSeen) {
        if let Some(scaled) = &mut self.journal.scaled
            && target.replicas == scaled.to
        {
            scaled.from = scaled.to;
        }
    }

    /// Canary pods beside those of an autoscaler: never a larger share than the plan's, however few
    /// pods there are now. More of them come only in the shift of a step, where the gates are looked
    /// at.
    pub(super) fn beside(
        &self,
        target: &WorkloadSeen,
        step: &StepState,
        planned: &PlannedStep,
    ) -> u32 {
        let share = replicas::beside(target.replicas, planned.step.weight_bp).candidate;
        let most = planned.candidate_replicas.min(share);
        match (&step.stage, self.seen.canary.present()) {
            (Stage::Shift, _) | (_, None) => most,
            (Stage::Check { .. } | Stage::Hold { .. } | Stage::Judge { .. }, Some(c)) => {
                most.min(c.replicas.max(1))
            }
        }
    }
}

/// Whether Sluice has something to write, rather than to wait for.
pub(super) fn is_move(why: &Why) -> bool {
    matches!(why, Why::MovesPods { .. })
}
