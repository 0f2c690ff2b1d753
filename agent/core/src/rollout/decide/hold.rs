//! Watching a step after its checks passed, and asking the strategy whether to go on.

use jiff::Timestamp;

use super::analyse::Sight;
use super::{Flow, Turn, later};
use crate::pipeline::OutcomeKind;
use crate::plan::PlannedStep;
use crate::plugin::StepObservation;
use crate::rollout::{PluginQuestion, Stage, State, StepState, Why};

/// A strategy that gives no answer so often in a row ends in a rollback (plugins.md, section 1).
const JUDGE_FAULT_LIMIT: u32 = 6;

impl Turn<'_> {
    pub(super) fn hold(
        &mut self,
        mut step: StepState,
        planned: &PlannedStep,
        until: Timestamp,
    ) -> Flow {
        if matches!(self.journal.state, State::Watching(_)) {
            return self.keep_watching(&step);
        }
        let over = self.now >= until || step.promoted;
        if !over {
            self.wake(until);
        }
        match self.look_on(&step, until, over) {
            Sight::Clear => {}
            Sight::Blocked(why) => return Flow::Wait(why),
            Sight::Lost(flow) => return flow,
        }
        if !over {
            return Flow::Wait(Why::Holds {
                step: step.index + 1,
                share_bp: planned.achieved_bp,
                until,
            });
        }
        if planned.promotes() {
            return self.enter_step(step.index.saturating_add(1));
        }
        let proceed = self.rollout.spec.returns_to.is_some();
        step.stage = Stage::Judge {
            attempt: 1,
            not_before: self.now,
            faults: 0,
            proceed,
        };
        self.set_step(step);
        Flow::Again
    }

    pub(super) fn judge(
        &mut self,
        step: StepState,
        planned: &PlannedStep,
        attempt: u32,
        not_before: Timestamp,
        faults: u32,
        proceed: bool,
    ) -> Flow {
        let plugin = self.rollout.spec.strategy.plugin.clone();
        // A strategy, a gate or a window may hold it for hours: it is judged all that time.
        self.look_on(&step, self.now, false);
        if proceed {
            return self.go_on(&step);
        }
        if faults >= JUDGE_FAULT_LIMIT {
            let text = format!(
                "{plugin} gave no judgement {faults} times: {}",
                self.journal.fault.clone().unwrap_or_default()
            );
            return self.go_back("strategy-silent", &text, false, OutcomeKind::RolledBack);
        }
        if !self.strategy_loaded() {
            let deadline = later(not_before, self.progress_deadline_ms());
            if self.now >= deadline {
                let text = format!("{plugin} is not loaded: nobody can say whether to go on");
                return self.go_back("strategy-silent", &text, false, OutcomeKind::RolledBack);
            }
            self.wake(deadline);
            return Flow::Wait(Why::PluginMissing {
                plugins: vec![plugin],
            });
        }
        if self.now < not_before {
            self.wake(not_before);
            return Flow::Wait(match &self.journal.fault {
                Some(message) => Why::StrategyUnavailable {
                    plugin,
                    message: message.clone(),
                },
                None => Why::StrategyHolds {
                    plugin,
                    until: not_before,
                },
            });
        }
        let key = judge_key(&step, attempt);
        let settings = self.rollout.spec.strategy.settings.clone();
        let elapsed = self.now.duration_since(step.since).as_millis();
        let question = PluginQuestion::Judge {
            plugin: plugin.clone(),
            invocation: self.invocation(&settings, &key),
            step: planned.step.clone(),
            observations: vec![StepObservation {
                elapsed_ms: u64::try_from(elapsed).unwrap_or(0),
                weight_bp: planned.achieved_bp,
                healthy: true,
                samples: self.samples(&step),
            }],
        };
        self.ask(&key, question);
        Flow::Wait(Why::Judging { plugin })
    }

    /// Into the next step, if everything that was open is still open (W11).
    fn go_on(&mut self, step: &StepState) -> Flow {
        if let Some(no) = self.rejection() {
            return self.go_back("rejected", &no, false, OutcomeKind::RolledBack);
        }
        if let Some(held) = self.held_before_next_step() {
            return Flow::Wait(held);
        }
        let next = step.index.saturating_add(1);
        let gate = self
            .journal
            .plan
            .as_ref()
            .and_then(|p| p.steps.get(usize::try_from(next).ok()?)?.step.gate.clone());
        match gate {
            Some(gate) if !step.promoted => return Flow::Wait(Why::WaitsForGate { gate }),
            Some(_) | None => {}
        }
        let (untold, checked) = (self.untold(), self.repeats_passed());
        if checked && (untold.is_empty() || step.promoted) {
            self.waive(step, &untold);
            return self.enter_step(next);
        }
        // What was good when the hold was over has become doubtful since.
        let until = self.now;
        self.set_step(StepState {
            stage: Stage::Hold { until },
            ..step.clone()
        });
        Flow::Again
    }

    /// The newest numbers of the candidate in this step, by the analysis.
    fn samples(&self, step: &StepState) -> Vec<(String, f64)> {
        let measured = self.journal.measurements.iter();
        measured
            .filter(|m| m.step == step.index && !m.watch)
            .filter_map(|m| Some((m.name.clone(), m.candidate?.number()?)))
            .collect()
    }
}

/// Identity of one question to the strategy; another one after a relapse.
pub(crate) fn judge_key(step: &StepState, attempt: u32) -> String {
    format!("judge-{}-{}-{attempt}", step.index, step.relapses)
}
