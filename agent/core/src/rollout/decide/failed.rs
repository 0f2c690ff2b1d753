//! A verdict against the candidate: it goes back at once, or, where the Pipeline says so, stays as it
//! is until a person decides. Only verdicts wait for people. Pods that never become ready, and what
//! could not be told until a deadline, go back as always: nobody has to be asked what they mean.

use super::analyse::in_force;
use super::{Flow, Turn};
use crate::analysis::{AnalysisRun, AnalysisSpec, Standing};
use crate::pipeline::{OnFailure, OutcomeKind};
use crate::plugin::{Outcome, Severity};
use crate::policy::Limits;
use crate::rollout::journal::clip;
use crate::rollout::{CheckRun, FailedVerdict, Stage, State, StepState, Why};

impl Turn<'_> {
    /// What a verdict against the candidate leads to. None: there is none.
    pub(super) fn condemned(&mut self, step: &StepState) -> Option<Flow> {
        if let Some(failed) = self.journal.failed.clone() {
            return Some(self.holds_failed(&failed));
        }
        let (code, message) = self.found_bad(step)?;
        if self.rollout.spec.course.on_failure == OnFailure::Rollback {
            return Some(self.go_back(code, &message, true, OutcomeKind::RolledBack));
        }
        let failed = FailedVerdict {
            code: code.to_owned(),
            message: clip(&message),
            at: self.now,
        };
        self.journal.failed = Some(failed.clone());
        let text = format!("{message}; it stays as it is, and a person decides");
        self.happened("failed-holds", Severity::Critical, &text);
        Some(self.holds_failed(&failed))
    }

    fn holds_failed(&mut self, failed: &FailedVerdict) -> Flow {
        let limit = match self.environment_policy() {
            Ok(policy) => policy.limits.hold_failed,
            Err(_) => Limits::default().hold_failed,
        };
        let until = limit.after(failed.at);
        if self.now >= until {
            let text = format!("{}; nobody decided within {limit}", failed.message);
            return self.go_back(&failed.code, &text, true, OutcomeKind::RolledBack);
        }
        self.wake(until);
        Flow::Wait(Why::FailedHolds {
            message: failed.message.clone(),
            until,
        })
    }

    /// What was found to be wrong with the candidate: a code, and a sentence with the evidence.
    fn found_bad(&self, step: &StepState) -> Option<(&'static str, String)> {
        let here = match self.journal.state {
            State::Watching(_) => "in the watch".to_owned(),
            _ => format!("in step {}", step.index + 1),
        };
        let first: &[CheckRun] = match &step.stage {
            Stage::Check { runs, .. } => runs,
            Stage::Shift | Stage::Hold { .. } | Stage::Judge { .. } => &[],
        };
        let fails = |run: &CheckRun| {
            let report = run.report.as_ref().filter(|r| r.outcome == Outcome::Fail)?;
            Some(format!("{} failed {here}: {}", run.name, report.summary))
        };
        if let Some(text) = first.iter().chain(&self.journal.repeats).find_map(fails) {
            return Some(("check-failed", text));
        }
        in_force(self.rollout, &self.journal)
            .iter()
            .find_map(|spec| {
                let mut runs = self.journal.analysis.iter();
                let run = runs.find(|run| run.name == spec.label())?;
                match run.standing(spec) {
                    Standing::Failed(why) => Some((
                        "analysis-failed",
                        format!("{} failed {here}: {why}", run.name),
                    )),
                    Standing::Open | Standing::Satisfied | Standing::Unknown(_) => None,
                }
            })
    }

    /// A person goes on against a verdict: what failed begins anew and has to pass, and the time in
    /// which it was held does not count.
    pub(super) fn overrule(&mut self, by: &str, said: &str) -> Flow {
        let Some(failed) = self.journal.failed.take() else {
            return Flow::Again;
        };
        let (now, specs) = (self.now, in_force(self.rollout, &self.journal));
        let held = now.duration_since(failed.at);
        let moved = |t: jiff::Timestamp| t.checked_add(held).unwrap_or(jiff::Timestamp::MAX);
        for run in &mut self.journal.analysis {
            let spec = specs.iter().find(|s| s.label() == run.name);
            if let Some(spec) = spec.filter(|_| run.failed.is_some()) {
                anew(run, spec, now);
            }
        }
        for run in &mut self.journal.repeats {
            once_more(run, now);
        }
        if let Some(mut step) = self.journal.state.step().cloned() {
            self.journal
                .measure_anew(step.index, super::analyse::watches(&self.journal.state));
            if matches!(self.journal.state, State::Watching(_)) {
                step.since = moved(step.since);
            }
            match &mut step.stage {
                Stage::Check { runs, since } => {
                    *since = moved(*since);
                    runs.iter_mut().for_each(|run| once_more(run, now));
                }
                Stage::Hold { until } => *until = moved(*until),
                Stage::Shift | Stage::Judge { .. } => {}
            }
            self.set_step(step);
        }
        let text = format!(
            "{by} goes on against a verdict: {said} ({})",
            failed.message
        );
        self.happened("overruled", Severity::Critical, &text);
        Flow::Again
    }
}

/// The numbers of its questions go on, so that none has the identity of an earlier one.
fn anew(run: &mut AnalysisRun, spec: &AnalysisSpec, now: jiff::Timestamp) {
    let seq = run.seq;
    *run = AnalysisRun::new(spec, now);
    run.seq = seq;
}

fn once_more(run: &mut CheckRun, now: jiff::Timestamp) {
    let failed = |r: &crate::plugin::Report| r.outcome == Outcome::Fail;
    if run.report.as_ref().is_some_and(failed) {
        run.attempt = run.attempt.saturating_add(1);
        run.not_before = now;
        run.report = None;
        run.passed = false;
    }
}
