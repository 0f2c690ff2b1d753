//! Workloads that go in lockstep with the target: each gets the same share of its own pods in every
//! step, in the order of the Pipeline, and whatever takes the target back takes them back.
//!
//! A member is decided on by the same code as the target, as if it was one: [`Turn::as_member`] puts it
//! into the target's place for a moment. Under a router that keeps the candidate apart members have no
//! candidate of their own: nothing tells which version of a worker a request came from. They follow in
//! the step of 100 %.

use serde_json::Value;

use super::context::NoTemplate;
use super::queue::cannot_see;
use super::shift::{moves, set_template};
use super::{Flow, Turn, later};
use crate::pipeline::{ConfigSource, OutcomeKind, Revision};
use crate::plan::PlannedStep;
use crate::rollout::journal::clip_short;
use crate::rollout::{
    Effect, Journal, Observation, Scaled, Seen, Stage, StepState, Why, WorkloadSeen,
};
use crate::router::replicas::{Convergence, Split, beside, split};
use crate::template::{diff, template_hash};
use crate::workload::config::copies;
use crate::workload::member::{as_target, back_to_target, member_of, view_of};
use crate::workload::{MemberJournal, MemberRevision, MemberSeen};

/// Lines of difference that are shown of one member, each cut: the target's own have the most room.
const LINES_OF_A_MEMBER: usize = 2;
/// An event tells of every change: this look is for the one that is lost. Milliseconds.
const UNOBSERVED_MS: i64 = 2_000;

impl Turn<'_> {
    /// Whether every member can go with this version. `None`: all of them are there and can.
    pub(super) fn members_known(&mut self) -> Option<Flow> {
        for i in 0..self.rollout.spec.target.with.len() {
            let name = self.member_name(i);
            let template = match &MemberSeen::of(self.seen, i).target {
                Seen::Present(m) => m.template().clone(),
                Seen::Unknown(why) => return Some(cannot_see(&name, why)),
                Seen::Absent => {
                    let problems = vec![format!("{name} does not exist")];
                    return Some(Flow::Wait(Why::NotReady { problems }));
                }
            };
            if let Err(no) = self.member_template(i, &template) {
                return Some(self.without_template(match no {
                    NoTemplate::Impossible(why) => NoTemplate::Impossible(format!("{name}: {why}")),
                    unseen @ NoTemplate::Unseen(_) => unseen,
                }));
            }
        }
        None
    }

    /// The pod template of a member that shall serve in the end.
    fn member_template(&self, i: usize, now: &Value) -> Result<Value, NoTemplate> {
        let seen = MemberSeen::of(self.seen, i);
        if let Some(to) = &self.rollout.spec.returns_to
            && member_of(to, self.member(i)).is_none()
        {
            return Err(NoTemplate::Impossible(format!(
                "{} was not in the group when {} was promoted",
                self.member(i),
                to.tag.as_deref().unwrap_or(&to.digest)
            )));
        }
        let rollout = view_of(self.rollout, i, "");
        let observation = Observation {
            return_template: seen.return_template,
            ..Observation::default()
        };
        let turn = Turn {
            rollout: &rollout,
            seen: &observation,
            policy: self.policy,
            now: self.now,
            journal: Journal {
                config: self.journal.config.clone(),
                ..Journal::default()
            },
            effects: Vec::new(),
            wake_at: None,
            turned: false,
            grows: false,
        };
        turn.candidate_template(now)
    }

    /// Hashes of what the members would become, for what people sign; none while one cannot be told.
    pub(super) fn member_hashes(&self) -> Option<Vec<String>> {
        (0..self.rollout.spec.target.with.len())
            .map(|i| {
                let seen = MemberSeen::of(self.seen, i);
                let template = self.member_template(i, seen.target.present()?.template());
                template.ok().map(|t| template_hash(&t))
            })
            .collect()
    }

    /// What would change in the members, for people.
    pub(super) fn member_lines(&self) -> Vec<String> {
        let mut out = Vec::new();
        for i in 0..self.rollout.spec.target.with.len() {
            let seen = MemberSeen::of(self.seen, i);
            let Some(now) = seen.target.present().map(WorkloadSeen::template) else {
                continue;
            };
            let Ok(then) = self.member_template(i, now) else {
                continue;
            };
            let lines = diff(now, &then);
            let name = self.member(i);
            let shown = lines.iter().take(LINES_OF_A_MEMBER);
            out.extend(shown.map(|line| clip_short(&format!("{name}: {line}"))));
            if lines.len() > LINES_OF_A_MEMBER {
                let more = lines.len() - LINES_OF_A_MEMBER;
                out.push(format!("{name}: and {more} more"));
            }
        }
        out
    }

    /// Whether every member is what the last success left and free; and what a way back needs of it.
    pub(super) fn members_ready(&mut self, stable: &Revision) -> Result<Vec<MemberJournal>, Flow> {
        let mut out = Vec::new();
        for i in 0..self.rollout.spec.target.with.len() {
            let (name, seen) = (self.member_name(i), MemberSeen::of(self.seen, i));
            let Some(found) = seen.target.present() else {
                return Err(cannot_see(&name, "it cannot be read"));
            };
            let kept = member_of(stable, self.member(i)).filter(|m| m.uid == found.uid);
            let Some(kept) = kept.cloned() else {
                return Err(Flow::Wait(Why::NoBaseline));
            };
            if template_hash(found.template()) != kept.template_hash {
                return Err(Flow::Wait(Why::Drifted {
                    message: format!(
                        "the pod template of {name} is not the one that was last promoted or adopted \
                         ({}): somebody else changed it",
                        kept.name
                    ),
                }));
            }
            if let Some(by) = self.claimed_by_other(&found.claimed_by) {
                return Err(Flow::Wait(Why::Claimed { by }));
            }
            if let Seen::Unknown(why) = &seen.autoscaler {
                return Err(cannot_see("whether an autoscaler owns a member", why));
            }
            let template = self.member_template(i, found.template());
            let template = match template {
                Ok(template) => template,
                Err(no) => return Err(self.without_template(no)),
            };
            out.push(MemberJournal {
                stable: kept,
                candidate_template_hash: template_hash(&template),
                total_replicas: found.replicas,
                scaled: Some(Scaled {
                    from: found.replicas,
                    to: found.replicas,
                    other_since: None,
                }),
                autoscaler: seen.autoscaler.present().cloned(),
                claimed: false,
            });
        }
        Ok(out)
    }

    /// Whether every member stands as the step wants it; the one after it waits for the one before.
    pub(super) fn members(
        &mut self,
        step: &StepState,
        planned: &PlannedStep,
    ) -> Result<Result<(), Why>, Flow> {
        if self.rollout.spec.strategy.router.isolates() && !planned.promotes() {
            return Ok(Ok(()));
        }
        for i in 0..self.journal.members.len() {
            match self.as_member(i, |turn| turn.member_step(step, planned)) {
                Some(Ok(Ok(()))) | None => {}
                Some(other) => return other,
            }
        }
        Ok(Ok(()))
    }

    fn member_step(
        &mut self,
        step: &StepState,
        planned: &PlannedStep,
    ) -> Result<Result<(), Why>, Flow> {
        let target = match &self.seen.target {
            Seen::Unknown(why) => return Err(cannot_see(&self.target_name(), why)),
            Seen::Present(t) if t.uid == self.rollout.spec.target_uid => t.clone(),
            Seen::Absent | Seen::Present(_) => {
                let text = format!(
                    "{} was deleted, and what goes in lockstep goes back together",
                    self.target_name()
                );
                return Err(self.go_back("member-gone", &text, false, OutcomeKind::RolledBack));
            }
        };
        match &self.seen.canary {
            Seen::Unknown(why) => return Err(cannot_see("the canary", why)),
            Seen::Present(c) if !c.made_by(&self.rollout.uid) => {
                let what = format!("Deployment {}/{}", c.namespace, c.name);
                let why = "it has the canary's name, but Sluice did not create it";
                return Err(cannot_see(&what, why));
            }
            Seen::Present(_) | Seen::Absent => {}
        }
        if let Some(by) = self.claimed_by_other(&target.claimed_by) {
            return Err(Flow::Wait(Why::Claimed { by }));
        }
        if target.claimed_by.as_ref() != Some(&self.rollout.uid) {
            self.effects.push(Effect::Claim {
                target: target.guard(),
                rollout_uid: self.rollout.uid.clone(),
            });
            return Ok(Err(moves(step, planned)));
        }
        self.journal.claimed = true;
        self.seen_scaled(&target);
        if let Some(drift) = self.drifted(&target, planned.promotes()) {
            return Err(Flow::Wait(drift));
        }
        if let Some(flow) = self.rescaled(&target) {
            return Err(flow);
        }
        // Nothing of it runs: there is nothing to share out.
        if !planned.promotes() && self.journal.total(&target) == 0 {
            return Ok(Ok(()));
        }
        let planned = self.planned_for(&target, planned);
        if !matches!(step.stage, Stage::Shift) && !target.observed() {
            self.wake(later(self.now, UNOBSERVED_MS));
            let waits = moves(step, &planned);
            return Err(Flow::Wait(self.journal.why.clone().unwrap_or(waits)));
        }
        Ok(self.pods(&target, step, &planned))
    }

    /// The same share of a member's own pods.
    fn planned_for(&self, target: &WorkloadSeen, planned: &PlannedStep) -> PlannedStep {
        let total = self.journal.total(target);
        let share = match planned.step.capacity_replicas {
            Some(_) => planned.achieved_bp,
            None => planned.step.weight_bp,
        };
        let split = match (planned.promotes(), &self.journal.autoscaler) {
            (true, _) => Split {
                stable: total,
                candidate: 0,
            },
            (false, Some(_)) => beside(total, share),
            (false, None) => split(total, share),
        };
        PlannedStep {
            stable_replicas: split.stable,
            candidate_replicas: split.candidate,
            ..planned.clone()
        }
    }

    /// Whether every member serves its stable version alone, or was never touched.
    pub(super) fn members_restored(&self) -> bool {
        self.journal.members.iter().enumerate().all(|(i, kept)| {
            let seen = MemberSeen::of(self.seen, i);
            let target = match &seen.target {
                Seen::Unknown(_) => return false,
                Seen::Present(t) if t.uid == kept.stable.uid => t,
                Seen::Absent | Seen::Present(_) => return true,
            };
            let touched = kept.claimed || target.claimed_by.as_ref() == Some(&self.rollout.uid);
            let no_canary = match &seen.canary {
                Seen::Absent => true,
                Seen::Present(c) => !c.made_by(&self.rollout.uid),
                Seen::Unknown(_) => false,
            };
            !touched
                || (template_hash(target.template()) == kept.stable.template_hash
                    && target.settled()
                    && no_canary)
        })
    }

    /// Writes what takes the members back. What cannot be seen now is waited for.
    pub(super) fn members_back(&mut self) {
        for i in 0..self.journal.members.len() {
            self.as_member(i, |turn| turn.member_back());
        }
    }

    fn member_back(&mut self) {
        let (target, stable) = match (&self.seen.target, &self.journal.stable) {
            (Seen::Present(t), Some(s)) if t.uid == self.rollout.spec.target_uid => {
                (t.clone(), s.clone())
            }
            _ => return,
        };
        self.journal.claimed |= target.claimed_by.as_ref() == Some(&self.rollout.uid);
        if !self.journal.claimed {
            return;
        }
        self.seen_scaled(&target);
        let total = self.journal.total(&target);
        if template_hash(target.template()) != stable.template_hash {
            match &self.seen.stable_template {
                Seen::Present(t) if template_hash(t) == stable.template_hash => {
                    let effect = set_template(&target, t, total);
                    self.will_scale(&target, total.max(target.replicas));
                    self.effects.push(effect);
                }
                Seen::Absent if self.turned => {
                    let now = self.now;
                    self.wake(now);
                }
                Seen::Present(_) | Seen::Absent | Seen::Unknown(_) => {}
            }
            return;
        }
        let canary = match &self.seen.canary {
            Seen::Unknown(_) => return,
            Seen::Present(c) if !c.made_by(&self.rollout.uid) => Seen::Absent,
            other => other.clone(),
        };
        if let Convergence::Write(list) = self.withdrawal(total, &target, &canary)
            && let Err(why) = self.push_moves(&list, &target)
        {
            self.journal.why = Some(why);
        }
    }

    /// The members' templates as they serve now, each with the effect that keeps it. Otherwise what
    /// cannot be seen, or nothing: one of them is not what was rolled out.
    pub(super) fn members_promoted(&self) -> Result<Vec<(MemberRevision, Effect)>, Option<Flow>> {
        let mut out = Vec::new();
        for (i, kept) in self.journal.members.iter().enumerate() {
            let seen = MemberSeen::of(self.seen, i);
            let found = match &seen.target {
                Seen::Present(found) => found,
                Seen::Absent => return Err(None),
                Seen::Unknown(why) => return Err(Some(cannot_see(&self.member_name(i), why))),
            };
            let hash = template_hash(found.template());
            if hash != kept.candidate_template_hash || found.uid != kept.stable.uid {
                return Err(None);
            }
            let save = Self::save_revision(found, found.template());
            let revision = MemberRevision {
                deployment: found.name.clone(),
                uid: found.uid.clone(),
                name: super::context::revision_name(&found.name, &found.uid, &hash),
                template_hash: hash,
            };
            out.push((revision, save));
        }
        Ok(out)
    }

    /// Copies of configuration that the members refer to, on top of the target's.
    pub(super) fn member_copies(&self, own: &mut Vec<ConfigSource>) {
        for i in 0..self.journal.members.len() {
            let seen = MemberSeen::of(self.seen, i);
            let used = seen.target.present().map(|t| copies(t.template()));
            for copy in used.unwrap_or_default() {
                if !own.contains(&copy) {
                    own.push(copy);
                }
            }
        }
    }

    fn member(&self, i: usize) -> &str {
        let with = &self.rollout.spec.target.with;
        with.get(i).map_or("", |m| m.deployment.as_str())
    }

    fn member_name(&self, i: usize) -> String {
        let target = &self.rollout.spec.target;
        format!("Deployment {}/{}", target.namespace, self.member(i))
    }

    /// Runs a part of the decision with a member in the target's place. What it writes, notes and
    /// decides stays; what is kept of the target comes back afterwards.
    fn as_member<R>(&mut self, i: usize, f: impl FnOnce(&mut Turn<'_>) -> R) -> Option<R> {
        let (rollout, seen, journal) = as_target(self.rollout, self.seen, &self.journal, i)?;
        let before = std::mem::take(&mut self.journal);
        let mut turn = Turn {
            rollout: &rollout,
            seen: &seen,
            policy: self.policy,
            now: self.now,
            journal,
            effects: std::mem::take(&mut self.effects),
            wake_at: self.wake_at,
            turned: self.turned,
            grows: self.grows,
        };
        let out = f(&mut turn);
        let Turn {
            journal,
            effects,
            wake_at,
            turned,
            grows,
            ..
        } = turn;
        self.journal = back_to_target(before, journal, i);
        self.effects = effects;
        self.wake_at = wake_at;
        self.turned = turned;
        self.grows = grows;
        Some(out)
    }
}
