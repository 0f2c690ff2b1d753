//! The moment before the first change: is the target still what was signed for, and is there a way
//! back?

use super::queue::cannot_see;
use super::{Flow, Turn};
use crate::pipeline::{OutcomeKind, Revision};
use crate::plan::{PlanLimits, Room, check};
use crate::plugin::Severity;
use crate::rollout::{Preparing, Route, Scaled, Seen, SiblingStage, Stage, State, StepState, Why};
use crate::template::template_hash;
use crate::workload::MemberJournal;

/// What a start rests on.
struct Ready {
    stable: Revision,
    candidate_hash: String,
    room: Room,
    members: Vec<MemberJournal>,
    route: Option<Route>,
}

impl Turn<'_> {
    /// Journals everything that a rollback needs, then enters the first step. The first write of
    /// the target comes after this has been stored (W6).
    pub(super) fn start(&mut self) -> Flow {
        let ready = match self.ready() {
            Ok(ready) => ready,
            Err(flow) => return flow,
        };
        // The number of pods may have changed since the plan was made: place the shares anew, and
        // let the policy's limits speak again.
        if let Err(flow) = self.place_anew(ready.room) {
            return flow;
        }
        self.journal.candidate_template_hash = Some(ready.candidate_hash);
        let replicas = ready.room.target();
        self.journal.total_replicas = Some(replicas);
        self.journal.scaled = Some(Scaled {
            from: replicas,
            to: replicas,
            other_since: None,
        });
        self.journal.autoscaler = self.seen.autoscaler.present().cloned();
        self.journal.route = ready.route;
        self.journal.members = ready.members;
        self.journal.started_at = Some(self.now);
        let text = format!(
            "replaces {} in {}",
            ready.stable.tag.as_deref().unwrap_or(&ready.stable.digest),
            self.rollout.spec.target
        );
        self.journal.stable = Some(ready.stable);
        self.happened("started", self.loudness(), &text);
        if self.needs_preparing() {
            self.journal.state = State::Preparing(Preparing { since: self.now });
            return Flow::Again;
        }
        self.enter_step(0)
    }

    /// Whether the target is what was signed for and free, and there is a way back.
    fn ready(&mut self) -> Result<Ready, Flow> {
        let Some(target) = self.target().cloned() else {
            return Err(cannot_see(&self.target_name(), "it cannot be read"));
        };
        let stable = match &self.seen.environment {
            Seen::Present(e) => e.stable.clone(),
            Seen::Absent => None,
            Seen::Unknown(why) => return Err(cannot_see("the pipeline's status", why)),
        };
        let Some(stable) = stable else {
            return Err(Flow::Wait(Why::NoBaseline));
        };
        if template_hash(target.template()) != stable.template_hash {
            return Err(Flow::Wait(Why::Drifted {
                message: format!(
                    "the pod template of {} is not the one that was last promoted or adopted \
                     ({}): somebody else changed it",
                    self.rollout.spec.target, stable.name
                ),
            }));
        }
        if let Some(by) = self.claimed_by_other(&target.claimed_by) {
            return Err(Flow::Wait(Why::Claimed { by }));
        }
        // Two may have left the queue at once; whoever came to the target first is not disturbed.
        if let Some(first) = self
            .seen
            .siblings
            .iter()
            .find(|s| s.stage == SiblingStage::Begun)
        {
            let (name, title) = (first.name.clone(), first.title.clone());
            return Err(Flow::Wait(Why::WaitsForRollout { name, title }));
        }
        if let Some(p) = &self.journal.paused {
            return Err(Flow::Wait(Why::Paused { by: p.text.clone() }));
        }
        if let Some(why) = self.not_ready(true) {
            return Err(Flow::Wait(why));
        }
        let room = self.room(&target)?;
        let route = self.route_at_start(&target).map_err(Flow::Wait)?;
        let members = self.members_ready(&stable)?;
        match self.candidate_template(target.template()) {
            Ok(t) => Ok(Ready {
                members,
                stable,
                candidate_hash: template_hash(&t),
                room,
                route,
            }),
            Err(no) => Err(self.without_template(no)),
        }
    }

    /// The start is journalled, but the target is not claimed: an agent may have died in between,
    /// or somebody was faster. Nothing has been changed, so everything is looked at once more just
    /// before the first write (W11). `None`: still open. Otherwise it waits, or ends, as if it had
    /// never started.
    pub(super) fn not_begun_after_all(&mut self) -> Option<Flow> {
        let begun = self.journal.clone();
        self.journal.state = State::AwaitingApproval;
        self.journal.stable = None;
        self.journal.total_replicas = None;
        self.journal.scaled = None;
        self.journal.autoscaler = None;
        self.journal.route = None;
        self.journal.members = Vec::new();
        self.journal.started_at = None;
        let shut = match self.shut() {
            Some(flow) => Some(flow),
            // What is open is another request than the one that it started under.
            None if self.journal.approval != begun.approval => Some(Flow::Again),
            None => self.ready().err(),
        };
        if matches!(shut, None | Some(Flow::Wait(Why::CannotSee { .. }))) {
            self.journal = begun;
        } else {
            let now = self.now;
            self.journal.note(
                now,
                "start-put-off",
                "nothing was changed yet: back to the gate",
            );
        }
        shut
    }

    /// The plan with the pods that are there now, or its refusal.
    fn place_anew(&mut self, room: Room) -> Result<(), Flow> {
        let Some(plan) = self.journal.plan.clone() else {
            self.journal.state = State::Planning {
                attempt: 1,
                not_before: self.now,
            };
            return Err(Flow::Again);
        };
        let limits = match self.environment_policy() {
            Ok(p) if self.rollout.spec.returns_to.is_none() => PlanLimits::of(&p),
            Ok(_) | Err(_) => PlanLimits::default(),
        };
        let proposal: Vec<_> = plan.steps.iter().map(|s| s.step.clone()).collect();
        match check(&plan.strategy, &proposal, room, &limits) {
            Ok(plan) => {
                self.journal.plan = Some(plan);
                self.unfit().map_or(Ok(()), Err)
            }
            Err(problems) => Err(self.end_unbegun(
                OutcomeKind::Refused,
                &format!(
                    "with {} replicas now: {}",
                    room.target(),
                    problems.join("; ")
                ),
            )),
        }
    }

    /// The live Rollout whose claim stands on the target, if it is another one.
    pub(super) fn claimed_by_other(&self, claim: &Option<String>) -> Option<String> {
        let uid = claim.as_ref().filter(|uid| **uid != self.rollout.uid)?;
        self.seen
            .siblings
            .iter()
            .find(|s| s.uid == *uid)
            .map(|s| s.name.clone())
    }

    /// Enters a step, or records success after the last one.
    pub(super) fn enter_step(&mut self, index: u32) -> Flow {
        let Some(plan) = &self.journal.plan else {
            return self.back_without_plan();
        };
        let Some(step) = usize::try_from(index).ok().and_then(|i| plan.steps.get(i)) else {
            return self.after_last_step();
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
        self.journal.state = if promotes {
            State::Promoting(state)
        } else {
            State::Progressing(state)
        };
        self.happened("step-started", Severity::Info, &text);
        Flow::Again
    }

    /// A journal that lost its plan cannot go on: put the stable version back.
    pub(super) fn back_without_plan(&mut self) -> Flow {
        self.go_back(
            "journal-damaged",
            "the journal has no plan any more",
            false,
            OutcomeKind::RolledBack,
        )
    }
}
