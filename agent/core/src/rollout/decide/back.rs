//! Putting the stable revision back. Needs no plugin, no registry, no vote and no window; only the
//! cluster and what was journalled before the first change.

use super::queue::cannot_see;
use super::shift::set_template;
use super::{Flow, Turn};
use crate::pipeline::{OutcomeKind, Revision};
use crate::plugin::Severity;
use crate::rollout::journal::clip;
use crate::rollout::{
    BackReason, DRILL_CODE, Ending, ObjectKind, Seen, State, WentBack, Why, WorkloadSeen,
};
use crate::router::replicas::{Convergence, Split, withdraw_canary};
use crate::router::surge;
use crate::template::template_hash;

impl Turn<'_> {
    /// Turns round. `candidate_failed` quarantines the digest.
    pub(super) fn go_back(
        &mut self,
        code: &str,
        message: &str,
        candidate_failed: bool,
        ends_as: OutcomeKind,
    ) -> Flow {
        let step = self.journal.state.step().map(|s| s.index);
        let message = clip(message);
        // What was wanted is no alarm.
        let severity = match code {
            DRILL_CODE => Severity::Info,
            _ => Severity::Critical,
        };
        self.happened("rolling-back", severity, &message);
        self.effects.clear();
        self.turned = true;
        let since = match &self.journal.state {
            State::Preparing(preparing) => Some(preparing.since),
            State::Finishing(finishing) => Some(finishing.since),
            other => other.step().map(|s| s.since),
        };
        self.journal.went_back = Some(WentBack {
            code: code.to_owned(),
            message: message.clone(),
            candidate_failed,
            step,
            under_way_since: since,
            decided_at: self.now,
            done_at: None,
        });
        self.journal.state = State::RollingBack(BackReason {
            code: code.to_owned(),
            message,
            candidate_failed,
            step,
            since: self.now,
            ends_as,
        });
        Flow::Again
    }

    /// The target and whatever goes in lockstep with it, at the same time.
    pub(super) fn back_together(&mut self, reason: &BackReason) -> Flow {
        let flow = self.back(reason);
        if matches!(self.journal.state, State::RollingBack(_)) {
            self.members_back();
        }
        flow
    }

    fn back(&mut self, reason: &BackReason) -> Flow {
        let target = match &self.seen.target {
            Seen::Unknown(why) => return cannot_see(&self.target_name(), why),
            Seen::Present(t) if t.uid == self.rollout.spec.target_uid => t.clone(),
            Seen::Absent | Seen::Present(_) if !self.members_restored() => {
                return Flow::Wait(Why::RollsBack {
                    reason: reason.message.clone(),
                });
            }
            Seen::Absent | Seen::Present(_) => {
                return self.restored(&Ending {
                    kind: OutcomeKind::Failed,
                    message: clip(&format!(
                        "{} is gone; nothing to put back ({})",
                        self.target_name(),
                        reason.message
                    )),
                    quarantine: reason.candidate_failed.then(|| reason.message.clone()),
                });
            }
        };
        let Some(stable) = self.journal.stable.clone() else {
            return cannot_see("the journal", "it names no stable revision");
        };
        let why = Why::RollsBack {
            reason: reason.message.clone(),
        };
        if !self.journal.claimed && target.claimed_by.as_ref() != Some(&self.rollout.uid) {
            // The claim is the first write: what stands there is not this Rollout's to put back.
            return self.restored(&Ending {
                kind: reason.ends_as,
                message: clip(&format!("nothing had been changed: {}", reason.message)),
                quarantine: reason.candidate_failed.then(|| reason.message.clone()),
            });
        }
        self.seen_scaled(&target);
        let total = self.journal.total(&target);
        // First of all the people: then whatever is behind them.
        if let Err(held) = self.traffic_to_target(&target, total, None) {
            return Flow::Wait(told(held, why));
        }
        if template_hash(target.template()) != stable.template_hash {
            let template = match &self.seen.stable_template {
                Seen::Present(t) if template_hash(t) == stable.template_hash => t,
                Seen::Present(_) => {
                    return cannot_see(
                        &stable.name,
                        "it does not hold the template it is named for",
                    );
                }
                // It is looked for only while it is needed, which is known since this decision.
                Seen::Absent if self.turned => {
                    let now = self.now;
                    self.wake(now);
                    return Flow::Wait(why);
                }
                Seen::Absent => return cannot_see(&stable.name, "the ControllerRevision is gone"),
                Seen::Unknown(why) => return cannot_see(&stable.name, why),
            };
            let pods = self.surge().map_or(total, |_| target.replicas);
            let effect = set_template(&target, template, pods);
            self.will_scale(&target, pods.max(target.replicas));
            self.effects.push(effect);
            return Flow::Wait(why);
        }
        if let Seen::Unknown(what) = &self.seen.canary {
            return cannot_see("the canary", what);
        }
        if target.kind != ObjectKind::Deployment {
            return match self.back_in_place(&target, total) {
                Ok(()) => self.back_again(&stable, reason),
                Err(held) => Flow::Wait(told(held, why)),
            };
        }
        if self.router().is_some() {
            if let Err(held) = self.leave_candidate(&target, total, None) {
                return Flow::Wait(told(held, why));
            }
            return self.back_again(&stable, reason);
        }
        let canary = match &self.seen.canary {
            Seen::Present(c) if !c.made_by(&self.rollout.uid) => Seen::Absent,
            other => other.clone(),
        };
        match self.withdrawal(total, &target, &canary) {
            Convergence::Write(list) => match self.push_moves(&list, &target) {
                Ok(()) => Flow::Wait(why),
                Err(held) => Flow::Wait(held),
            },
            Convergence::WaitFor { .. } => Flow::Wait(why),
            Convergence::Reached => self.back_again(&stable, reason),
        }
    }

    /// What is left until a stable version whose template is right serves alone.
    pub(super) fn withdrawal(
        &self,
        total: u32,
        target: &WorkloadSeen,
        canary: &Seen<WorkloadSeen>,
    ) -> Convergence {
        match self.surge() {
            Some(surge) => {
                let all = Split {
                    stable: total,
                    candidate: 0,
                };
                surge::converge(all, total, surge, target, canary)
            }
            None => withdraw_canary(total, target, canary),
        }
    }

    /// The stable revision serves alone again.
    fn back_again(&mut self, stable: &Revision, reason: &BackReason) -> Flow {
        if !self.members_restored() {
            return Flow::Wait(Why::RollsBack {
                reason: reason.message.clone(),
            });
        }
        if let Some(flow) = self.undo_hooks() {
            return flow;
        }
        let stable_name = stable.tag.as_ref().unwrap_or(&stable.digest);
        self.restored(&Ending {
            kind: reason.ends_as,
            message: clip(&format!(
                "{stable_name} serves again: {}{}",
                reason.message,
                self.hooks_left()
            )),
            quarantine: reason.candidate_failed.then(|| reason.message.clone()),
        })
    }

    fn restored(&mut self, ending: &Ending) -> Flow {
        self.journal.state = State::Recording(ending.clone());
        Flow::Again
    }
}

/// Going back is told by its reason, unless something cannot be seen that has to be.
fn told(held: Why, why: Why) -> Why {
    match held {
        Why::CannotSee { .. } => held,
        _ => why,
    }
}
