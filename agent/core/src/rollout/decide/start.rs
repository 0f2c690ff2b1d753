//! The moment before the first change: is the target still what was signed for, and is there a way
//! back?

use super::queue::cannot_see;
use super::{Flow, Turn};
use crate::plugin::Severity;
use crate::rollout::{Seen, Stage, State, StepState, Why};
use crate::template::template_hash;

impl Turn<'_> {
    /// Journals everything that a rollback needs, then enters the first step. The first write of
    /// the target comes after this has been stored (W6).
    pub(super) fn start(&mut self) -> Flow {
        let Some(target) = self.target().cloned() else {
            return cannot_see(&self.target_name(), "it cannot be read");
        };
        let stable = match &self.seen.environment {
            Seen::Present(e) => e.stable.clone(),
            Seen::Absent => None,
            Seen::Unknown(why) => return cannot_see("the pipeline's status", why),
        };
        let Some(stable) = stable else {
            return Flow::Wait(Why::NoBaseline);
        };
        let found = template_hash(target.template());
        if found != stable.template_hash {
            return Flow::Wait(Why::Drifted {
                message: format!(
                    "the pod template of {} is not the one that was last promoted or adopted \
                     ({}): somebody else changed it",
                    self.rollout.spec.target, stable.name
                ),
            });
        }
        if let Some(by) = self.claimed_by_other(&target.claimed_by) {
            return Flow::Wait(Why::Claimed { by });
        }
        if let Some(p) = &self.journal.paused {
            return Flow::Wait(Why::Paused { by: p.text.clone() });
        }
        let candidate = match self.candidate_template(target.template()) {
            Ok(t) => t,
            Err(why) => return cannot_see(&self.target_name(), &why),
        };
        // The number of pods may have changed since the plan was made: place the shares anew, and
        // let the policy's limits speak again.
        if self.journal.total_replicas.is_none() && self.place_anew(target.replicas).is_none() {
            return Flow::Again;
        }
        self.journal.candidate_template_hash = Some(template_hash(&candidate));
        self.journal.total_replicas = Some(target.replicas);
        self.journal.started_at = Some(self.now);
        let text = format!(
            "replaces {} in {}",
            stable.tag.as_deref().unwrap_or(&stable.digest),
            self.rollout.spec.target
        );
        self.journal.stable = Some(stable);
        self.happened("started", Severity::Info, &text);
        self.enter_step(0)
    }

    /// The plan with the pods that are there now; `None` where it has to be refused.
    fn place_anew(&mut self, total: u32) -> Option<()> {
        let plan = self.journal.plan.clone()?;
        let limits = match self.environment_policy() {
            Ok(p) if self.rollout.spec.returns_to.is_none() => crate::plan::PlanLimits::of(p),
            Ok(_) | Err(_) => crate::plan::PlanLimits::default(),
        };
        let proposal: Vec<_> = plan.steps.iter().map(|s| s.step.clone()).collect();
        match crate::plan::check(&plan.strategy, &proposal, total, &limits) {
            Ok(plan) => {
                self.journal.plan = Some(plan);
                Some(())
            }
            Err(problems) => {
                self.end_unbegun(
                    crate::pipeline::OutcomeKind::Refused,
                    &format!("with {total} replicas now: {}", problems.join("; ")),
                );
                None
            }
        }
    }

    /// The live Rollout whose claim stands on the target, if it is another one.
    pub(super) fn claimed_by_other(&self, claim: &Option<String>) -> Option<String> {
        let uid = claim.as_ref().filter(|uid| **uid != self.rollout.uid)?;
        self.seen.siblings.iter().find(|s| s.uid == *uid).map(|s| s.name.clone())
    }

    /// Enters a step, or records success after the last one.
    pub(super) fn enter_step(&mut self, index: u32) -> Flow {
        let Some(plan) = &self.journal.plan else {
            return self.back_without_plan();
        };
        let Some(step) = usize::try_from(index).ok().and_then(|i| plan.steps.get(i)) else {
            return self.succeed();
        };
        let text = format!(
            "step {} of {}: {} ({})",
            index + 1,
            plan.steps.len(),
            step.step.name,
            crate::router::percent(step.achieved_bp)
        );
        let promotes = step.promotes();
        let state = StepState {
            index,
            stage: Stage::Shift,
            since: self.now,
            relapses: 0,
            promoted: false,
        };
        self.journal.state =
            if promotes { State::Promoting(state) } else { State::Progressing(state) };
        self.happened("step-started", Severity::Info, &text);
        Flow::Again
    }

    /// A journal that lost its plan cannot go on: put the stable version back.
    pub(super) fn back_without_plan(&mut self) -> Flow {
        self.go_back(
            "journal-damaged",
            "the journal has no plan any more",
            false,
            crate::pipeline::OutcomeKind::RolledBack,
        )
    }
}
