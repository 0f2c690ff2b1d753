//! What judges a step while it is held, and the version that serves while it is watched: metrics, and
//! checks that are repeated. A step is left when all of them have said enough, and nothing else; what
//! could not be told holds it, and in the end takes it back (W12).

use jiff::Timestamp;

use super::{Flow, Turn, later};
use crate::analysis::{AnalysisRun, AnalysisSpec, Standing};
use crate::pipeline::OutcomeKind;
use crate::plugin::{Outcome, PluginKind};
use crate::rollout::{
    CheckRun, Journal, MeasurementRecord, PluginQuestion, RolloutView, State, StepState, Why,
};

/// Whether what was looked at lets the step be left.
pub(super) enum Sight {
    /// Nothing stands against it.
    Clear,
    /// It must wait, for this reason.
    Blocked(Why),
    /// It was waited for long enough.
    Lost(Flow),
}

/// What is missing before a step may be left.
#[derive(Default)]
struct Missing {
    /// Plugins that are not loaded.
    plugins: Vec<String>,
    /// Checks that have not passed since.
    checks: Vec<String>,
    /// The first of them that could not tell, and what it said.
    check: Option<(String, Outcome, String)>,
    /// Analyses without enough good measurements, or with a question that has no answer yet.
    analyses: Vec<String>,
    /// Those without enough.
    untold: Vec<String>,
    /// The first of them that said nothing too often, and what it said last.
    unknown: Option<(String, String)>,
}

/// The analyses that are in force where a Rollout is now.
pub(in crate::rollout) fn in_force(rollout: &RolloutView, journal: &Journal) -> Vec<AnalysisSpec> {
    let weight = journal.state.step().and_then(|step| {
        let steps = &journal.plan.as_ref()?.steps;
        Some(steps.get(usize::try_from(step.index).ok()?)?.step.weight_bp)
    });
    match weight {
        Some(weight) => rollout.spec.analyses(weight, watches(&journal.state)),
        None => Vec::new(),
    }
}

pub(in crate::rollout) fn watches(state: &State) -> bool {
    matches!(state, State::Watching(_))
}

/// Where a question belongs: the number of the step from 0, or the watch.
pub(in crate::rollout) fn place(state: &State, step: &StepState) -> String {
    if watches(state) {
        "watch".to_owned()
    } else {
        step.index.to_string()
    }
}

/// Identity of one question to a metric provider; another one after a relapse.
pub(in crate::rollout) fn measure_key(place: &str, relapses: u32, name: &str, seq: u32) -> String {
    format!("measure-{place}-{relapses}-{name}-{seq}")
}

impl Turn<'_> {
    /// Pods and traffic stand, and the checks have passed: what judges the step looks from now on.
    pub(super) fn begin_looking(&mut self, step: &StepState, checked: &[CheckRun]) {
        let watch = watches(&self.journal.state);
        self.journal.measure_anew(step.index, watch);
        for spec in in_force(self.rollout, &self.journal) {
            let mut runs = self.journal.analysis.iter_mut();
            match runs.find(|run| run.name == spec.label()) {
                Some(run) => run.begin_step(&spec, self.now),
                None => self
                    .journal
                    .analysis
                    .push(AnalysisRun::new(&spec, self.now)),
            }
        }
        self.journal.repeats.clear();
        if watch && self.rollout.spec.course.watch.is_none() {
            return;
        }
        let attempt = |name: &str| {
            let run = checked.iter().find(|r| r.name == name);
            run.map_or(0, |r| r.attempt).saturating_add(1)
        };
        let checks = self.rollout.spec.checks.iter();
        self.journal.repeats = checks
            .filter(|check| watch || checked.iter().any(|run| run.name == check.label()))
            .filter_map(|check| {
                Some(CheckRun {
                    name: check.label().to_owned(),
                    attempt: attempt(check.label()),
                    not_before: check.every?.after(self.now),
                    report: None,
                    passed: true,
                })
            })
            .collect();
    }

    /// Asks what is due while a step is held until `until`. Where the hold is `over`, only what has
    /// not said enough is asked on, and says whether the step may be left.
    pub(super) fn look_on(&mut self, step: &StepState, until: Timestamp, over: bool) -> Sight {
        let deadline = later(until, self.progress_deadline_ms());
        let mut missing = Missing::default();
        self.measure_due(step, over, &mut missing);
        self.repeat_due(step, over, &mut missing);
        let why = missing.why(step.index + 1, deadline, over);
        if !over {
            return why.map_or(Sight::Clear, Sight::Blocked);
        }
        let Some(why) = why else {
            return Sight::Clear;
        };
        if step.promoted && missing.checks.is_empty() {
            self.waive(step, &missing.untold);
            return Sight::Clear;
        }
        if self.now >= deadline {
            let (code, names) = match missing.checks.as_slice() {
                [] => ("analysis-inconclusive", missing.analyses.join(", ")),
                checks => ("check-inconclusive", checks.join(", ")),
            };
            let text = format!(
                "{}: no verdict in time from {names}: {why}",
                self.here(step)
            );
            return Sight::Lost(self.go_back(code, &text, false, OutcomeKind::RolledBack));
        }
        self.wake(deadline);
        Sight::Blocked(why)
    }

    /// Analyses that have not said enough by now.
    pub(super) fn untold(&self) -> Vec<String> {
        let runs = &self.journal.analysis;
        let settled = |spec: &AnalysisSpec| {
            let run = runs.iter().find(|run| run.name == spec.label());
            run.is_some_and(|run| told(run, spec))
        };
        let all = in_force(self.rollout, &self.journal);
        let untold = all.iter().filter(|spec| !settled(spec));
        untold.map(|spec| spec.label().to_owned()).collect()
    }

    /// Whether every repeated check passed the last time.
    pub(super) fn repeats_passed(&self) -> bool {
        self.journal.repeats.iter().all(|run| run.passed)
    }

    /// A person goes on although measurements are missing: that is written down.
    pub(super) fn waive(&mut self, step: &StepState, names: &[String]) {
        if names.is_empty() {
            return;
        }
        let watch = watches(&self.journal.state);
        for name in names {
            let found = self.journal.measurement(step.index, watch, name).cloned();
            let record = found.unwrap_or_else(|| MeasurementRecord {
                step: step.index,
                watch,
                name: name.clone(),
                outcome: Outcome::Inconclusive,
                passes: 0,
                failures: 0,
                inconclusive: 0,
                summary: "nothing was measured yet".to_owned(),
                candidate: None,
                stable: None,
                at: self.now,
                waived: true,
            });
            self.journal.keep_measurement(MeasurementRecord {
                waived: true,
                ..record
            });
        }
        let text = format!(
            "{}: a person goes on without enough measurements of {}",
            self.here(step),
            names.join(", ")
        );
        let now = self.now;
        self.journal.note(now, "measurements-waived", &text);
    }

    /// Where it is, for people.
    fn here(&self, step: &StepState) -> String {
        if watches(&self.journal.state) {
            "the watch".to_owned()
        } else {
            format!("step {}", step.index + 1)
        }
    }

    fn measure_due(&mut self, step: &StepState, over: bool, missing: &mut Missing) {
        for spec in in_force(self.rollout, &self.journal) {
            let mut runs = self.journal.analysis.iter();
            let at = runs.position(|run| run.name == spec.label());
            let mut run = at
                .and_then(|at| self.journal.analysis.get(at).cloned())
                .unwrap_or_else(|| AnalysisRun::new(&spec, self.now));
            let told = told(&run, &spec);
            if run.open.is_some() || !(over && told) {
                if self.loaded(&spec.plugin, PluginKind::MetricProvider) {
                    self.measure(step, &spec, &mut run);
                } else if !missing.plugins.contains(&spec.plugin) {
                    missing.plugins.push(spec.plugin.clone());
                }
            }
            if !told {
                missing.untold.push(run.name.clone());
            }
            if !told || run.open.is_some() {
                missing.analyses.push(run.name.clone());
            }
            if let Standing::Unknown(why) = run.standing(&spec) {
                missing.unknown.get_or_insert((run.name.clone(), why));
            }
            match at.and_then(|at| self.journal.analysis.get_mut(at)) {
                Some(kept) => *kept = run,
                None => self.journal.analysis.push(run),
            }
        }
    }

    fn measure(&mut self, step: &StepState, spec: &AnalysisSpec, run: &mut AnalysisRun) {
        let Some(window) = run.ask(spec, self.now) else {
            self.wake(run.not_before);
            return;
        };
        let place = place(&self.journal.state, step);
        let key = measure_key(&place, step.relapses, &run.name, run.seq);
        let (from_unix_ms, to_unix_ms) = window.unix_ms();
        let mut invocation = self.invocation(&spec.settings, &key);
        invocation.attributes.push(("step".into(), place));
        let question = PluginQuestion::Measure {
            plugin: spec.plugin.clone(),
            invocation,
            from_unix_ms,
            to_unix_ms,
        };
        self.ask(&key, question);
    }

    fn repeat_due(&mut self, step: &StepState, over: bool, missing: &mut Missing) {
        let runs = self.journal.repeats.clone();
        for run in runs.iter().filter(|run| !run.passed) {
            missing.checks.push(run.name.clone());
            if let Some(report) = &run.report {
                let said = (run.name.clone(), report.outcome, report.summary.clone());
                missing.check.get_or_insert(said);
            }
        }
        let due: Vec<CheckRun> = runs
            .into_iter()
            .filter(|run| !(over && run.passed))
            .collect();
        if due.is_empty() {
            return;
        }
        if let Some(Why::PluginMissing { plugins }) = self.missing_checks() {
            missing.plugins.extend(plugins);
        }
        self.ask_checks(step, &due);
    }
}

/// Whether an analysis has said enough: as many windows passed as must, and the newest said something.
fn told(run: &AnalysisRun, spec: &AnalysisSpec) -> bool {
    run.standing(spec) == Standing::Satisfied && run.inconclusive == 0
}

impl Missing {
    /// What it waits for; before the hold is over only what somebody has to look at.
    fn why(&self, step: u32, until: Timestamp, over: bool) -> Option<Why> {
        let wanted = !self.checks.is_empty() || !self.analyses.is_empty();
        if !self.plugins.is_empty() && (wanted || !over) {
            return Some(Why::PluginMissing {
                plugins: self.plugins.clone(),
            });
        }
        if let Some((check, outcome, message)) = self.check.clone() {
            return Some(Why::CheckInconclusive {
                step,
                check,
                outcome,
                message,
                until,
            });
        }
        if let Some((analysis, message)) = self.unknown.clone() {
            return Some(Why::AnalysisInconclusive {
                step,
                analysis,
                message,
                until,
            });
        }
        if !over {
            return None;
        }
        if !self.checks.is_empty() {
            let running = self.checks.clone();
            return Some(Why::Checking { step, running });
        }
        (!self.analyses.is_empty()).then(|| Why::Analysing {
            step,
            running: self.analyses.clone(),
            until,
        })
    }
}
