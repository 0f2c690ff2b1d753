//! Before people are asked, and again before the first change: is everything there that this Rollout will
//! need? All that is wrong is told at once (requirement E3). A way back is never held by it.

use serde_json::{Map, Value};

use super::hooks::{hook_jobs, objects, runs_hooks};
use super::{Flow, Turn};
use crate::hook::pod_template;
use crate::rollout::{
    Journal, ObjectKind, ObjectRef, ObjectSeen, RolloutView, Seen, State, Why, WorkloadSeen,
};

mod quota;

pub use quota::QuotaSeen;

/// Problems that are told. Whoever has more puts these right first.
const SHOWN: usize = 8;
/// Longest of them, in bytes: two names and a reason.
const LINE_LIMIT: usize = 240;

/// What is looked at: the Service, and the CronJob of every hook.
pub(super) fn looks(rollout: &RolloutView, journal: &Journal) -> Vec<ObjectRef> {
    if !matters(rollout, journal) {
        return Vec::new();
    }
    let target = &rollout.spec.target;
    let service = ObjectRef::new(ObjectKind::Service, &target.namespace, &target.service);
    let mut out = vec![service];
    if runs_hooks_in_the_end(rollout) {
        for hook in hook_jobs(&rollout.spec.course) {
            let [cron_job, _] = objects(rollout, &hook);
            if !out.contains(&cron_job) {
                out.push(cron_job);
            }
        }
    }
    out
}

/// Whether quotas are to be read.
pub fn quotas_wanted(rollout: &RolloutView, journal: &Journal) -> bool {
    matters(rollout, journal)
}

/// As long as nothing was changed.
fn matters(rollout: &RolloutView, journal: &Journal) -> bool {
    let before = match &journal.state {
        State::Queued | State::Planning { .. } | State::AwaitingApproval => true,
        State::Preparing(_) | State::Progressing(_) | State::Promoting(_) => !journal.claimed,
        State::Watching(_)
        | State::Finishing(_)
        | State::RollingBack(_)
        | State::Recording(_)
        | State::Ended(_) => false,
    };
    before && rollout.spec.returns_to.is_none()
}

/// A dry run starts no hook, and still says whether they could run.
fn runs_hooks_in_the_end(rollout: &RolloutView) -> bool {
    runs_hooks(rollout) || (rollout.spec.dry_run && !rollout.spec.drill)
}

impl Turn<'_> {
    /// Why it is not ready, or `None`. `now`: it would begin at once, so the target has to be well.
    pub(super) fn not_ready(&self, now: bool) -> Option<Why> {
        let mut problems: Vec<String> = self.problems(now);
        problems.sort();
        problems.dedup();
        let more = problems.len().saturating_sub(SHOWN);
        problems.truncate(SHOWN);
        if more > 0 {
            problems.push(format!("and {more} more"));
        }
        (!problems.is_empty()).then_some(Why::NotReady { problems })
    }

    fn problems(&self, now: bool) -> Vec<String> {
        let mut out = Vec::new();
        let rollout = self.rollout;
        let Some(target) = self.target() else {
            return out;
        };
        if rollout.spec.returns_to.is_some() {
            return out;
        }
        let service = self.looked_at(&self.live_service(), &mut out);
        if let Err(Why::NotReady { problems }) = self.route_at_start(target) {
            out.extend(problems);
        }
        let selector = service.as_ref().map(|s| selector_of(&s.body));
        if let (Some(selector), None) = (&selector, self.router()) {
            out.extend(selects(&self.live_service(), selector, target));
        }
        if runs_hooks_in_the_end(rollout) {
            for hook in hook_jobs(&rollout.spec.course) {
                let [cron_job, _] = objects(rollout, &hook);
                let Some(found) = self.looked_at(&cron_job, &mut out) else {
                    continue;
                };
                let told = unfit_cron_job(rollout, &found.body, selector.as_ref());
                out.extend(told.into_iter().map(|what| format!("{cron_job}: {what}")));
            }
        }
        // An emergency may be about just that.
        if now && rollout.spec.emergency.is_none() {
            out.extend(unwell(target));
        }
        out.extend(self.no_room(target));
        out.iter()
            .map(|text| crate::rollout::cut(text, LINE_LIMIT))
            .collect()
    }

    /// An object that has to be there. What nobody has looked at yet is no problem: it is looked at in
    /// the next decision, and whatever uses it looks again.
    fn looked_at(&self, object: &ObjectRef, out: &mut Vec<String>) -> Option<ObjectSeen> {
        match self.seen.objects.get(&object.to_string())? {
            Seen::Present(found) => Some(found.clone()),
            Seen::Absent => {
                out.push(format!("{object} does not exist"));
                None
            }
            Seen::Unknown(why) => {
                out.push(format!("{object} cannot be read: {why}"));
                None
            }
        }
    }

    /// Quotas without room for the pods that come on top.
    fn no_room(&self, target: &WorkloadSeen) -> Vec<String> {
        let (Seen::Present(quotas), Some(plan)) = (&self.seen.quotas, &self.journal.plan) else {
            return Vec::new();
        };
        let most = plan
            .steps
            .iter()
            .map(|s| s.stable_replicas.saturating_add(s.candidate_replicas))
            .max();
        let more = most.unwrap_or(0).saturating_sub(target.replicas);
        quotas
            .iter()
            .flat_map(|q| q.without_room(target.template(), more))
            .collect()
    }

    /// Holds before people are asked: what they sign could not be done.
    pub(super) fn unprepared(&self) -> Option<Flow> {
        if self.journal.approval.is_some() {
            return None;
        }
        self.not_ready(false).map(Flow::Wait)
    }
}

fn selector_of(service: &Value) -> Map<String, Value> {
    let selector = service.pointer("/spec/selector");
    selector
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn labels_of(template: &Value) -> Map<String, Value> {
    let labels = template.pointer("/metadata/labels");
    labels
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn matches(selector: &Map<String, Value>, labels: &Map<String, Value>) -> bool {
    !selector.is_empty() && selector.iter().all(|(k, v)| labels.get(k) == Some(v))
}

/// Whether the Service finds the target's pods.
fn selects(
    service: &ObjectRef,
    selector: &Map<String, Value>,
    target: &WorkloadSeen,
) -> Option<String> {
    if selector.is_empty() {
        return Some(format!("{service} has no selector"));
    }
    let labels = labels_of(target.template());
    let differ: Vec<&str> = selector
        .iter()
        .filter(|(k, v)| labels.get(*k) != Some(*v))
        .map(|(k, _)| k.as_str())
        .collect();
    (!differ.is_empty()).then(|| {
        format!(
            "{service} does not select the pods of {}: they differ in {}",
            target.name,
            differ.join(", ")
        )
    })
}

/// What is wrong with a hook's CronJob.
fn unfit_cron_job(
    rollout: &RolloutView,
    cron_job: &Value,
    selector: Option<&Map<String, Value>>,
) -> Vec<String> {
    let mut out = Vec::new();
    if cron_job.pointer("/spec/suspend") != Some(&Value::Bool(true)) {
        out.push("is not suspended: it would also run by itself; set spec.suspend to true".into());
    }
    match pod_template(cron_job, rollout) {
        Err(why) => out.push(why),
        Ok(template) => {
            let caught = |s: &Map<String, Value>| matches(s, &labels_of(&template));
            if selector.is_some_and(caught) {
                out.push(format!(
                    "Service {} would send requests to its pods; give its template other labels",
                    rollout.spec.target.service
                ));
            }
        }
    }
    out
}

/// Whether the target has every pod that it wants, ready.
fn unwell(target: &WorkloadSeen) -> Option<String> {
    if target.settled() {
        return None;
    }
    Some(format!(
        "{} {}/{} is not well: {} of {} pods are ready and of its newest template",
        target.kind,
        target.namespace,
        target.name,
        target.ready.min(target.updated),
        target.replicas
    ))
}
