//! The Job controller: pods until enough have succeeded or too many have failed. Without indexes,
//! pod failure policies and the pods' tracking finalizer.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::resource::Resource;
use crate::api::store::{Change, Key};
use crate::json;
use crate::model::{Model, is_removal};
use crate::workload::deployment::owner_reference;
use crate::workload::endpoints::{is_over, is_ready};
use crate::workload::job_status::{self, Counts, Outcome};
use crate::workload::queue::Work;
use crate::workload::react::{controller, is_dying};

/// The wait before the pod after the first that failed; it doubles with each.
const BACK_OFF: Duration = Duration::from_secs(10);

/// The longest wait.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(600);

/// What the controller remembers of a Job while it lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobMemory {
    succeeded: BTreeSet<String>,
    failed: BTreeSet<String>,
    /// Failures since the last success, and when the last was seen.
    in_a_row: u32,
    last_failure: Option<Instant>,
}

impl JobMemory {
    /// Counts a pod that has ended or is being deleted, once.
    fn count(&mut self, pod: &Value) {
        let uid = json::text(pod, "/metadata/uid");
        if self.succeeded.contains(uid) || self.failed.contains(uid) {
            return;
        }
        if json::text(pod, "/status/phase") == "Succeeded" {
            self.succeeded.insert(uid.to_owned());
            self.in_a_row = 0;
        } else {
            self.failed.insert(uid.to_owned());
            self.in_a_row += 1;
            self.last_failure = Some(Instant::now());
        }
    }

    /// When the next pod may be created.
    fn next_pod(&self) -> Option<Instant> {
        let doublings = self.in_a_row.checked_sub(1)?;
        let wait = BACK_OFF.saturating_mul(2_u32.saturating_pow(doublings.min(16)));
        Some(self.last_failure? + wait.min(LONGEST_BACK_OFF))
    }
}

/// What a Job asks for.
struct Wanted {
    parallelism: usize,
    /// Absent: one success is enough.
    completions: Option<usize>,
    back_off_limit: usize,
    suspended: bool,
}

impl Wanted {
    fn read(job: &Value) -> Self {
        let number = |name: &str| {
            let number = json::int(job, &format!("/spec/{name}"))?;
            usize::try_from(number).ok()
        };
        Self {
            parallelism: number("parallelism").unwrap_or(1),
            completions: number("completions"),
            back_off_limit: number("backoffLimit").unwrap_or(6),
            suspended: json::flag(job, "/spec/suspend"),
        }
    }
}

impl Model {
    /// A pod of a Job went: if nobody has counted it, it failed.
    pub(crate) fn note_job_pod(&mut self, change: &Change) {
        let pod = change.after.value();
        if let (true, Some(("Job", _, uid))) = (is_removal(change), controller(pod)) {
            self.jobs.entry(uid.to_owned()).or_default().count(pod);
        }
    }

    /// One pass of the Job controller.
    pub(crate) fn sync_job(&mut self, key: &Key) {
        let Some(object) = self.object(key) else {
            return;
        };
        let job = object.value();
        let uid = json::text(job, "/metadata/uid");
        if let Some(finished) = job_status::finished(job) {
            self.jobs.remove(uid);
            self.expire_job(key, job, finished);
            return;
        }
        let wanted = Wanted::read(job);
        let pods = self.job_pods(key, uid);
        let memory = self.jobs.entry(uid.to_owned()).or_default();
        for (_, pod) in &pods {
            if is_over(pod) || is_dying(pod) {
                memory.count(pod);
            }
        }
        let memory = memory.clone();
        let mut active: Vec<Key> = pods
            .iter()
            .filter(|(_, pod)| !is_over(pod) && !is_dying(pod))
            .map(|(pod, _)| pod.clone())
            .collect();
        let mut outcome = job_status::decided(job).or_else(|| {
            let restarts = restarts(job, &pods);
            let limit = wanted.back_off_limit;
            let spent = memory.failed.len() > limit
                || restarts.is_some_and(|count| count > 0 && count >= limit);
            if spent {
                return Some(Outcome::failed(
                    "BackoffLimitExceeded",
                    "Job has reached the specified backoff limit",
                ));
            }
            self.past_deadline(key, job, &wanted).then(|| {
                let message = "Job was active longer than specified deadline";
                Outcome::failed("DeadlineExceeded", message)
            })
        });
        if outcome.is_some() {
            self.delete_pods(&mut active);
        } else if !is_dying(job) {
            if wanted.suspended {
                self.delete_pods(&mut active);
            } else {
                self.create_job_pods(key, job, &wanted, &memory, &mut active);
            }
            let enough = wanted.completions.unwrap_or(1);
            if memory.succeeded.len() >= enough && active.is_empty() {
                outcome = Some(Outcome::complete());
            }
        }
        // A pod that never ran is gone by now, and counted.
        let memory = self.jobs.get(uid).cloned().unwrap_or(memory);
        let pods = self.job_pods(key, uid);
        let terminating = pods
            .iter()
            .filter(|(_, pod)| is_dying(pod) && !is_over(pod))
            .count();
        let ready = active
            .iter()
            .filter(|pod| self.value(pod).is_some_and(is_ready))
            .count();
        let counts = Counts {
            active: active.len(),
            ready,
            terminating,
            succeeded: memory.succeeded.len(),
            failed: memory.failed.len(),
        };
        self.write_job_status(key, &counts, wanted.suspended, outcome);
    }

    fn job_pods(&self, key: &Key, uid: &str) -> Vec<(Key, Value)> {
        self.store
            .dependents(uid)
            .into_iter()
            .filter(|pod| pod.resource == Resource::Pods && pod.namespace == key.namespace)
            .filter_map(|pod| {
                let value = self.value(&pod)?;
                let ours = controller(value).is_some_and(|(_, _, owner)| owner == uid);
                ours.then(|| (pod.clone(), value.clone()))
            })
            .collect()
    }

    fn delete_pods(&mut self, pods: &mut Vec<Key>) {
        for pod in pods.drain(..) {
            self.delete_pod(&pod, None);
        }
    }

    fn create_job_pods(
        &mut self,
        key: &Key,
        job: &Value,
        wanted: &Wanted,
        memory: &JobMemory,
        active: &mut Vec<Key>,
    ) {
        let wants = match wanted.completions {
            Some(completions) => completions
                .saturating_sub(memory.succeeded.len())
                .min(wanted.parallelism),
            None if memory.succeeded.is_empty() => wanted.parallelism,
            None => active.len(),
        };
        if wants <= active.len() {
            for pod in active.split_off(wants) {
                self.delete_pod(&pod, None);
            }
            return;
        }
        if let Some(at) = memory.next_pod().filter(|at| *at > Instant::now()) {
            self.queue_at(Work::Job(key.clone()), at);
            return;
        }
        for _ in active.len()..wants {
            active.extend(self.create_job_pod(key, job));
        }
    }

    fn create_job_pod(&mut self, key: &Key, job: &Value) -> Option<Key> {
        let template = json::at(job, "/spec/template").cloned().unwrap_or_default();
        let uid = json::text(job, "/metadata/uid");
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": template.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "spec": template.get("spec").cloned().unwrap_or_default(),
            "status": { "phase": "Pending" },
        });
        let prefix = format!("{}-", key.name);
        json::set(&mut pod, &["metadata", "generateName"], json!(prefix));
        let owner = owner_reference("batch/v1", "Job", &key.name, uid);
        json::set(&mut pod, &["metadata", "ownerReferences"], json!([owner]));
        let name = format!("{prefix}{}", self.suffix(5));
        let pod_key = Key::new(Resource::Pods, &key.namespace, &name);
        if self.store.get(&pod_key).is_some() {
            // One in fourteen million: the next pass draws another name.
            self.queue_soon(Work::Job(key.clone()));
            return None;
        }
        self.spawn(pod_key.clone(), pod);
        Some(pod_key)
    }

    /// Whether the Job was active for too long; if not yet, looks again then.
    fn past_deadline(&mut self, key: &Key, job: &Value, wanted: &Wanted) -> bool {
        let deadline = json::int(job, "/spec/activeDeadlineSeconds");
        let started = job_status::time(job, "/status/startTime");
        let (Some(deadline), Some(started), false) = (deadline, started, wanted.suspended) else {
            return false;
        };
        self.is_past(Work::Job(key.clone()), started, deadline)
    }

    /// Whether so many seconds have passed since a time; if not, queues work for when they have.
    fn is_past(&mut self, work: Work, since: jiff::Timestamp, seconds: i64) -> bool {
        let passed = self.now().duration_since(since);
        let whole = jiff::SignedDuration::from_secs(seconds);
        if passed >= whole {
            return true;
        }
        self.queue_at(work, Instant::now() + (whole - passed).unsigned_abs());
        false
    }

    /// Deletes a finished Job once its time is over, with its pods.
    fn expire_job(&mut self, key: &Key, job: &Value, finished: jiff::Timestamp) {
        let Some(time) = json::int(job, "/spec/ttlSecondsAfterFinished") else {
            return;
        };
        if !is_dying(job) && self.is_past(Work::Job(key.clone()), finished, time) {
            let options = json!({ "propagationPolicy": "Foreground" });
            // Gone in between is as good as deleted.
            let _ = self.delete(key, &options, false);
        }
    }
}

/// How often the containers of living pods were started again, where that is what counts.
fn restarts(job: &Value, pods: &[(Key, Value)]) -> Option<usize> {
    let policy = json::text(job, "/spec/template/spec/restartPolicy");
    (policy == "OnFailure").then(|| {
        pods.iter()
            .filter(|(_, pod)| !is_over(pod))
            .flat_map(|(_, pod)| json::list(pod, "/status/containerStatuses"))
            .filter_map(|status| usize::try_from(json::int(status, "/restartCount")?).ok())
            .sum()
    })
}
