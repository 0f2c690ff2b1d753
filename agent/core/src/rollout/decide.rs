//! The engine: given the journal, what is seen, the policy and the time, what happens next.
//!
//! A list of named steps, one file each. None of them looks at a clock, writes a log line or fails.

mod analyse;
mod approval_hash;
mod back;
mod check;
mod config;
mod context;
mod dry_run;
mod failed;
mod finish;
mod foreign;
mod gate;
mod hold;
mod hooks;
mod looks;
mod members;
mod messages;
mod partition;
mod plan;
mod preflight;
mod prepare;
mod queue;
mod record;
mod requests;
mod route;
mod shift;
mod slot;
mod start;
mod watch;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::journal::Journal;
use super::observation::{Observation, RolloutView, WorkloadSeen};
use super::state::State;
use super::why::Why;
use crate::policy::Policy;

pub(super) use analyse::{in_force, measure_key, place, watches};
pub(super) use check::check_key;
pub(crate) use context::revision_name;
pub use context::{DRILL_ANNOTATION, ROLE_LABEL, ROLLOUT_ANNOTATION, ROLLOUT_LABEL, canary_name};
pub(super) use hold::judge_key;
pub use hooks::pods_wanted as hook_pods_wanted;
pub use looks::looks_at;
pub(super) use messages::tell;
pub(super) use plan::plan_key;
pub use preflight::{QuotaSeen, quotas_wanted};

/// Even where the world does not change, a Rollout is looked at this often (R5): milliseconds.
const LOOK_AGAIN_MS: i64 = 30_000;
/// States that one decision may pass without an effect between. The longest path is shorter: a
/// decision that reaches this bound waits, and is looked at again.
const PASSES: usize = 16;

/// What happens next, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The journal to write before any effect is tried.
    pub journal: Journal,
    /// What to do, in this order.
    pub effects: Vec<Effect>,
    /// When to look again, if nothing is seen before. `None`: it is over.
    pub wake_at: Option<Timestamp>,
    /// Why.
    pub why: Why,
}

/// One step of a Rollout. Total and pure: the same inputs give the same decision, for ever.
///
/// `now` is the only clock. What could not be seen is [`super::Seen::Unknown`], not an error.
pub fn decide(
    rollout: &RolloutView,
    journal: &Journal,
    seen: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Decision {
    let mut turn = Turn {
        rollout,
        seen,
        policy,
        now,
        journal: journal.clone(),
        effects: Vec::new(),
        wake_at: None,
        turned: false,
        grows: false,
    };
    let mut why = None;
    for _ in 0..PASSES {
        match turn.pass() {
            Flow::Again => {}
            Flow::Wait(reason) => {
                why = Some(reason);
                break;
            }
        }
    }
    let why = why.unwrap_or_else(|| {
        // Many wishes at once: what is left of them comes next.
        let now = turn.now;
        turn.wake(now);
        Why::CannotSee {
            what: "there is more to decide than one look may".into(),
        }
    });
    turn.finish(journal, why)
}

/// Whether the state changed and is looked at again, or it stays for this reason.
enum Flow {
    Again,
    Wait(Why),
}

/// The working set of one decision.
struct Turn<'a> {
    rollout: &'a RolloutView,
    seen: &'a Observation,
    policy: &'a Policy,
    now: Timestamp,
    journal: Journal,
    effects: Vec<Effect>,
    wake_at: Option<Timestamp>,
    /// Whether this very decision turned round.
    turned: bool,
    /// Whether an effect gives the candidate a larger share by its route.
    grows: bool,
}

impl Turn<'_> {
    fn pass(&mut self) -> Flow {
        if let Some(flow) = self.requests() {
            return flow;
        }
        if let Some(flow) = self.newer_sibling() {
            return flow;
        }
        match self.journal.state.clone() {
            State::Queued => self.queued(),
            State::Planning {
                attempt,
                not_before,
            } => self.planning(attempt, not_before),
            State::AwaitingApproval => self.gate(),
            State::Preparing(preparing) => self.preparing(&preparing),
            State::Progressing(step) | State::Promoting(step) => self.step(step),
            State::Watching(step) => self.watching(step),
            State::Finishing(finishing) => self.finishing(&finishing),
            State::RollingBack(reason) => self.back_together(&reason),
            State::Recording(ending) => self.record(&ending),
            State::Ended(end) => Flow::Wait(Why::Ended {
                message: end.message,
            }),
        }
    }

    fn finish(mut self, before: &Journal, why: Why) -> Decision {
        let phase = self.journal.state.phase();
        let now = self.now;
        self.journal
            .count_phase(before, self.rollout.created_at, now);
        if self.rollout.spec.drill {
            self.journal.time_drill(now);
        }
        phase.clone_into(&mut self.journal.phase);
        self.journal.message = super::journal::clip(&why.to_string());
        self.journal.why = Some(why.clone());
        let ended = self.journal.state.ended();
        if ended {
            self.journal.intent.clear();
        } else if !self.effects.is_empty() {
            // What is asked stands where its answer will: only writes have to be told here.
            let writes = self.effects.iter().filter(|e| !e.is_question());
            self.journal.intent = writes.map(Effect::intent).collect();
        }
        let wake_at = (!ended).then(|| {
            let latest = self.after_ms(LOOK_AGAIN_MS);
            self.wake_at.map_or(latest, |t| t.min(latest))
        });
        Decision {
            journal: self.journal,
            effects: self.effects,
            wake_at,
            why,
        }
    }

    /// Asks to be called at `t`, or earlier if something else already asked.
    fn wake(&mut self, t: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(t, |w| w.min(t)));
    }

    /// `now` plus milliseconds; the end of time where that overflows.
    fn after_ms(&self, ms: i64) -> Timestamp {
        later(self.now, ms)
    }

    /// The target, if it is the one this Rollout was made for.
    fn target(&self) -> Option<&WorkloadSeen> {
        self.seen
            .target
            .present()
            .filter(|t| t.uid == self.rollout.spec.target_uid)
    }
}

/// `t` plus milliseconds; the end of time where that overflows.
pub(super) fn later(t: Timestamp, ms: i64) -> Timestamp {
    t.checked_add(jiff::SignedDuration::from_millis(ms))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
