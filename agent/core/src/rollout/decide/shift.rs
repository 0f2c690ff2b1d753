//! A step: moving pods, then its checks, its hold and the strategy's word.

use serde_json::{Value, json};

use super::context::{NoTemplate, ROLE_LABEL, ROLLOUT_LABEL};
use super::foreign::is_move;
use super::queue::cannot_see;
use super::{Flow, Turn, later};
use crate::pipeline::OutcomeKind;
use crate::plan::PlannedStep;
use crate::rollout::{Effect, ObjectKind, Seen, Stage, State, StepState, Why, WorkloadSeen};
use crate::router::replicas::{
    Convergence, Move, Split, converge, converge_beside, withdraw_canary,
};
use crate::router::surge;
use crate::template::{merge_diff, template_hash};
use crate::workload::partition;

/// The Deployment controller notes a change within a moment, and that is an event: this look is for
/// the event that is lost. Milliseconds.
const UNOBSERVED_MS: i64 = 2_000;
/// Pods that were ready and fell back so often in one step are the candidate's fault.
const RELAPSE_LIMIT: u32 = 3;

impl Turn<'_> {
    pub(super) fn step(&mut self, step: StepState) -> Flow {
        let target = match self.target_or_end() {
            Ok(target) => target,
            Err(flow) => return flow,
        };
        if let Seen::Unknown(why) = &self.seen.canary {
            return cannot_see("the canary", why);
        }
        let plan = self.journal.plan.clone();
        let planned = plan
            .as_ref()
            .and_then(|p| p.steps.get(usize::try_from(step.index).ok()?))
            .cloned();
        let Some(planned) = planned else {
            return self.back_without_plan();
        };
        self.journal.claimed |= target.claimed_by.as_ref() == Some(&self.rollout.uid);
        if !self.journal.claimed
            && let Some(flow) = self.not_begun_after_all()
        {
            return flow;
        }
        if let Some(by) = self.claimed_by_other(&target.claimed_by) {
            return Flow::Wait(Why::Claimed { by });
        }
        if let Some(c) = self
            .seen
            .canary
            .present()
            .filter(|c| !c.made_by(&self.rollout.uid))
        {
            let what = format!("Deployment {}/{}", c.namespace, c.name);
            return cannot_see(
                &what,
                "it has the canary's name, but Sluice did not create it",
            );
        }
        if target.claimed_by.as_ref() != Some(&self.rollout.uid) {
            self.effects.push(Effect::Claim {
                target: Self::guard(&target),
                rollout_uid: self.rollout.uid.clone(),
            });
            return self.claim_waits(step, &planned);
        }
        if let Some(flow) = self.too_long() {
            return flow;
        }
        self.seen_scaled(&target);
        if let Some(drift) = self.drifted(&target, planned.promotes()) {
            return Flow::Wait(drift);
        }
        if let Some(flow) = self.rescaled(&target) {
            return flow;
        }
        if let Some(flow) = self.condemned(&step) {
            return flow;
        }
        // Any change of a Deployment, if only of an annotation, makes its numbers old for a moment.
        // That is no pod's fault: what was watched goes on when they are new.
        if !matches!(step.stage, Stage::Shift)
            && let Some(name) = self.unobserved(&target)
        {
            self.wake(later(self.now, UNOBSERVED_MS));
            let waits = Why::WaitsForPods {
                deployment: name,
                replicas: planned.stable_replicas,
                until: None,
            };
            return Flow::Wait(self.journal.why.clone().unwrap_or(waits));
        }
        let mut reached = self.pods(&target, &step, &planned);
        if reached.is_ok() {
            reached = match self.members(&step, &planned) {
                Ok(reached) => reached,
                Err(flow) => return flow,
            };
        }
        if matches!(step.stage, Stage::Shift) {
            let step = match self.exposure_held(step) {
                Ok(step) => step,
                Err(flow) => return flow,
            };
            return match reached {
                Ok(()) => self.pods_reached(step),
                Err(waiting) => self.shift_waits(&step, &planned, waiting),
            };
        }
        if let Err(why) = reached {
            if let Some(flow) = self.rerouted(&why) {
                return flow;
            }
            // Fewer canary pods beside fewer stable ones: nobody is unwell.
            if self.journal.autoscaler.is_some() && is_move(&why) {
                return Flow::Wait(why);
            }
            self.effects.clear();
            return self.relapse(step, &planned, &why);
        }
        if let Some(route) = &mut self.journal.route {
            route.other_since = None;
        }
        match step.stage.clone() {
            Stage::Shift => Flow::Again,
            Stage::Check { runs, since } => self.check(step, &planned, runs, since),
            Stage::Hold { until } => self.hold(step, &planned, until),
            Stage::Judge {
                attempt,
                not_before,
                faults,
                proceed,
            } => self.judge(step, &planned, attempt, not_before, faults, proceed),
        }
    }

    /// The target, or where it leads that it is not there or cannot be seen.
    pub(super) fn target_or_end(&mut self) -> Result<WorkloadSeen, Flow> {
        match &self.seen.target {
            Seen::Unknown(why) => Err(cannot_see(&self.target_name(), why)),
            Seen::Absent => Err(self.target_gone("was deleted")),
            Seen::Present(t) if t.uid != self.rollout.spec.target_uid => {
                Err(self.target_gone("was deleted and made anew"))
            }
            Seen::Present(t) => Ok(t.clone()),
        }
    }

    /// Whether the pods stand as the step wants them; if not, what is written or waited for.
    pub(super) fn pods(
        &mut self,
        target: &WorkloadSeen,
        step: &StepState,
        planned: &PlannedStep,
    ) -> Result<(), Why> {
        if self.router().is_some() {
            return self.pods_apart(target, step, planned);
        }
        if target.kind != ObjectKind::Deployment {
            return self.pods_in_place(target, step, planned);
        }
        let total = self.journal.total(target);
        let surge = self.surge();
        let convergence = if planned.promotes() {
            // Under a limit of pods the target grows only as the canary goes.
            let pods = surge.map_or(total, |_| target.replicas);
            if let Some(effect) = self.promote(target, pods)? {
                let total = pods;
                self.will_scale(target, total.max(target.replicas));
                self.effects.push(effect);
                return Err(moves(step, planned));
            }
            if let Some(surge) = surge {
                let all = Split {
                    stable: total,
                    candidate: 0,
                };
                surge::converge(all, total, surge, target, &self.seen.canary)
            } else if target.settled() && target.replicas >= total {
                withdraw_canary(total, target, &self.seen.canary)
            } else if target.replicas < total {
                Convergence::Write(vec![Move::ScaleStable(total)])
            } else {
                Convergence::WaitFor {
                    deployment: target.name.clone(),
                    replicas: total,
                }
            }
        } else if self.journal.autoscaler.is_some() {
            converge_beside(self.beside(target, step, planned), &self.seen.canary)
        } else {
            let want = Split {
                stable: planned.stable_replicas,
                candidate: planned.candidate_replicas,
            };
            match surge {
                Some(surge) => surge::converge(want, total, surge, target, &self.seen.canary),
                None => converge(want, total, target, &self.seen.canary),
            }
        };
        self.towards(convergence, target, moves(step, planned))
    }

    /// Makes effects of what is still to be written, for the reason `moving`; `Ok`: nothing is left to
    /// write or to wait for.
    pub(super) fn towards(
        &mut self,
        convergence: Convergence,
        target: &WorkloadSeen,
        moving: Why,
    ) -> Result<(), Why> {
        match convergence {
            Convergence::Reached => Ok(()),
            Convergence::Write(list) => {
                self.push_moves(&list, target)?;
                Err(moving)
            }
            Convergence::WaitFor {
                deployment,
                replicas,
            } => Err(for_pods(&deployment, replicas)),
        }
    }

    /// Pods that may stand above the target's own number, where the Pipeline limits them and no
    /// autoscaler decides.
    pub(super) fn surge(&self) -> Option<u32> {
        let surge = self.rollout.spec.strategy.router.surge();
        surge.filter(|_| self.journal.autoscaler.is_none())
    }

    /// A Deployment of this Rollout whose numbers do not speak of its newest version yet.
    fn unobserved(&self, target: &WorkloadSeen) -> Option<String> {
        [Some(target), self.seen.canary.present()]
            .into_iter()
            .flatten()
            .find(|w| !w.observed())
            .map(|w| w.name.clone())
    }

    /// The write that makes the candidate the stable version, where it is not done yet.
    pub(super) fn promote(&self, target: &WorkloadSeen, total: u32) -> Result<Option<Effect>, Why> {
        let found = template_hash(target.template());
        if self.journal.candidate_template_hash.as_ref() == Some(&found) {
            return Ok(None);
        }
        let template = self
            .candidate_template(target.template())
            .map_err(NoTemplate::why)?;
        Ok(Some(set_template(target, &template, total)))
    }

    /// While the claim is being written. An agent that was down since the start gets a new term, but
    /// a claim that is refused again and again ends it.
    fn claim_waits(&mut self, mut step: StepState, planned: &PlannedStep) -> Flow {
        let waiting = moves(&step, planned);
        if !matches!(step.stage, Stage::Shift) {
            return Flow::Wait(waiting);
        }
        let deadline = later(step.since, self.progress_deadline_ms());
        if self.now >= deadline && step.relapses < RELAPSE_LIMIT {
            step.since = self.now;
            step.relapses = step.relapses.saturating_add(1);
            self.set_step(step.clone());
        }
        self.shift_waits(&step, planned, waiting)
    }

    /// Writes that give the candidate more traffic are held back while any gate is closed: between
    /// the decision to go on and this write an agent may have been down for hours (W11).
    fn exposure_held(&mut self, mut step: StepState) -> Result<StepState, Flow> {
        let canaries: Vec<&WorkloadSeen> = std::iter::once(&self.seen.canary)
            .chain(self.seen.members.iter().map(|m| &m.canary))
            .filter_map(Seen::present)
            .collect();
        let more = self.grows;
        let grows = self.effects.iter().any(|e| match e {
            Effect::Create { .. } | Effect::SetTemplate { .. } => true,
            Effect::Patch { .. } => more,
            Effect::Scale {
                deployment,
                replicas,
                ..
            } => canaries
                .iter()
                .any(|c| c.uid == deployment.uid && *replicas > c.replicas),
            Effect::Claim { .. }
            | Effect::CopyConfig { .. }
            | Effect::SaveRevision { .. }
            | Effect::Delete { .. }
            | Effect::RecordOutcome { .. }
            | Effect::Ask { .. } => false,
        });
        if !grows {
            return Ok(step);
        }
        if let Some(no) = self.rejection() {
            return Err(self.go_back("rejected", &no, false, OutcomeKind::RolledBack));
        }
        if let Some(held) = self.held_before_next_step() {
            self.effects.clear();
            return Err(Flow::Wait(held));
        }
        // The time in which it was held is not the pods' fault.
        if self.journal.why.as_ref().is_some_and(Why::holds) {
            step.since = self.now;
            self.set_step(step.clone());
        }
        Ok(step)
    }

    /// Turns moves into guarded effects.
    pub(super) fn push_moves(&mut self, list: &[Move], target: &WorkloadSeen) -> Result<(), Why> {
        for m in list {
            let canary = self.seen.canary.present();
            let takes_pods_away = m.takes_pods_away(target, canary);
            let effect = match (m, canary) {
                (Move::CreateCanary, _) => Effect::Create {
                    manifest: self.canary_manifest(target)?,
                },
                (Move::ScaleStable(n), _) => {
                    self.will_scale(target, *n);
                    Effect::Scale {
                        deployment: Self::guard(target),
                        replicas: *n,
                        takes_pods_away,
                    }
                }
                (Move::ScaleCanary(n), Some(c)) => Effect::Scale {
                    deployment: Self::guard(c),
                    replicas: *n,
                    takes_pods_away,
                },
                (Move::DeleteCanary, Some(c)) => Effect::Delete {
                    object: Self::guard(c),
                },
                (Move::ScaleCanary(_) | Move::DeleteCanary, None) => continue,
            };
            self.effects.push(effect);
        }
        Ok(())
    }

    /// A second Deployment of the same pods with the new image: created empty (W4), owned by the
    /// target beside it, told apart by one more label.
    fn canary_manifest(&self, target: &WorkloadSeen) -> Result<Value, Why> {
        let mut template = self
            .candidate_template(target.template())
            .map_err(NoTemplate::why)?;
        let mut spec = target.spec.clone();
        let labels = [
            (ROLE_LABEL, "canary"),
            (ROLLOUT_LABEL, self.rollout.uid.as_str()),
        ];
        add_labels(&mut template, "metadata", &labels);
        let apart = self.journal.route.as_ref().map(|r| r.apart.clone());
        if let Some(map) = spec.as_object_mut() {
            map.insert("replicas".into(), json!(0));
            map.insert("template".into(), template);
            map.remove("paused");
        }
        let matched = spec.get_mut("selector").and_then(Value::as_object_mut);
        if let Some(selector) = matched {
            let labels = selector.entry("matchLabels").or_insert_with(|| json!({}));
            if let Some(map) = labels.as_object_mut() {
                map.insert(ROLE_LABEL.into(), json!("canary"));
                map.insert(ROLLOUT_LABEL.into(), json!(self.rollout.uid));
            }
        }
        if let Some(apart) = apart {
            apart.mark(&mut spec);
        }
        Ok(json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "namespace": target.namespace,
                "name": super::canary_name(&target.name, &self.rollout.uid),
                "labels": {
                    ROLLOUT_LABEL: self.rollout.uid,
                    ROLE_LABEL: "canary",
                    "app.kubernetes.io/managed-by": "sluice",
                },
                "ownerReferences": [Self::owner(target).entry()],
            },
            "spec": spec,
        }))
    }

    fn pods_reached(&mut self, mut step: StepState) -> Flow {
        let now = self.now;
        let runs = self
            .rollout
            .spec
            .checks
            .iter()
            .map(|c| crate::rollout::CheckRun {
                name: c.label().to_owned(),
                attempt: 1,
                not_before: now,
                report: None,
                passed: false,
            })
            .collect();
        self.journal.repeats.clear();
        step.stage = Stage::Check { runs, since: now };
        self.set_step(step);
        Flow::Again
    }

    fn shift_waits(&mut self, step: &StepState, planned: &PlannedStep, waiting: Why) -> Flow {
        let limit = self.progress_deadline_ms();
        let deadline = later(step.since, limit);
        // What an agent that was down had no time to write gets as long again, and no more (T5).
        let writes = !self.effects.is_empty();
        if self.now
            >= if writes {
                later(deadline, limit)
            } else {
                deadline
            }
        {
            let text = format!(
                "the pods of step {} ({}) were not all ready in time: {waiting}",
                step.index + 1,
                planned.step.name
            );
            let failed = self.candidate_unwell(planned, &waiting);
            return self.go_back("not-ready", &text, failed, OutcomeKind::RolledBack);
        }
        self.wake(deadline);
        Flow::Wait(match waiting {
            Why::WaitsForPods {
                deployment,
                replicas,
                ..
            } => Why::WaitsForPods {
                deployment,
                replicas,
                until: Some(deadline),
            },
            other => other,
        })
    }

    /// Pods that were ready are not any more: the step shifts, and is checked, again.
    fn relapse(&mut self, mut step: StepState, planned: &PlannedStep, why: &Why) -> Flow {
        step.relapses = step.relapses.saturating_add(1);
        if step.relapses > RELAPSE_LIMIT {
            let text = format!(
                "pods of step {} lost their readiness {} times",
                step.index + 1,
                step.relapses
            );
            let failed = self.candidate_unwell(planned, why);
            return self.go_back("unstable", &text, failed, OutcomeKind::RolledBack);
        }
        let text = format!("step {}: pods are not ready any more", step.index + 1);
        self.happened("pods-unwell", crate::plugin::Severity::Warning, &text);
        step.stage = Stage::Shift;
        step.since = self.now;
        self.set_step(step);
        Flow::Again
    }

    /// Whether it is pods of the candidate that are waited for. Stable pods on a drained node, or a
    /// write that was refused, say nothing about the candidate (D1).
    fn candidate_unwell(&self, planned: &PlannedStep, waiting: &Why) -> bool {
        let Why::WaitsForPods { deployment, .. } = waiting else {
            return false;
        };
        let target = &self.rollout.spec.target;
        let in_place = target.kind() != ObjectKind::Deployment;
        let canary = |name: &str| super::canary_name(name, &self.rollout.uid);
        let own = if in_place || (planned.promotes() && !self.switches()) {
            target.name().to_owned()
        } else {
            canary(target.name())
        };
        let with = target.with.iter().map(|m| match planned.promotes() {
            true => m.deployment.clone(),
            false => canary(&m.deployment),
        });
        std::iter::once(own).chain(with).any(|w| w == *deployment)
    }

    /// The policy's limit for the whole Rollout (T5).
    pub(super) fn too_long(&mut self) -> Option<Flow> {
        let limit = self.environment_policy().ok()?.limits.total_time?;
        let deadline = limit.after(self.journal.started_at?);
        if self.now < deadline {
            self.wake(deadline);
            return None;
        }
        let text = "the policy's total time is over";
        Some(self.go_back("too-long", text, false, OutcomeKind::RolledBack))
    }

    pub(super) fn target_gone(&mut self, how: &str) -> Flow {
        if !self.members_restored() {
            let text = format!("{} {how}", self.target_name());
            return self.go_back("target-gone", &text, false, OutcomeKind::Failed);
        }
        let text = format!("{} {how}; nothing is left to do", self.target_name());
        self.journal.state = State::Recording(crate::rollout::Ending {
            kind: OutcomeKind::Failed,
            message: text,
            quarantine: None,
        });
        Flow::Again
    }

    /// Writes the step back into the state, keeping its phase.
    pub(super) fn set_step(&mut self, step: StepState) {
        self.journal.state = self.journal.state.with_step(step);
    }

    /// How long pods and checks of one step may take, in milliseconds.
    pub(super) fn progress_deadline_ms(&self) -> i64 {
        let limit = match self.environment_policy() {
            Ok(p) => p.limits.progress_deadline,
            Err(_) => crate::policy::Limits::default().progress_deadline,
        };
        i64::try_from(limit.as_millis()).unwrap_or(i64::MAX)
    }
}

/// One write: this template, at least so many pods. What somebody scaled up meanwhile stays.
pub(super) fn set_template(target: &WorkloadSeen, template: &Value, replicas: u32) -> Effect {
    let mut patch = json!({"template": merge_diff(target.template(), template)});
    if target.replicas < replicas
        && let Some(map) = patch.as_object_mut()
    {
        map.insert("replicas".into(), json!(replicas));
    }
    if target.kind == ObjectKind::StatefulSet && partition(&target.spec) > 0 {
        super::partition::put_partition(&mut patch, 0);
    }
    Effect::SetTemplate {
        deployment: Turn::guard(target),
        spec_patch: patch,
        template_hash: template_hash(template),
    }
}

/// Pods of a workload are waited for, and nothing ends that yet.
pub(super) fn for_pods(deployment: &str, replicas: u32) -> Why {
    Why::WaitsForPods {
        deployment: deployment.to_owned(),
        replicas,
        until: None,
    }
}

pub(super) fn moves(step: &StepState, planned: &PlannedStep) -> Why {
    Why::MovesPods {
        step: Some(step.index + 1),
        share_bp: planned.achieved_bp,
    }
}

fn add_labels(object: &mut Value, at: &str, labels: &[(&str, &str)]) {
    let Some(map) = object.as_object_mut() else {
        return;
    };
    let meta = map.entry(at).or_insert_with(|| json!({}));
    let Some(meta) = meta.as_object_mut() else {
        return;
    };
    let existing = meta.entry("labels").or_insert_with(|| json!({}));
    if let Some(existing) = existing.as_object_mut() {
        for (k, v) in labels {
            existing.insert((*k).to_owned(), json!(v));
        }
    }
}
