//! Jobs before and after a Rollout, and those that take the first back. A hook's Job is created
//! suspended and then started; both are journalled before they are written, so that over any crash there
//! is one Job for each hook and Rollout, and it is started once.

use super::{Flow, Turn, later};
use crate::hook::{
    HookJob, HookRun, HookState, HookWhen, JobEnd, JobPods, Verdict, job_end, job_name, manifest,
    trim, verdict,
};
use crate::pipeline::{Course, HookSpec, OutcomeKind};
use crate::plugin::Severity;
use crate::rollout::{
    Effect, Journal, ObjectKind, ObjectRef, ObjectSeen, RolloutView, Seen, State, Why,
};

mod undo;

/// A Job is looked at this often while it is young: milliseconds.
const YOUNG_POLL_MS: i64 = 1_000;
/// And this often later.
const POLL_MS: i64 = 2_000;
/// How long a Job is young.
const YOUNG_MS: i64 = 30_000;
/// The Job controller ends a Job at its deadline; where that does not happen, waiting ends so much
/// later. Pods get half a minute to end, and the rest is for a controller that is busy.
const GRACE_MS: i64 = 60_000;

/// How far a hook is after a look.
enum Progress {
    /// It succeeded, now or earlier.
    Done,
    /// It did not, for this reason.
    Failed(String),
    /// It is waited for.
    Waits(Flow),
}

/// Whether this Rollout runs hooks at all. A way back puts a version back that served well, and what
/// hooks before it did is another Rollout's; an exercise changes nothing that needs them.
pub(super) fn runs_hooks(rollout: &RolloutView) -> bool {
    let spec = &rollout.spec;
    spec.returns_to.is_none() && !spec.drill && !spec.dry_run
}

/// The Job of a hook of a list.
fn plain(spec: &HookSpec, when: HookWhen) -> HookJob<'_> {
    HookJob {
        name: &spec.name,
        when,
        cron_job: &spec.cron_job,
        timeout: spec.timeout,
        verified: spec.verified,
    }
}

/// The Job that takes a hook back, where there is one.
fn undo_of(spec: &HookSpec) -> Option<HookJob<'_>> {
    Some(HookJob {
        cron_job: spec.undo.as_deref()?,
        verified: false,
        ..plain(spec, HookWhen::Undo)
    })
}

/// Every Job that may be wanted.
pub(super) fn hook_jobs(course: &Course) -> impl Iterator<Item = HookJob<'_>> {
    let before = course.before.iter().map(|s| plain(s, HookWhen::Before));
    let after = course.after.iter().map(|s| plain(s, HookWhen::After));
    before
        .chain(course.before.iter().filter_map(undo_of))
        .chain(after)
}

/// The CronJob and the Job of a hook.
pub(super) fn objects(rollout: &RolloutView, hook: &HookJob<'_>) -> [ObjectRef; 2] {
    let target = &rollout.spec.target;
    let job = job_name(target.name(), &rollout.uid, hook.name, hook.when);
    [
        ObjectRef::new(ObjectKind::CronJob, &target.namespace, hook.cron_job),
        ObjectRef::new(ObjectKind::Job, &target.namespace, &job),
    ]
}

/// What a decision about hooks looks at: the CronJob and the Job of each hook whose turn it may be now.
pub(super) fn looks(rollout: &RolloutView, journal: &Journal) -> Vec<ObjectRef> {
    if !runs_hooks(rollout) {
        return Vec::new();
    }
    let course = &rollout.spec.course;
    let ended = |hook: &HookJob<'_>| {
        let run = journal.hooks.iter().find(|r| r.is(hook.name, hook.when));
        run.is_some_and(HookRun::ended)
    };
    let next = |list: &[HookSpec], when: HookWhen| {
        let hook = list.iter().map(|s| plain(s, when)).find(|h| !ended(h));
        hook.map_or_else(Vec::new, |h| objects(rollout, &h).to_vec())
    };
    match &journal.state {
        State::Preparing(_) => next(&course.before, HookWhen::Before),
        State::Finishing(_) => next(&course.after, HookWhen::After),
        State::RollingBack(_) => {
            let before = course.before.iter().map(|s| plain(s, HookWhen::Before));
            let known = |hook: &HookJob<'_>| {
                let run = journal.hooks.iter().find(|r| r.is(hook.name, hook.when));
                run.is_some_and(|r| !r.ended())
            };
            let stops = before.filter(known).flat_map(|h| objects(rollout, &h));
            let undo = course.before.iter().rev().filter_map(undo_of);
            let undo = undo
                .filter(|h| !ended(h))
                .flat_map(|h| objects(rollout, &h));
            stops.chain(undo).collect()
        }
        State::Queued
        | State::Planning { .. }
        | State::AwaitingApproval
        | State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_)
        | State::Recording(_)
        | State::Ended(_) => Vec::new(),
    }
}

/// The Jobs whose pods are looked at: those that were started and have not ended.
pub fn pods_wanted(journal: &Journal) -> Vec<String> {
    let open = |r: &&HookRun| matches!(r.state, HookState::Starting | HookState::Running);
    journal
        .hooks
        .iter()
        .filter(open)
        .map(|r| r.job.clone())
        .collect()
}

impl Turn<'_> {
    /// Whether something has to be done before the first step.
    pub(super) fn needs_preparing(&self) -> bool {
        let spec = &self.rollout.spec;
        !spec.target.config.is_empty()
            || (runs_hooks(self.rollout) && !spec.course.before.is_empty())
    }

    /// The hooks before the first step. `None`: all of them are done.
    pub(super) fn before_hooks(&mut self) -> Option<Flow> {
        let rollout = self.rollout;
        if !runs_hooks(rollout) {
            return None;
        }
        for spec in &rollout.spec.course.before {
            match self.hook(&plain(spec, HookWhen::Before)) {
                Progress::Done => {}
                Progress::Waits(flow) => return Some(flow),
                Progress::Failed(why) => {
                    let text = format!("the hook {} failed: {why}", spec.name);
                    return Some(self.go_back(
                        "hook-failed",
                        &text,
                        false,
                        OutcomeKind::RolledBack,
                    ));
                }
            }
        }
        None
    }

    /// The hooks at the end. `None`: all of them are done. One that fails is told and ends the list: what
    /// comes after it may rest on it.
    pub(super) fn after_hooks(&mut self) -> Option<Flow> {
        let rollout = self.rollout;
        if !runs_hooks(rollout) {
            return None;
        }
        for spec in &rollout.spec.course.after {
            match self.hook(&plain(spec, HookWhen::After)) {
                Progress::Done => {}
                Progress::Waits(flow) => return Some(flow),
                Progress::Failed(_) => return None,
            }
        }
        None
    }

    /// What people have to know of hooks at the end: those that failed behind them, and how to put back
    /// what was saved.
    pub(super) fn hooks_left(&self) -> String {
        let mut text = String::new();
        for run in &self.journal.hooks {
            if run.when != HookWhen::Before && run.state == HookState::Failed {
                let what = match run.when {
                    HookWhen::Undo => "the undo of the hook",
                    HookWhen::Before | HookWhen::After => "the hook",
                };
                text.push_str(&format!("; {what} {} FAILED: {}", run.name, run.message));
            }
        }
        if matches!(self.journal.state, State::RollingBack(_)) {
            let saved = self.journal.hooks.iter().filter_map(|r| r.restore.as_ref());
            for command in saved {
                text.push_str(&format!("; where data has to go back: `{command}`"));
            }
        }
        text
    }

    /// One hook, as far as it goes now.
    fn hook(&mut self, hook: &HookJob<'_>) -> Progress {
        let at = |r: &HookRun| r.is(hook.name, hook.when);
        let Some(i) = self.journal.hooks.iter().position(at) else {
            return self.begin(hook);
        };
        let Some(run) = self.journal.hooks.get(i).cloned() else {
            return Progress::Done;
        };
        match run.state {
            HookState::Succeeded => Progress::Done,
            HookState::Failed | HookState::NeverStarted => Progress::Failed(run.message),
            HookState::Wanted => self.created(hook, i, &run),
            HookState::Starting | HookState::Running => self.watched(hook, i, &run),
        }
    }

    /// Journals the hook, and has its Job created.
    fn begin(&mut self, hook: &HookJob<'_>) -> Progress {
        if let Some(flow) = self.hook_held(hook.when) {
            return Progress::Waits(flow);
        }
        let [_, job] = objects(self.rollout, hook);
        let run = HookRun {
            name: hook.name.to_owned(),
            when: hook.when,
            job: job.name.clone(),
            since: self.now,
            until: later(self.now, self.progress_deadline_ms()),
            ..HookRun::default()
        };
        let effect = match self.job_effect(hook) {
            Ok(effect) => effect,
            Err(progress) => {
                if let Progress::Failed(why) = &progress {
                    self.journal.hooks.push(run);
                    let i = self.journal.hooks.len() - 1;
                    return self.end_hook(hook, i, HookState::Failed, why, None);
                }
                return progress;
            }
        };
        let waits = self.waits(&run);
        match self.looked(&job, &run) {
            // It stands there already: whose it is, the next look tells.
            Ok(Seen::Present(_)) => {
                let now = self.now;
                self.wake(now);
            }
            Ok(Seen::Absent) => self.effects.push(effect),
            Ok(Seen::Unknown(why)) => return Progress::Waits(unseen(&job, &why)),
            Err(flow) => return Progress::Waits(flow),
        }
        self.journal.hooks.push(run);
        waits
    }

    /// The creation was journalled: has it come about?
    fn created(&mut self, hook: &HookJob<'_>, i: usize, run: &HookRun) -> Progress {
        let [_, job] = objects(self.rollout, hook);
        let found = match self.looked(&job, run) {
            Ok(Seen::Present(found)) => found,
            Ok(Seen::Unknown(why)) => return Progress::Waits(unseen(&job, &why)),
            Err(flow) => return Progress::Waits(flow),
            Ok(Seen::Absent) if self.now >= run.until => {
                let why = "its Job could not be created in time";
                return self.end_hook(hook, i, HookState::Failed, why, None);
            }
            Ok(Seen::Absent) => {
                if let Some(flow) = self.hook_held(hook.when) {
                    return Progress::Waits(flow);
                }
                return match self.job_effect(hook) {
                    Ok(effect) => {
                        self.effects.push(effect);
                        self.wake(run.until);
                        self.waits(run)
                    }
                    Err(Progress::Failed(why)) => {
                        self.end_hook(hook, i, HookState::Failed, &why, None)
                    }
                    Err(other) => other,
                };
            }
        };
        if found.created_by.as_ref() != Some(&self.rollout.uid) {
            let why = "it has the name of a hook's Job, but Sluice did not create it";
            if self.now >= run.until {
                let why = format!("{job}: {why}");
                return self.end_hook(hook, i, HookState::Failed, &why, None);
            }
            self.wake(run.until);
            return Progress::Waits(unseen(&job, why));
        }
        if deleted(&found) {
            let why = "its Job was deleted before it was started";
            return self.end_hook(hook, i, HookState::Failed, why, None);
        }
        if let Some(flow) = self.hook_held(hook.when) {
            return Progress::Waits(flow);
        }
        self.start_hook(hook, i, &job, &found)
    }

    /// Journals the start, and has the Job started.
    fn start_hook(
        &mut self,
        hook: &HookJob<'_>,
        i: usize,
        job: &ObjectRef,
        found: &ObjectSeen,
    ) -> Progress {
        let allowed = i64::try_from(hook.timeout.as_millis()).unwrap_or(i64::MAX);
        let until = later(self.now, allowed.saturating_add(GRACE_MS));
        let now = self.now;
        let text = format!(
            "hook {} ({}): started as Job {}",
            hook.name,
            hook.when.as_str(),
            job.name
        );
        self.happened("hook-started", Severity::Info, &text);
        if job_end(&found.body) == JobEnd::Suspended {
            self.effects.push(start(job, found));
        }
        let Some(run) = self.journal.hooks.get_mut(i) else {
            return Progress::Done;
        };
        run.state = HookState::Starting;
        run.started_at = Some(now);
        run.job_uid = Some(found.uid.clone());
        run.until = until;
        let run = run.clone();
        self.poll(&run);
        self.waits(&run)
    }

    /// The Job was started: what has become of it?
    fn watched(&mut self, hook: &HookJob<'_>, i: usize, run: &HookRun) -> Progress {
        let [_, job] = objects(self.rollout, hook);
        let found = match self.looked(&job, run) {
            Ok(Seen::Present(found)) => found,
            Ok(Seen::Unknown(why)) => {
                self.poll(run);
                return Progress::Waits(unseen(&job, &why));
            }
            Err(flow) => return Progress::Waits(flow),
            Ok(Seen::Absent) => {
                let why = "its Job was deleted while it ran";
                return self.end_hook(hook, i, HookState::Failed, why, None);
            }
        };
        if run.job_uid.as_ref() != Some(&found.uid) || deleted(&found) {
            let why = "its Job was deleted by somebody else while it ran";
            return self.end_hook(hook, i, HookState::Failed, why, None);
        }
        let late = self.now >= run.until;
        let end = job_end(&found.body);
        if end == JobEnd::Suspended && run.state == HookState::Starting && !late {
            self.effects.push(start(&job, &found));
            self.poll(run);
            return self.waits(run);
        }
        let pods = self.seen.hook_pods.get(&run.job).cloned();
        let pods = pods.unwrap_or_else(|| Seen::Unknown("its pod was not looked at yet".into()));
        match verdict(&found.body, &pods, hook.verified, late) {
            Verdict::Succeeded(pod) => {
                let text = "done";
                self.end_hook(hook, i, HookState::Succeeded, text, Some(&pod))
            }
            Verdict::Failed(why, pod) => {
                let why = with_note(&why, &run.message);
                self.end_hook(hook, i, HookState::Failed, &why, pod.as_ref())
            }
            Verdict::Runs(_) if late => {
                let why = with_note(
                    "it did not end in time; its Job may still run",
                    &run.message,
                );
                self.end_hook(hook, i, HookState::Failed, &why, pods.present())
            }
            Verdict::Runs(note) => {
                let note = if end == JobEnd::Suspended {
                    "somebody else suspended its Job".to_owned()
                } else {
                    note
                };
                self.goes_on(i, &note)
            }
            Verdict::LookAgain(_) => self.goes_on(i, ""),
        }
    }

    /// It runs. What its pod waits for is kept once: the kubelet says it in turns of words.
    fn goes_on(&mut self, i: usize, note: &str) -> Progress {
        let Some(run) = self.journal.hooks.get_mut(i) else {
            return Progress::Done;
        };
        run.state = HookState::Running;
        if run.message.is_empty() {
            run.message = crate::rollout::journal::clip_short(note);
        }
        let run = run.clone();
        self.poll(&run);
        self.waits(&run)
    }

    fn end_hook(
        &mut self,
        hook: &HookJob<'_>,
        i: usize,
        state: HookState,
        message: &str,
        pod: Option<&JobPods>,
    ) -> Progress {
        let now = self.now;
        let Some(run) = self.journal.hooks.get_mut(i) else {
            return Progress::Done;
        };
        run.end(state, message, pod, now);
        let mut text = format!("hook {} ({}): {message}", hook.name, hook.when.as_str());
        if run.verified {
            text.push_str("; verified");
        }
        if let Some(command) = &run.restore {
            text.push_str(&format!("; to restore: `{command}`"));
        }
        trim(&mut self.journal.hooks);
        match (state, hook.when) {
            (HookState::Succeeded, _) => {
                self.happened("hook-succeeded", Severity::Info, &text);
                Progress::Done
            }
            // What comes of it is told on its own.
            (_, HookWhen::Before) => {
                self.happened("hook-failed", Severity::Warning, &text);
                Progress::Failed(message.to_owned())
            }
            (_, HookWhen::After | HookWhen::Undo) => {
                self.happened("hook-failed", Severity::Critical, &text);
                Progress::Failed(message.to_owned())
            }
        }
    }

    /// The gates, looked at anew before a Job is created or started (W11). Nothing holds what takes
    /// back; what comes at the end is held by a stop alone.
    fn hook_held(&mut self, when: HookWhen) -> Option<Flow> {
        match when {
            HookWhen::Before => {
                if let Some(no) = self.rejection() {
                    return Some(self.go_back("rejected", &no, false, OutcomeKind::RolledBack));
                }
                self.held_before_next_step().map(Flow::Wait)
            }
            HookWhen::After => self.stopped().map(Flow::Wait),
            HookWhen::Undo => None,
        }
    }

    /// The effect that creates the Job of a hook.
    fn job_effect(&mut self, hook: &HookJob<'_>) -> Result<Effect, Progress> {
        let [cron_job, job] = objects(self.rollout, hook);
        let Some(target) = self.target() else {
            return Err(Progress::Waits(unseen(&job, "its owner cannot be read")));
        };
        let owner = Self::owner(target);
        let run = HookRun {
            name: hook.name.to_owned(),
            job: job.name.clone(),
            until: later(self.now, self.progress_deadline_ms()),
            ..HookRun::default()
        };
        let found = match self.looked(&cron_job, &run).map_err(Progress::Waits)? {
            Seen::Present(found) => found,
            Seen::Absent => return Err(Progress::Failed(format!("{cron_job} does not exist"))),
            Seen::Unknown(why) => return Err(Progress::Waits(unseen(&cron_job, &why))),
        };
        manifest(self.rollout, hook, &found.body, &owner)
            .map(|manifest| Effect::Create { manifest })
            .map_err(|why| Progress::Failed(format!("{cron_job}: {why}")))
    }

    /// What was seen of an object. Whose turn it is, is known since this decision: then it is looked at
    /// in the next.
    fn looked(&mut self, object: &ObjectRef, run: &HookRun) -> Result<Seen<ObjectSeen>, Flow> {
        match self.seen.objects.get(&object.to_string()) {
            Some(found) => Ok(found.clone()),
            None => {
                let now = self.now;
                self.wake(now);
                Err(Flow::Wait(runs(run)))
            }
        }
    }

    fn waits(&mut self, run: &HookRun) -> Progress {
        self.wake(run.until);
        Progress::Waits(Flow::Wait(runs(run)))
    }

    /// When a Job that runs is looked at again.
    fn poll(&mut self, run: &HookRun) {
        let started = run.started_at.unwrap_or(self.now);
        let young = self.now < later(started, YOUNG_MS);
        let next = self.after_ms(if young { YOUNG_POLL_MS } else { POLL_MS });
        self.wake(next);
        self.wake(run.until);
    }
}

fn runs(run: &HookRun) -> Why {
    Why::RunsHook {
        hook: run.name.clone(),
        job: run.job.clone(),
        until: run.until,
        waits_for: (!run.message.is_empty()).then(|| run.message.clone()),
    }
}

fn unseen(object: &ObjectRef, why: &str) -> Flow {
    super::queue::cannot_see(&object.to_string(), why)
}

/// A failure, and what its pod had waited for: at the deadline the pod is gone.
fn with_note(why: &str, note: &str) -> String {
    if note.is_empty() || why.contains(note) {
        why.to_owned()
    } else {
        format!("{why}; before: {note}")
    }
}

fn deleted(found: &ObjectSeen) -> bool {
    let at = found.body.pointer("/metadata/deletionTimestamp");
    at.is_some_and(|at| !at.is_null())
}

/// The write that starts a Job.
fn start(job: &ObjectRef, found: &ObjectSeen) -> Effect {
    Effect::Patch {
        object: found.guard(job),
        patch: serde_json::json!([
            {"op": "test", "path": "/spec/suspend", "value": true},
            {"op": "replace", "path": "/spec/suspend", "value": false},
        ]),
        detail: "start".into(),
    }
}
