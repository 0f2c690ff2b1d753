//! Taking hooks back: what still runs is stopped, what never ran is removed, and then the undo of each
//! hook that was started runs, the last first.

use super::{HookRun, Progress, deleted, objects, plain, runs_hooks, undo_of, unseen};
use crate::hook::{HookState, HookWhen, JobEnd, job_end};
use crate::pipeline::HookSpec;
use crate::plugin::Severity;
use crate::rollout::decide::{Flow, Turn, later};
use crate::rollout::{Effect, ObjectRef, ObjectSeen, Seen};

/// A Job that is stopped ends within the time that its pods get; after this it is given up.
const STOP_MS: i64 = 60_000;

impl Turn<'_> {
    /// What takes back the hooks that were started. `None`: all of it is done. A failure is told and
    /// holds up nothing: the stable version serves already.
    pub(in crate::rollout::decide) fn undo_hooks(&mut self) -> Option<Flow> {
        let rollout = self.rollout;
        if !runs_hooks(rollout) {
            return None;
        }
        for spec in &rollout.spec.course.before {
            if let Some(flow) = self.stop_hook(spec) {
                return Some(flow);
            }
        }
        for spec in rollout.spec.course.before.iter().rev() {
            let ran = |r: &HookRun| r.is(&spec.name, HookWhen::Before) && r.started();
            if !self.journal.hooks.iter().any(ran) {
                continue;
            }
            let Some(undo) = undo_of(spec) else { continue };
            match self.hook(&undo) {
                Progress::Done | Progress::Failed(_) => {}
                Progress::Waits(flow) => return Some(flow),
            }
        }
        None
    }

    /// Ends what has not ended of a hook. `None`: nothing of it runs any more.
    fn stop_hook(&mut self, spec: &HookSpec) -> Option<Flow> {
        let hook = plain(spec, HookWhen::Before);
        let at = |r: &HookRun| r.is(hook.name, hook.when) && !r.ended();
        let i = self.journal.hooks.iter().position(at)?;
        let run = self.journal.hooks.get(i)?.clone();
        let [_, job] = objects(self.rollout, &hook);
        let found = match self.looked(&job, &run) {
            Ok(Seen::Present(found)) => found,
            Ok(Seen::Absent) if run.state == HookState::Wanted => {
                return self.never_started(i);
            }
            Ok(Seen::Absent) => return self.watched(&hook, i, &run).flow(),
            Ok(Seen::Unknown(why)) => return Some(unseen(&job, &why)),
            Err(flow) => return Some(flow),
        };
        let ours = found.created_by.as_ref() == Some(&self.rollout.uid);
        match (run.state, job_end(&found.body)) {
            (HookState::Wanted, _) if !ours => self.never_started(i),
            // Only Sluice starts it, and it did not: nothing of it has run.
            (HookState::Wanted | HookState::Starting, JobEnd::Suspended) => {
                self.remove(&job, &found, &run)
            }
            (HookState::Wanted, _) => self.start_hook(&hook, i, &job, &found).flow(),
            (_, JobEnd::Running | JobEnd::Suspended) if !deleted(&found) => {
                self.stop(i, &job, &found);
                let run = self.journal.hooks.get(i)?.clone();
                self.watched(&hook, i, &run).flow()
            }
            _ => self.watched(&hook, i, &run).flow(),
        }
    }

    fn never_started(&mut self, i: usize) -> Option<Flow> {
        let now = self.now;
        let run = self.journal.hooks.get_mut(i)?;
        run.end(HookState::NeverStarted, "it was never started", None, now);
        None
    }

    /// Removes a Job that never ran.
    fn remove(&mut self, job: &ObjectRef, found: &ObjectSeen, run: &HookRun) -> Option<Flow> {
        if !deleted(found) {
            self.effects.push(Effect::Delete {
                object: found.guard(job),
            });
        }
        self.poll(run);
        self.waits(run).flow()
    }

    /// Lets the Job's own deadline come now: the Job controller ends its pods in their own time, and calls
    /// it failed. A suspension would leave it there for ever.
    fn stop(&mut self, i: usize, job: &ObjectRef, found: &ObjectSeen) {
        let deadline = found.body.pointer("/spec/activeDeadlineSeconds");
        if deadline.and_then(serde_json::Value::as_u64) == Some(1) {
            return;
        }
        let until = later(self.now, STOP_MS);
        let Some(run) = self.journal.hooks.get_mut(i) else {
            return;
        };
        // Said once, however often the write is refused.
        if run.until > until {
            run.until = until;
            let text = format!("hook {}: its Job {} is stopped", run.name, run.job);
            self.happened("hook-stopped", Severity::Warning, &text);
        }
        self.effects.push(Effect::Patch {
            object: found.guard(job),
            patch: serde_json::json!([
                {"op": "add", "path": "/spec/activeDeadlineSeconds", "value": 1},
            ]),
            detail: "stop".into(),
        });
    }
}

impl Progress {
    /// What is waited for, where anything is.
    fn flow(self) -> Option<Flow> {
        match self {
            Self::Waits(flow) => Some(flow),
            Self::Done | Self::Failed(_) => None,
        }
    }
}
