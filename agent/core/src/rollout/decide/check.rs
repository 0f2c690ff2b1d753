//! The checks of a step. Only a pass is a pass; what could not be told holds (W12).

use jiff::Timestamp;

use super::analyse::place;
use super::{Flow, Turn, later};
use crate::pipeline::OutcomeKind;
use crate::plan::PlannedStep;
use crate::rollout::{CheckRun, PluginQuestion, Stage, StepState, Why};

impl Turn<'_> {
    pub(super) fn check(
        &mut self,
        mut step: StepState,
        planned: &PlannedStep,
        runs: Vec<CheckRun>,
        since: Timestamp,
    ) -> Flow {
        let n = step.index + 1;
        let asked = self.checks_run_in(planned);
        if runs.iter().all(|r| r.passed) || !asked {
            let hold = i64::try_from(planned.step.hold_ms).unwrap_or(i64::MAX);
            step.stage = Stage::Hold {
                until: self.after_ms(hold),
            };
            self.set_step(step.clone());
            self.begin_looking(&step, if asked { &runs } else { &[] });
            return Flow::Again;
        }
        let deadline = later(since, self.progress_deadline_ms());
        if self.now >= deadline {
            let names: Vec<&str> = runs
                .iter()
                .filter(|r| !r.passed)
                .map(|r| r.name.as_str())
                .collect();
            let text = format!("step {n}: no verdict in time from {}", names.join(", "));
            return self.go_back("check-inconclusive", &text, false, OutcomeKind::RolledBack);
        }
        self.wake(deadline);
        if let Some(missing) = self.missing_checks() {
            return Flow::Wait(missing);
        }
        let due: Vec<CheckRun> = runs.iter().filter(|r| !r.passed).cloned().collect();
        self.ask_checks(&step, &due);
        Flow::Wait(check_waits(n, &runs, deadline))
    }

    /// Checks run in every step that asks for them, and in every step where the policy requires
    /// any: a strategy cannot switch off what the policy demands.
    fn checks_run_in(&self, planned: &PlannedStep) -> bool {
        planned.step.checks
            || planned.promotes()
            || self
                .environment_policy()
                .map_or(true, |p| !p.checks.require.is_empty())
    }

    /// Asks those whose time has come.
    pub(super) fn ask_checks(&mut self, step: &StepState, runs: &[CheckRun]) {
        let place = place(&self.journal.state, step);
        for run in runs {
            if self.now < run.not_before {
                self.wake(run.not_before);
                continue;
            }
            let Some(spec) = self
                .rollout
                .spec
                .checks
                .iter()
                .find(|c| c.label() == run.name)
                .cloned()
            else {
                continue;
            };
            let key = check_key(&place, step.relapses, &run.name, run.attempt);
            let mut invocation = self.invocation(&spec.settings, &key);
            invocation
                .attributes
                .push(("step".into(), (step.index + 1).to_string()));
            self.ask(
                &key,
                PluginQuestion::Check {
                    plugin: spec.plugin,
                    invocation,
                },
            );
        }
    }
}

/// Identity of one run of one check. After a relapse it is another: an answer about pods that have
/// fallen since must not count.
pub(crate) fn check_key(place: &str, relapses: u32, name: &str, attempt: u32) -> String {
    format!("check-{place}-{relapses}-{name}-{attempt}")
}

fn check_waits(step: u32, runs: &[CheckRun], until: Timestamp) -> Why {
    let untold = runs
        .iter()
        .filter(|r| !r.passed)
        .find_map(|r| Some((r, r.report.as_ref()?)));
    match untold {
        Some((run, report)) => Why::CheckInconclusive {
            step,
            check: run.name.clone(),
            outcome: report.outcome,
            message: report.summary.clone(),
            until,
        },
        None => Why::Checking {
            step,
            running: runs
                .iter()
                .filter(|r| !r.passed)
                .map(|r| r.name.clone())
                .collect(),
        },
    }
}
