//! What comes when nothing goes back any more: the target takes the new version, the traffic comes back
//! to it, and what was kept is removed.

use super::queue::cannot_see;
use super::route::whole;
use super::{Flow, Turn, later};
use crate::pipeline::OutcomeKind;
use crate::rollout::{Finishing, Seen, Why, WorkloadSeen};

impl Turn<'_> {
    pub(super) fn finishing(&mut self, finishing: &Finishing) -> Flow {
        let target = match &self.seen.target {
            Seen::Unknown(why) => return cannot_see(&self.target_name(), why),
            Seen::Present(t) if t.uid == self.rollout.spec.target_uid => t.clone(),
            Seen::Absent | Seen::Present(_) => {
                return self.target_gone("was deleted before everything was cleared up");
            }
        };
        if let Seen::Unknown(why) = &self.seen.canary {
            return cannot_see("the candidate", why);
        }
        if self.switches()
            && let Err(why) = self.settle(&target)
        {
            let deadline = later(finishing.since, self.progress_deadline_ms());
            // Traffic is at the candidate, which is whole: going back is as good as it was before.
            if self.now >= deadline && matches!(why, Why::WaitsForPods { .. }) {
                let text = format!("the target did not take the new version in time: {why}");
                return self.go_back("not-ready", &text, false, OutcomeKind::RolledBack);
            }
            if matches!(why, Why::WaitsForPods { .. }) {
                self.wake(deadline);
            }
            return Flow::Wait(match why {
                seen @ (Why::CannotSee { .. } | Why::Drifted { .. }) => seen,
                other => Why::Finishes {
                    what: other.to_string(),
                },
            });
        }
        if let Some(flow) = self.after_hooks() {
            return flow;
        }
        self.succeed()
    }

    /// The target takes the new version while the candidate serves; then the traffic comes back to it.
    fn settle(&mut self, target: &WorkloadSeen) -> Result<(), Why> {
        let total = self.journal.total(target);
        if let Some(effect) = self.promote(target, total)? {
            self.will_scale(target, total.max(target.replicas));
            self.effects.push(effect);
            return Err(Why::MovesPods {
                step: None,
                share_bp: crate::router::ALL_TRAFFIC,
            });
        }
        whole(target, total)?;
        self.leave_candidate(target, total, None)
    }
}
