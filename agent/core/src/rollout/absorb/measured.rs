//! Answers of metric providers, and of checks that are repeated while a step is held.

use jiff::Timestamp;

use crate::analysis::{Standing, Verdict};
use crate::plugin::{PluginAnswer, Series, SeriesRole, Severity};
use crate::rollout::decide::{check_key, in_force, measure_key, place, tell, watches};
use crate::rollout::journal::{Journal, MeasurementRecord, Numbers};
use crate::rollout::observation::RolloutView;
use crate::rollout::state::{Stage, StepState};

/// Whether it was the answer to an open question about a step that is held.
pub(super) fn answered(
    rollout: &RolloutView,
    journal: &mut Journal,
    key: &str,
    answer: &PluginAnswer,
    now: Timestamp,
) -> bool {
    let Some(step) = journal.state.step().cloned() else {
        return false;
    };
    match step.stage {
        Stage::Hold { .. } | Stage::Judge { .. } => {}
        Stage::Shift | Stage::Check { .. } => return false,
    }
    measured(rollout, journal, &step, key, answer, now)
        || repeated(rollout, journal, &step, key, answer, now)
}

fn measured(
    rollout: &RolloutView,
    journal: &mut Journal,
    step: &StepState,
    key: &str,
    answer: &PluginAnswer,
    now: Timestamp,
) -> bool {
    let at = place(&journal.state, step);
    for spec in in_force(rollout, journal) {
        let mut runs = journal.analysis.iter_mut();
        let Some(run) = runs.find(|run| run.name == spec.label()) else {
            continue;
        };
        if run.open.is_none() || key != measure_key(&at, step.relapses, &run.name, run.seq) {
            continue;
        }
        let doubted = matches!(run.standing(&spec), Standing::Unknown(_));
        let Some(verdict) = run.observe(&spec, answer, now) else {
            return true;
        };
        let doubts = match run.standing(&spec) {
            Standing::Unknown(why) if !doubted => Some(why),
            Standing::Unknown(_) | Standing::Open | Standing::Satisfied | Standing::Failed(_) => {
                None
            }
        };
        let name = run.name.clone();
        let record = MeasurementRecord {
            step: step.index,
            watch: watches(&journal.state),
            name: name.clone(),
            outcome: verdict.outcome(),
            passes: run.passes,
            failures: run.failures,
            inconclusive: run.inconclusive,
            summary: verdict.sentence().to_owned(),
            candidate: numbers(answer, SeriesRole::Candidate),
            stable: numbers(answer, SeriesRole::Stable),
            at: now,
            waived: false,
        };
        journal.keep_measurement(record);
        if let Some(why) = doubts {
            let text = format!("{name} cannot be judged, and nothing moves: {why}");
            let kind = "analysis-inconclusive";
            tell(rollout, journal, now, kind, Severity::Warning, &text);
        } else if doubted && !matches!(verdict, Verdict::Inconclusive(_)) {
            journal.note(now, "analysis-told", &format!("{name} can be judged again"));
        }
        return true;
    }
    false
}

fn numbers(answer: &PluginAnswer, role: SeriesRole) -> Option<Numbers> {
    let PluginAnswer::Measurement(measurement) = answer else {
        return None;
    };
    let about = |s: &&Series| s.role == role;
    measurement.series.iter().find(about).and_then(Numbers::of)
}

fn repeated(
    rollout: &RolloutView,
    journal: &mut Journal,
    step: &StepState,
    key: &str,
    answer: &PluginAnswer,
    now: Timestamp,
) -> bool {
    let at = place(&journal.state, step);
    let mut runs = journal.repeats.clone();
    let open = |name: &str, attempt| key == check_key(&at, step.relapses, name, attempt);
    let Some(run) = runs.iter_mut().find(|run| open(&run.name, run.attempt)) else {
        return false;
    };
    super::checked(rollout, journal, step.index, run, answer, now);
    let mut checks = rollout.spec.checks.iter();
    let every = checks.find(|c| c.label() == run.name).and_then(|c| c.every);
    if let Some(every) = every {
        let next = every.after(now);
        if run.passed {
            run.attempt = run.attempt.saturating_add(1);
            run.not_before = next;
        } else {
            run.not_before = run.not_before.min(next);
        }
    }
    journal.repeats = runs;
    true
}
