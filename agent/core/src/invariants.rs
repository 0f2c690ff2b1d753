//! Rules that no decision may break, checked on every decision, in tests and in production. A
//! decision that breaks one is refused and reported, never executed.

use crate::pipeline::OutcomeKind;
use crate::plugin::Outcome;
use crate::rollout::{
    Decision, Effect, Journal, ObjectKind, Observation, RolloutView, Seen, State, WorkloadSeen,
};
use crate::router::ALL_TRAFFIC;
use crate::router::apart::Side;
use crate::router::replicas::floor;
use crate::router::surge;

mod analysis;
mod apart;
mod hooks;
mod members;
mod workloads;

/// The rules that a decision breaks, one sentence each. Empty: it may be executed.
pub fn broken(
    rollout: &RolloutView,
    before: &Journal,
    seen: &Observation,
    decision: &Decision,
) -> Vec<String> {
    let mut out = Vec::new();
    let after = &decision.journal;
    let changes = decision.effects.iter().any(changes_target);
    if changes && !after.state.begun() {
        out.push(format!("changes the target in phase {}", after.phase));
    }
    if changes && after.stable.is_none() {
        out.push("changes the target without a stable revision to go back to".into());
    }
    if changes && after.approval.is_none() && rollout.spec.returns_to.is_none() {
        out.push("changes the target without an approval request".into());
    }
    if before.state.ended() && (after.state != before.state || !decision.effects.is_empty()) {
        out.push("goes on after its end".into());
    }
    if matches!(before.state, State::RollingBack(_)) && after.state.step().is_some() {
        out.push("goes forward again while rolling back".into());
    }
    if let Some(plan) = &after.plan {
        if plan
            .steps
            .last()
            .is_none_or(|s| s.step.weight_bp != ALL_TRAFFIC)
        {
            out.push("has a plan that never promotes".into());
        }
        if after
            .state
            .step()
            .is_some_and(|s| usize::try_from(s.index).map_or(true, |i| i >= plan.steps.len()))
        {
            out.push("is in a step that the plan does not have".into());
        }
    }
    steps_in_order(rollout, before, after, &mut out);
    analysis::history(rollout, before, seen, decision, &mut out);
    hooks::history(rollout, before, after, &mut out);
    enough_ready(rollout, seen, decision, &mut out);
    let group = members::views(rollout, seen, after);
    for (rollout, seen, journal) in &group {
        let of_member = members::decision_of(decision, journal);
        enough_ready(rollout, seen, &of_member, &mut out);
    }
    for effect in &decision.effects {
        let member = group.iter().find(|(r, s, _)| members::about(r, s, effect));
        match member {
            Some((r, s, j)) => effect_rules(r, before, s, j, effect, &mut out),
            None => effect_rules(rollout, before, seen, after, effect, &mut out),
        }
        hooks::effect(rollout, seen, after, effect, &mut out);
        workloads::effect(rollout, seen, after, effect, &mut out);
    }
    out
}

/// Whether an effect changes the workload that people are served by.
pub fn changes_target(effect: &Effect) -> bool {
    match effect {
        Effect::Claim { .. }
        | Effect::Create { .. }
        | Effect::Scale { .. }
        | Effect::SetTemplate { .. }
        | Effect::Patch { .. }
        | Effect::CopyConfig { .. } => true,
        // Of these only what nothing refers to any more is removed.
        Effect::Delete { object } => !object.kind.is_confidential(),
        Effect::SaveRevision { .. } | Effect::RecordOutcome { .. } | Effect::Ask { .. } => false,
    }
}

/// A step is entered only from the one before it, and only with a pass of every check on record
/// (reliability.md O3, O10).
fn steps_in_order(rollout: &RolloutView, before: &Journal, after: &Journal, out: &mut Vec<String>) {
    let index = |j: &Journal| j.state.step().map(|s| s.index);
    let left = match (index(before), index(after)) {
        (Some(from), Some(to)) if to == from.saturating_add(1) => Some(from),
        (Some(from), Some(to)) if to != from => {
            out.push(format!("goes from step {} to step {}", from + 1, to + 1));
            None
        }
        (None, Some(to)) if to != 0 => {
            out.push(format!("begins with step {}", to + 1));
            None
        }
        (Some(from), None) if after.state.outcome() == Some(OutcomeKind::Succeeded) => Some(from),
        _ => None,
    };
    let Some(left) = left else { return };
    let wanted = after
        .plan
        .as_ref()
        .and_then(|p| p.steps.get(usize::try_from(left).ok()?))
        .is_some_and(|s| s.step.checks || s.promotes());
    for check in rollout.spec.checks.iter().filter(|_| wanted) {
        let passed = after.checks.iter().any(|r| {
            r.step == left
                && r.name == check.label()
                && (r.outcome == Outcome::Pass || (check.optional && r.outcome == Outcome::Skipped))
        });
        if !passed {
            out.push(format!(
                "leaves step {} without a pass of {}",
                left + 1,
                check.label()
            ));
        }
    }
}

/// No scaling leaves fewer ready pods behind the Service than the target's own rolling update would
/// (reliability.md W7), counted on what is ready and never on what is wanted.
fn enough_ready(
    rollout: &RolloutView,
    seen: &Observation,
    decision: &Decision,
    out: &mut Vec<String>,
) {
    let Some(target) = seen.target.present() else {
        return;
    };
    let left = |w: &WorkloadSeen| {
        decision.effects.iter().fold(w.ready, |ready, e| match e {
            Effect::Scale {
                deployment,
                replicas,
                ..
            } if deployment.uid == w.uid => ready.min(*replicas),
            Effect::Delete { object } if object.uid == w.uid => 0,
            Effect::Scale { .. }
            | Effect::Delete { .. }
            | Effect::Claim { .. }
            | Effect::Create { .. }
            | Effect::SetTemplate { .. }
            | Effect::Patch { .. }
            | Effect::CopyConfig { .. }
            | Effect::SaveRevision { .. }
            | Effect::RecordOutcome { .. }
            | Effect::Ask { .. } => ready,
        })
    };
    let canary = seen.canary.present();
    // Apart from the target a candidate is behind the Service when the Service says so, and only then.
    let side = apart::side(rollout, seen, &decision.journal);
    let (of_target, of_canary) = match side {
        None => (true, true),
        Some(Side::Target) => (true, false),
        Some(Side::Candidate) => (false, true),
    };
    let now = if of_target { target.ready } else { 0 }
        .saturating_add(canary.filter(|_| of_canary).map_or(0, |c| c.ready));
    let then = if of_target { left(target) } else { 0 }
        .saturating_add(canary.filter(|_| of_canary).map_or(0, left));
    let total = decision.journal.total(target);
    let missing = match rollout.spec.strategy.router.surge() {
        Some(_) => surge::spare(target.max_unavailable),
        None => target.max_unavailable,
    };
    if then < now && then < floor(total, missing, now) {
        out.push(format!("leaves {then} ready pods behind the Service"));
    }
}

fn effect_rules(
    rollout: &RolloutView,
    before: &Journal,
    seen: &Observation,
    after: &Journal,
    effect: &Effect,
    out: &mut Vec<String>,
) {
    let target = &rollout.spec.target;
    let is_target = |ns: &str, name: &str| ns == target.namespace && name == target.name();
    match effect {
        Effect::Claim { target: guard, .. } => {
            if guard.uid != rollout.spec.target_uid || guard.resource_version.is_empty() {
                out.push("claims an object that is not its target".into());
            }
        }
        Effect::Create { manifest } => {
            apart::created(rollout, manifest, out);
            if manifest.pointer("/kind").and_then(|k| k.as_str()) == Some("Deployment")
                && manifest
                    .pointer("/spec/replicas")
                    .and_then(serde_json::Value::as_u64)
                    != Some(0)
            {
                out.push("creates a Deployment that is not empty (W4)".into());
            }
            if manifest
                .pointer("/metadata/namespace")
                .and_then(|v| v.as_str())
                != Some(target.namespace.as_str())
            {
                out.push("creates a Deployment outside the target's namespace".into());
            }
        }
        Effect::Scale {
            deployment,
            replicas,
            ..
        } => {
            if deployment.resource_version.is_empty() || deployment.uid.is_empty() {
                out.push("scales without a guard".into());
            }
            let stable = is_target(&deployment.namespace, &deployment.name);
            if stable && *replicas == 0 {
                out.push("scales the stable version to zero".into());
            }
            let grows = seen
                .canary
                .present()
                .is_some_and(|c| *replicas > c.replicas);
            if !stable && grows && after.state.step().is_none() {
                out.push("gives the candidate more pods without a step".into());
            }
            if !stable
                && !seen
                    .canary
                    .present()
                    .is_some_and(|c| c.made_by(&rollout.uid))
            {
                out.push("scales a Deployment that this Rollout did not create".into());
            }
            // The target must be claimed before it, or its canary, is scaled.
            if seen.target.present().is_some_and(|t| {
                t.claimed_by.as_ref() != Some(&rollout.uid) && after.state.step().is_some()
            }) {
                out.push("scales a target that it has not claimed".into());
            }
        }
        Effect::SetTemplate {
            deployment,
            template_hash,
            ..
        } => {
            if !is_target(&deployment.namespace, &deployment.name)
                || deployment.uid != rollout.spec.target_uid
            {
                out.push("sets the template of something else than its target".into());
            }
            let wanted = match after.state {
                State::RollingBack(_) => after.stable.as_ref().map(|r| &r.template_hash),
                State::Promoting(_) | State::Finishing(_) => after.candidate_template_hash.as_ref(),
                State::Progressing(_) if deployment.kind == ObjectKind::StatefulSet => {
                    after.candidate_template_hash.as_ref()
                }
                State::Queued
                | State::Planning { .. }
                | State::AwaitingApproval
                | State::Preparing(_)
                | State::Progressing(_)
                | State::Watching(_)
                | State::Recording(_)
                | State::Ended(_) => None,
            };
            if wanted != Some(template_hash) {
                out.push("sets a template that was neither approved nor stable".into());
            }
        }
        Effect::Delete { object } if object.kind != ObjectKind::Deployment => {
            apart::deleted(rollout, seen, after, object, out);
        }
        Effect::Delete { object } => {
            if after.route.as_ref().is_some_and(|r| r.reached_bp > 0) {
                out.push("takes the candidate away while traffic goes there".into());
            }
            let ours = matches!(&seen.canary, Seen::Present(c)
                if c.uid == object.uid && c.made_by(&rollout.uid));
            if !ours || is_target(&object.namespace, &object.name) {
                out.push("deletes a Deployment that this Rollout did not create".into());
            }
        }
        Effect::RecordOutcome { outcome, .. } => {
            if outcome.rollout != rollout.name || !matches!(after.state, State::Recording(_)) {
                out.push("records an outcome that is not decided".into());
            }
        }
        Effect::Patch { object, detail, .. } => {
            apart::patched(rollout, seen, after, object, detail, out);
        }
        Effect::CopyConfig { .. } | Effect::SaveRevision { .. } | Effect::Ask { .. } => {}
    }
    if before.state.ended() {
        out.push("acts after its end".into());
    }
}

#[cfg(test)]
mod tests;
