//! Putting the stable revision back. Needs no plugin, no registry, no vote and no window; only the
//! cluster and what was journalled before the first change.

use super::queue::cannot_see;
use super::shift::set_template;
use super::{Flow, Turn};
use crate::pipeline::OutcomeKind;
use crate::plugin::Severity;
use crate::rollout::journal::clip;
use crate::rollout::{BackReason, Ending, Seen, State, Why};
use crate::router::replicas::{Convergence, withdraw_canary};
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
        self.happened("rolling-back", Severity::Critical, &message);
        self.effects.clear();
        self.turned = true;
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

    pub(super) fn back(&mut self, reason: &BackReason) -> Flow {
        let target = match &self.seen.target {
            Seen::Unknown(why) => return cannot_see(&self.target_name(), why),
            Seen::Present(t) if t.uid == self.rollout.spec.target_uid => t.clone(),
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
            let effect = set_template(&target, template, total);
            self.will_scale(&target, total.max(target.replicas));
            self.effects.push(effect);
            return Flow::Wait(why);
        }
        if let Seen::Unknown(what) = &self.seen.canary {
            return cannot_see("the canary", what);
        }
        let canary = match &self.seen.canary {
            Seen::Present(c) if !c.made_by(&self.rollout.uid) => Seen::Absent,
            other => other.clone(),
        };
        match withdraw_canary(total, &target, &canary) {
            Convergence::Write(list) => match self.push_moves(&list, &target) {
                Ok(()) => Flow::Wait(why),
                Err(held) => Flow::Wait(held),
            },
            Convergence::WaitFor { .. } => Flow::Wait(why),
            Convergence::Reached => {
                if let Some(flow) = self.undo_hooks() {
                    return flow;
                }
                let stable_name = stable.tag.clone().unwrap_or(stable.digest);
                self.restored(&Ending {
                    kind: reason.ends_as,
                    message: clip(&format!("{stable_name} serves again: {}", reason.message)),
                    quarantine: reason.candidate_failed.then(|| reason.message.clone()),
                })
            }
        }
    }

    fn restored(&mut self, ending: &Ending) -> Flow {
        self.journal.state = State::Recording(ending.clone());
        Flow::Again
    }
}
