//! Rules about Jobs: at most one for each hook and Rollout, started once, and nothing is moved before
//! those that come first have succeeded.

use serde_json::Value;

use crate::hook::{HookState, HookWhen, JobEnd, job_end};
use crate::rollout::{
    Effect, Guard, Journal, ObjectKind, ObjectRef, ObjectSeen, Observation, RolloutView,
};

/// The rules about one effect, where it is about a Job.
pub(super) fn effect(
    rollout: &RolloutView,
    seen: &Observation,
    after: &Journal,
    effect: &Effect,
    out: &mut Vec<String>,
) {
    match effect {
        Effect::Create { manifest }
            if manifest.get("kind").and_then(Value::as_str) == Some(ObjectKind::Job.as_str()) =>
        {
            created(after, manifest, out);
        }
        Effect::Patch { object, patch, .. } if object.kind == ObjectKind::Job => {
            patched(rollout, seen, after, object, patch, out);
        }
        Effect::Delete { object } if object.kind == ObjectKind::Job => {
            deleted(rollout, seen, object, out);
        }
        Effect::Create { .. }
        | Effect::Patch { .. }
        | Effect::Delete { .. }
        | Effect::Claim { .. }
        | Effect::Scale { .. }
        | Effect::SetTemplate { .. }
        | Effect::CopyConfig { .. }
        | Effect::SaveRevision { .. }
        | Effect::RecordOutcome { .. }
        | Effect::Ask { .. } => {}
    }
}

/// What was journalled of a hook is not taken back, and no step is entered before its time.
pub(super) fn history(
    rollout: &RolloutView,
    before: &Journal,
    after: &Journal,
    out: &mut Vec<String>,
) {
    for run in &before.hooks {
        let Some(now) = after.hooks.iter().find(|r| r.is(&run.name, run.when)) else {
            out.push(format!("forgets the hook {}", run.name));
            continue;
        };
        if run.ended() && now.state != run.state {
            out.push(format!("the hook {} goes on after its end", run.name));
        }
        if run.started_at.is_some() && now.started_at != run.started_at {
            out.push(format!("starts the hook {} twice", run.name));
        }
    }
    let spec = &rollout.spec;
    let runs = spec.returns_to.is_none() && !spec.drill;
    if !runs || after.state.step().is_none() {
        return;
    }
    for hook in &spec.course.before {
        let done = |r: &&crate::hook::HookRun| {
            r.is(&hook.name, HookWhen::Before) && r.state == HookState::Succeeded
        };
        if after.hooks.iter().find(done).is_none() {
            out.push(format!("is in a step without the hook {}", hook.name));
        }
    }
}

/// A Job is created for a hook that is journalled and was not started.
fn created(after: &Journal, manifest: &Value, out: &mut Vec<String>) {
    let name = manifest.pointer("/metadata/name").and_then(Value::as_str);
    let name = name.unwrap_or_default();
    if !after
        .hooks
        .iter()
        .any(|r| r.job == name && r.state == HookState::Wanted)
    {
        out.push(format!("creates the Job {name}, which no hook waits for"));
    }
}

/// A Job is started, or its deadline is brought forward, and nothing else of it is written.
fn patched(
    rollout: &RolloutView,
    seen: &Observation,
    after: &Journal,
    object: &Guard,
    patch: &Value,
    out: &mut Vec<String>,
) {
    if seen_of(seen, object).is_none_or(|o| o.created_by.as_ref() != Some(&rollout.uid)) {
        out.push("writes a Job that this Rollout did not create".into());
    }
    let open = |state| matches!(state, HookState::Starting | HookState::Running);
    if !after
        .hooks
        .iter()
        .any(|r| r.job == object.name && r.started_at.is_some() && open(r.state))
    {
        out.push("starts a Job before that is journalled".into());
    }
    let allowed = ["/spec/suspend", "/spec/activeDeadlineSeconds"];
    let path = |op: &Value| {
        op.get("path")
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let operations = patch.as_array().map(Vec::as_slice).unwrap_or_default();
    if operations
        .iter()
        .any(|op| !allowed.contains(&path(op).as_str()))
    {
        out.push("writes more of a Job than its start and its deadline".into());
    }
}

/// Only a Job that never ran is removed: of others people want to see what they said.
fn deleted(rollout: &RolloutView, seen: &Observation, object: &Guard, out: &mut Vec<String>) {
    let ours = seen_of(seen, object).is_some_and(|o| {
        o.created_by.as_ref() == Some(&rollout.uid) && job_end(&o.body) == JobEnd::Suspended
    });
    if !ours {
        out.push("deletes a Job that it did not create, or that may have run".into());
    }
}

fn seen_of<'a>(seen: &'a Observation, guard: &Guard) -> Option<&'a ObjectSeen> {
    let object = ObjectRef::new(guard.kind, &guard.namespace, &guard.name);
    let found = seen.objects.get(&object.to_string())?.present()?;
    (found.uid == guard.uid).then_some(found)
}
