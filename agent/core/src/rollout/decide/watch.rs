//! Watching a version that serves, and keeping the one before it for an instant return.

use jiff::Timestamp;

use super::analyse::Sight;
use super::{Flow, Turn};
use crate::pipeline::OutcomeKind;
use crate::plugin::Severity;
use crate::rollout::{DRILL_CODE, Finishing, SiblingStage, Stage, State, StepState, Why};

impl Turn<'_> {
    /// All steps are done: it is watched, or it stays.
    pub(super) fn after_last_step(&mut self) -> Flow {
        let Some(last) = self.journal.state.step().cloned() else {
            return self.back_without_plan();
        };
        if self.rollout.spec.drill {
            let text = "the drill is over: everything goes back as planned";
            return self.go_back(DRILL_CODE, text, false, OutcomeKind::RolledBack);
        }
        let watched = StepState {
            since: self.now,
            relapses: 0,
            promoted: false,
            stage: Stage::Hold { until: self.now },
            index: last.index,
        };
        let until = self.watched_until(&watched);
        if until <= self.now {
            return self.finish_watching();
        }
        self.journal.state = State::Watching(StepState {
            stage: Stage::Hold { until },
            ..watched
        });
        let kept = if self.switches() {
            "; the old version is kept beside it"
        } else {
            ""
        };
        let text = format!(
            "it serves all traffic and is watched until {}{kept}",
            crate::rollout::clock(&until)
        );
        self.happened("watching", Severity::Info, &text);
        let watch = self.rollout.spec.course.watch.as_ref();
        if watch.is_some_and(|w| !w.analysis.is_empty()) {
            // Those of the watch are others, whatever their names.
            self.journal.analysis.clear();
        }
        if let Some(step) = self.journal.state.step().cloned() {
            self.begin_looking(&step, &[]);
        }
        Flow::Again
    }

    /// When the watch ends: that of the Pipeline, or the end of the time for which the old version is
    /// kept. For a newer version, which needs the target, the old one is not kept any longer.
    fn watched_until(&self, step: &StepState) -> Timestamp {
        let course = &self.rollout.spec.course;
        if self.rollout.spec.returns_to.is_some() {
            return step.since;
        }
        let watch = course
            .watch
            .as_ref()
            .map_or(step.since, |w| w.time.after(step.since));
        let others = self
            .seen
            .siblings
            .iter()
            .any(|s| s.stage != SiblingStage::Begun);
        match course.rollback_window {
            Some(window) if self.switches() && !others => watch.max(window.after(step.since)),
            Some(_) | None => watch,
        }
    }

    pub(super) fn watching(&mut self, step: StepState) -> Flow {
        self.step(step)
    }

    /// Everything stands as it should: the watch goes on, or is over.
    pub(super) fn keep_watching(&mut self, step: &StepState) -> Flow {
        let until = self.watched_until(step);
        if let Some(watch) = &self.rollout.spec.course.watch {
            let judged = watch.time.after(step.since);
            let over = self.now >= judged || step.promoted;
            if !over {
                self.wake(judged);
            }
            match self.look_on(step, judged, over) {
                Sight::Clear => {}
                Sight::Blocked(why) => return Flow::Wait(why),
                Sight::Lost(flow) => return flow,
            }
        }
        if self.now < until && !step.promoted {
            self.wake(until);
            return Flow::Wait(Why::Watches {
                until,
                kept: self.switches(),
            });
        }
        self.finish_watching()
    }

    fn finish_watching(&mut self) -> Flow {
        if matches!(self.journal.state, State::Watching(_)) {
            self.happened("watched", Severity::Info, "the watch is over: it stays");
        }
        if !self.switches() && self.rollout.spec.course.after.is_empty() {
            return self.succeed();
        }
        self.journal.state = State::Finishing(Finishing { since: self.now });
        Flow::Again
    }
}
