//! Workloads whose candidate takes the place of pods: StatefulSets, a number of pods at a time, and
//! DaemonSets, all at once.
//!
//! ```text
//!   ordinal   0 1 2 3 4 5 6 7 8 9
//!   10 %      a a a a a a a a a b     partition 9: template and partition in one write
//!   50 %      a a a a a b b b b b     partition 5
//!   100 %     b b b b b b b b b b     partition 0, and then what it was before
//! ```
//! The numbers of pods stay as they are, and the workload's own controller never takes more of them
//! at once than its `maxUnavailable`.

use serde_json::{Value, json};

use super::context::NoTemplate;
use super::queue::unseen;
use super::shift::{for_pods, moves};
use super::{Flow, Turn};
use crate::pipeline::OutcomeKind;
use crate::plan::PlannedStep;
use crate::rollout::{Effect, ObjectKind, Seen, StepState, Why, WorkloadSeen};
use crate::router::replicas::Move;
use crate::template::{merge_diff, template_hash};
use crate::workload::{partition, problems};

impl Turn<'_> {
    /// Refuses a plan that a workload of this kind cannot carry out.
    pub(super) fn unfit(&mut self) -> Option<Flow> {
        let autoscaled = self.seen.autoscaler.present().is_some();
        let steps = self.journal.plan.as_ref().map(|p| p.steps.as_slice());
        let told = problems(self.target()?, autoscaled, steps.unwrap_or_default());
        (!told.is_empty()).then(|| {
            let text = format!("the plan does not fit: {}", told.join("; "));
            self.end_unbegun(OutcomeKind::Refused, &text)
        })
    }

    /// Whether the pods stand as the step wants them; if not, what is written or waited for.
    pub(super) fn pods_in_place(
        &mut self,
        target: &WorkloadSeen,
        step: &StepState,
        planned: &PlannedStep,
    ) -> Result<(), Why> {
        let total = self.journal.total(target);
        if planned.promotes() {
            if let Some(effect) = self.promote(target, total)? {
                self.keep_partition(target);
                self.will_scale(target, total.max(target.replicas));
                self.effects.push(effect);
                return Err(moves(step, planned));
            }
            if self.all_pods(target, total)? {
                return Err(moves(step, planned));
            }
            return Ok(());
        }
        if target.kind != ObjectKind::StatefulSet {
            return Err(unseen(&self.target_name(), "it cannot hold a share"));
        }
        let wanted = self.partition_of(target, planned);
        let found = template_hash(target.template());
        if self.journal.candidate_template_hash.as_ref() != Some(&found) {
            let template = self
                .candidate_template(target.template())
                .map_err(NoTemplate::why)?;
            self.keep_partition(target);
            let mut patch = json!({"template": merge_diff(target.template(), &template)});
            put_partition(&mut patch, wanted);
            self.effects.push(Effect::SetTemplate {
                deployment: target.guard(),
                spec_patch: patch,
                template_hash: template_hash(&template),
            });
            return Err(moves(step, planned));
        }
        if partition(&target.spec) > wanted {
            self.effects.push(set_partition(target, wanted));
            return Err(moves(step, planned));
        }
        let ready = target.observed()
            && target.pods == target.replicas
            && target.ready == target.replicas
            && target.available == target.replicas
            && target.updated >= planned.candidate_replicas;
        if ready { Ok(()) } else { Err(waits(target)) }
    }

    /// Whether every pod has the template of now and the partition is what it was before; if not,
    /// what is waited for, or `true`: something was written.
    fn all_pods(&mut self, target: &WorkloadSeen, total: u32) -> Result<bool, Why> {
        let stateful = target.kind == ObjectKind::StatefulSet;
        if stateful && target.replicas < total {
            self.push_moves(&[Move::ScaleStable(total)], target)?;
            return Ok(true);
        }
        let found = partition(&target.spec);
        if stateful && found > 0 && target.observed() && target.updated < target.replicas {
            self.effects.push(set_partition(target, 0));
            return Ok(true);
        }
        if !target.settled() {
            return Err(waits(target));
        }
        // Only now: pods below a partition would keep the template that goes.
        let before = self.journal.partition_before.unwrap_or(0);
        if stateful && found != before {
            self.effects.push(set_partition(target, before));
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether every pod has the stable template again, once the target has it. A pod of the
    /// candidate that never becomes ready keeps the controller of a StatefulSet from going back: it
    /// is removed, and comes again as a stable one.
    pub(super) fn back_in_place(&mut self, target: &WorkloadSeen, total: u32) -> Result<(), Why> {
        match self.all_pods(target, total) {
            Ok(false) => Ok(()),
            Ok(true) => Err(waits(target)),
            Err(waiting) => {
                let parallel = target
                    .spec
                    .get("podManagementPolicy")
                    .and_then(Value::as_str);
                if target.observed() && parallel != Some("Parallel") {
                    self.clear_the_way()?;
                }
                Err(waiting)
            }
        }
    }

    fn clear_the_way(&mut self) -> Result<(), Why> {
        match &self.seen.pods_in_the_way {
            Seen::Absent => Ok(()),
            Seen::Unknown(why) => Err(unseen(&format!("the pods of {}", self.target_name()), why)),
            Seen::Present(pods) => {
                let removed = pods.iter().map(|pod| Effect::Delete {
                    object: pod.clone(),
                });
                self.effects.extend(removed);
                Ok(())
            }
        }
    }

    /// Whether somebody else moved the partition of a StatefulSet that is under way (W10).
    pub(super) fn repartitioned(&self, target: &WorkloadSeen) -> Option<Why> {
        let found = template_hash(target.template());
        if target.kind != ObjectKind::StatefulSet
            || self.journal.candidate_template_hash.as_ref() != Some(&found)
        {
            return None;
        }
        let step = self.journal.state.step()?;
        let plan = self.journal.plan.as_ref()?;
        let index = usize::try_from(step.index).ok()?;
        let before = index.checked_sub(1).and_then(|i| plan.steps.get(i));
        let own: Vec<u32> = before
            .into_iter()
            .chain(plan.steps.get(index))
            .map(|s| self.partition_of(target, s))
            .chain(
                plan.steps
                    .get(index)
                    .filter(|s| s.promotes())
                    .and(self.journal.partition_before),
            )
            .collect();
        let found = partition(&target.spec);
        (!own.contains(&found)).then(|| Why::Drifted {
            message: format!(
                "somebody else set the partition of {} to {found}; Sluice had set {}, and does not \
                 fight over it",
                self.rollout.spec.target,
                own.iter().min().copied().unwrap_or(0),
            ),
        })
    }

    /// The partition with which a step has its number of candidate pods.
    fn partition_of(&self, target: &WorkloadSeen, planned: &PlannedStep) -> u32 {
        if planned.promotes() {
            return 0;
        }
        let total = self.journal.total_replicas.unwrap_or(target.replicas);
        total.saturating_sub(planned.candidate_replicas)
    }

    /// Journals the partition that is given back in the end, before it is first written.
    fn keep_partition(&mut self, target: &WorkloadSeen) {
        if target.kind == ObjectKind::StatefulSet && self.journal.partition_before.is_none() {
            self.journal.partition_before = Some(partition(&target.spec));
        }
    }
}

/// The partition alone: the template stays.
fn set_partition(target: &WorkloadSeen, partition: u32) -> Effect {
    let mut patch = json!({});
    put_partition(&mut patch, partition);
    Effect::SetTemplate {
        deployment: target.guard(),
        spec_patch: patch,
        template_hash: template_hash(target.template()),
    }
}

/// Adds the partition to a patch of a StatefulSet's spec.
pub(super) fn put_partition(patch: &mut Value, partition: u32) {
    if let Some(map) = patch.as_object_mut() {
        map.insert(
            "updateStrategy".into(),
            json!({"rollingUpdate": {"partition": partition}}),
        );
    }
}

fn waits(target: &WorkloadSeen) -> Why {
    for_pods(&target.name, target.replicas)
}
