//! A step: moving pods, then its checks, its hold and the strategy's word.

use serde_json::{Value, json};

use super::context::{ROLE_LABEL, ROLLOUT_LABEL};
use super::queue::cannot_see;
use super::{Flow, Turn, later};
use crate::pipeline::OutcomeKind;
use crate::plan::PlannedStep;
use crate::rollout::{Effect, Seen, Stage, State, StepState, Why, WorkloadSeen};
use crate::router::replicas::{Convergence, Move, Split, converge, withdraw_canary};
use crate::template::{merge_diff, template_hash};

/// Pods that were ready and fell back so often in one step are the candidate's fault.
const RELAPSE_LIMIT: u32 = 3;

impl Turn<'_> {
    pub(super) fn step(&mut self, step: StepState) -> Flow {
        let target = match &self.seen.target {
            Seen::Unknown(why) => return cannot_see(&self.target_name(), why),
            Seen::Absent => return self.target_gone("was deleted"),
            Seen::Present(t) if t.uid != self.rollout.spec.target_uid => {
                return self.target_gone("was deleted and made anew");
            }
            Seen::Present(t) => t.clone(),
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
        if let Some(by) = self.claimed_by_other(&target.claimed_by) {
            return Flow::Wait(Why::Claimed { by });
        }
        if target.claimed_by.as_ref() != Some(&self.rollout.uid) {
            self.effects.push(Effect::Claim {
                target: Self::guard(&target),
                rollout_uid: self.rollout.uid.clone(),
            });
            return Flow::Wait(moves(&step, &planned));
        }
        if let Some(flow) = self.too_long() {
            return flow;
        }
        if let Some(drift) = self.drifted(&target, planned.promotes()) {
            return Flow::Wait(drift);
        }
        let reached = self.pods(&target, &step, &planned);
        if matches!(step.stage, Stage::Shift) {
            return match reached {
                Ok(()) => self.pods_reached(step),
                Err(waiting) => self.shift_waits(&step, &planned, waiting),
            };
        }
        if reached.is_err() {
            self.effects.clear();
            return self.relapse(step);
        }
        match step.stage.clone() {
            Stage::Shift => Flow::Again,
            Stage::Check { runs, since } => self.check(step, &planned, runs, since),
            Stage::Hold { until } => self.hold(step, &planned, until),
            Stage::Judge { attempt, not_before, faults, proceed } => {
                self.judge(step, &planned, attempt, not_before, faults, proceed)
            }
        }
    }

    /// Whether the pods stand as the step wants them; if not, what is written or waited for.
    fn pods(
        &mut self,
        target: &WorkloadSeen,
        step: &StepState,
        planned: &PlannedStep,
    ) -> Result<(), Why> {
        let total = self.journal.total_replicas.unwrap_or(target.replicas);
        let convergence = if planned.promotes() {
            if let Some(effect) = self.promote(target, total)? {
                self.effects.push(effect);
                return Err(moves(step, planned));
            }
            if target.settled() && target.replicas == total {
                withdraw_canary(total, target, &self.seen.canary)
            } else if target.replicas < total {
                Convergence::Write(vec![Move::ScaleStable(total)])
            } else {
                Convergence::WaitFor { deployment: target.name.clone(), replicas: total }
            }
        } else {
            let want = Split {
                stable: planned.stable_replicas,
                candidate: planned.candidate_replicas,
            };
            converge(want, total, target, &self.seen.canary)
        };
        match convergence {
            Convergence::Reached => Ok(()),
            Convergence::Write(list) => {
                self.push_moves(&list, target)?;
                Err(moves(step, planned))
            }
            Convergence::WaitFor { deployment, replicas } => {
                Err(Why::WaitsForPods { deployment, replicas, until: None })
            }
        }
    }

    /// The write that makes the candidate the stable version, where it is not done yet.
    fn promote(&self, target: &WorkloadSeen, total: u32) -> Result<Option<Effect>, Why> {
        let found = template_hash(target.template());
        if self.journal.candidate_template_hash.as_ref() == Some(&found) {
            return Ok(None);
        }
        let template = self
            .candidate_template(target.template())
            .map_err(|what| Why::CannotSee { what })?;
        Ok(Some(set_template(target, &template, total)))
    }

    /// Turns moves into guarded effects.
    pub(super) fn push_moves(
        &mut self,
        list: &[Move],
        target: &WorkloadSeen,
    ) -> Result<(), Why> {
        for m in list {
            let canary = self.seen.canary.present();
            let takes_pods_away = m.takes_pods_away(target, canary);
            let effect = match (m, canary) {
                (Move::CreateCanary, _) => Effect::CreateDeployment {
                    manifest: self.canary_manifest(target)?,
                },
                (Move::ScaleStable(n), _) => Effect::Scale {
                    deployment: Self::guard(target),
                    replicas: *n,
                    takes_pods_away,
                },
                (Move::ScaleCanary(n), Some(c)) => Effect::Scale {
                    deployment: Self::guard(c),
                    replicas: *n,
                    takes_pods_away,
                },
                (Move::DeleteCanary, Some(c)) => {
                    Effect::DeleteDeployment { deployment: Self::guard(c) }
                }
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
            .map_err(|what| Why::CannotSee { what })?;
        let mut spec = target.spec.clone();
        let labels = [(ROLE_LABEL, "canary"), (ROLLOUT_LABEL, self.rollout.uid.as_str())];
        add_labels(&mut template, "metadata", &labels);
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
                "ownerReferences": [{
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": target.name,
                    "uid": target.uid,
                    "controller": false,
                    "blockOwnerDeletion": false,
                }],
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
        step.stage = Stage::Check { runs, since: now };
        self.set_step(step);
        Flow::Again
    }

    fn shift_waits(&mut self, step: &StepState, planned: &PlannedStep, waiting: Why) -> Flow {
        let deadline = later(step.since, self.progress_deadline_ms());
        if self.now >= deadline && self.effects.is_empty() {
            let text = format!(
                "the pods of step {} ({}) were not all ready in time: {waiting}",
                step.index + 1,
                planned.step.name
            );
            return self.go_back("not-ready", &text, true, OutcomeKind::RolledBack);
        }
        self.wake(deadline);
        Flow::Wait(match waiting {
            Why::WaitsForPods { deployment, replicas, .. } => {
                Why::WaitsForPods { deployment, replicas, until: Some(deadline) }
            }
            other => other,
        })
    }

    /// Pods that were ready are not any more: the step shifts, and is checked, again.
    fn relapse(&mut self, mut step: StepState) -> Flow {
        step.relapses = step.relapses.saturating_add(1);
        if step.relapses > RELAPSE_LIMIT {
            let text = format!(
                "pods of step {} lost their readiness {} times",
                step.index + 1,
                step.relapses
            );
            return self.go_back("unstable", &text, true, OutcomeKind::RolledBack);
        }
        let text = format!("step {}: pods are not ready any more", step.index + 1);
        self.happened("pods-unwell", crate::plugin::Severity::Warning, &text);
        step.stage = Stage::Shift;
        step.since = self.now;
        self.set_step(step);
        Flow::Again
    }

    /// Whether somebody else changed the pod template under a Rollout that is under way (W10).
    fn drifted(&self, target: &WorkloadSeen, promotes: bool) -> Option<Why> {
        let found = template_hash(target.template());
        let stable = self.journal.stable.as_ref().map(|r| r.template_hash.as_str());
        let candidate = self.journal.candidate_template_hash.as_deref();
        if stable == Some(found.as_str()) || (promotes && candidate == Some(found.as_str())) {
            return None;
        }
        Some(Why::Drifted {
            message: format!(
                "somebody else changed the pod template of {}; Sluice does not fight over it",
                self.rollout.spec.target
            ),
        })
    }

    /// The policy's limit for the whole Rollout (T5).
    fn too_long(&mut self) -> Option<Flow> {
        let limit = self.environment_policy().ok()?.limits.total_time?;
        let deadline = limit.after(self.journal.started_at?);
        if self.now < deadline {
            self.wake(deadline);
            return None;
        }
        let text = "the policy's total time is over";
        Some(self.go_back("too-long", text, false, OutcomeKind::RolledBack))
    }

    fn target_gone(&mut self, how: &str) -> Flow {
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
        let promoting = matches!(self.journal.state, State::Promoting(_));
        self.journal.state =
            if promoting { State::Promoting(step) } else { State::Progressing(step) };
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

/// One write: this template, this many pods.
pub(super) fn set_template(target: &WorkloadSeen, template: &Value, replicas: u32) -> Effect {
    let mut patch = json!({"template": merge_diff(target.template(), template)});
    if target.replicas != replicas
        && let Some(map) = patch.as_object_mut()
    {
        map.insert("replicas".into(), json!(replicas));
    }
    Effect::SetTemplate {
        deployment: Turn::guard(target),
        spec_patch: patch,
        template_hash: template_hash(template),
    }
}

fn moves(step: &StepState, planned: &PlannedStep) -> Why {
    Why::MovesPods { step: Some(step.index + 1), share_bp: planned.achieved_bp }
}

fn add_labels(object: &mut Value, at: &str, labels: &[(&str, &str)]) {
    let Some(map) = object.as_object_mut() else { return };
    let meta = map.entry(at).or_insert_with(|| json!({}));
    let Some(meta) = meta.as_object_mut() else { return };
    let existing = meta.entry("labels").or_insert_with(|| json!({}));
    if let Some(existing) = existing.as_object_mut() {
        for (k, v) in labels {
            existing.insert((*k).to_owned(), json!(v));
        }
    }
}
