//! Rules about verdicts: nothing goes on without enough good measurements on record, or against a
//! verdict, unless a person said so.

use super::changes_target;
use crate::pipeline::OutcomeKind;
use crate::plugin::Outcome;
use crate::rollout::{
    Action, Decision, Effect, Journal, Observation, RolloutView, State, StepState,
};

/// The rules about what a decision leaves behind.
pub(super) fn history(
    rollout: &RolloutView,
    before: &Journal,
    seen: &Observation,
    decision: &Decision,
    out: &mut Vec<String>,
) {
    let after = &decision.journal;
    waits(decision, out);
    let Some((left, watch)) = left(before, after) else {
        return;
    };
    let promoted = left.promoted
        || seen
            .requests
            .iter()
            .any(|r| r.action == Action::Promote && !before.is_handled(r));
    let at = if watch {
        "the watch".to_owned()
    } else {
        format!("step {}", left.index + 1)
    };
    let weight = after.plan.as_ref().and_then(|plan| {
        let step = plan.steps.get(usize::try_from(left.index).ok()?)?;
        Some(step.step.weight_bp)
    });
    for spec in rollout.spec.analyses(weight.unwrap_or_default(), watch) {
        let name = spec.label();
        let found = after.measurement(left.index, watch, name);
        let enough = found.is_some_and(|m| m.passes >= spec.count.max(1) && m.inconclusive == 0);
        let waived = promoted && found.is_some_and(|m| m.waived);
        if !enough && !waived {
            out.push(format!(
                "leaves {at} without enough good measurements of {name}"
            ));
        }
        let bad = |j: &Journal| {
            j.analysis
                .iter()
                .any(|r| r.name == name && r.failed.is_some())
        };
        if bad(before) && bad(after) {
            out.push(format!("leaves {at} although {name} failed"));
        }
    }
    // A repetition that told nothing stands behind the pass of the check's own turn.
    let repeated = rollout.spec.checks.iter().filter(|c| c.every.is_some());
    for check in repeated {
        let mut about = after.checks.iter().rev();
        let last = about.find(|c| c.step == left.index && c.name == check.label());
        let bad = |outcome| match outcome {
            Outcome::Fail | Outcome::Inconclusive => true,
            Outcome::Skipped => !check.optional,
            Outcome::Pass => false,
        };
        if last.is_some_and(|c| bad(c.outcome)) {
            out.push(format!(
                "leaves {at} although {} did not pass",
                check.label()
            ));
        }
    }
}

/// While a verdict waits for a person, nothing moves.
fn waits(decision: &Decision, out: &mut Vec<String>) {
    let journal = &decision.journal;
    let held = journal.failed.is_some() && journal.state.step().is_some();
    // The lock of the target is put back where somebody took it off.
    let moves = |e: &Effect| changes_target(e) && !matches!(e, Effect::Claim { .. });
    if held && decision.effects.iter().any(moves) {
        out.push("changes the target while a verdict waits for a person".into());
    }
}

/// The step, or the watch, that a decision leaves forward.
fn left<'a>(before: &'a Journal, after: &Journal) -> Option<(&'a StepState, bool)> {
    let from = before.state.step()?;
    let watched = matches!(before.state, State::Watching(_));
    let on = match &after.state {
        State::Watching(_) => !watched,
        State::Finishing(_) => true,
        state => {
            state.outcome() == Some(OutcomeKind::Succeeded)
                || state.step().is_some_and(|to| to.index > from.index)
        }
    };
    on.then_some((from, watched))
}

#[cfg(test)]
mod tests;
