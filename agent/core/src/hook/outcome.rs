//! What a Job and its pod say, and what is made of it. Only a Job that is complete, of which a pod came
//! to its end well, has succeeded; what cannot be told has not.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::run::Said;
use crate::rollout::Seen;

/// How far a Job is, by its own status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// Nothing of it runs.
    Suspended,
    /// It is under way.
    Running,
    /// The Job controller calls it complete; so many pods came to their end well.
    Complete(u64),
    /// It failed, and why.
    Failed(String),
}

/// Reads a Job's spec and conditions.
pub fn job_end(job: &Value) -> JobEnd {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let text = |c: &Value, field: &str| {
        let found = c.get(field).and_then(Value::as_str).unwrap_or_default();
        found.to_owned()
    };
    for c in conditions.into_iter().flatten() {
        if text(c, "status") != "True" {
            continue;
        }
        match text(c, "type").as_str() {
            "Complete" => {
                let good = job.pointer("/status/succeeded").and_then(Value::as_u64);
                return JobEnd::Complete(good.unwrap_or(0));
            }
            "Failed" => {
                let (reason, message) = (text(c, "reason"), text(c, "message"));
                return JobEnd::Failed(match (reason.is_empty(), message.is_empty()) {
                    (false, false) => format!("{reason}: {message}"),
                    (false, true) => reason,
                    (true, _) => message,
                });
            }
            _ => {}
        }
    }
    if job.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        JobEnd::Suspended
    } else {
        JobEnd::Running
    }
}

/// The newest pod of a Job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPods {
    /// Its name.
    pub pod: String,
    /// The exit code of its container, once that is over. Of several the one that failed.
    pub exit_code: Option<i32>,
    /// Why it waits or how it ended, such as `ImagePullBackOff` or `OOMKilled`.
    pub reason: String,
    /// Its termination message.
    pub message: String,
    /// The last lines of its log, once it is over.
    pub log: String,
}

/// What is to be believed of a Job that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not over. What its pod waits for, where it does.
    Runs(String),
    /// The Job is over and its pod has to be looked at again.
    LookAgain(String),
    /// It did what it was to do.
    Succeeded(JobPods),
    /// It did not, and why.
    Failed(String, Option<JobPods>),
}

/// What is made of a Job and its pod. `verified`: it has to say so itself. `late`: nothing is waited
/// for any more.
pub fn verdict(job: &Value, pods: &Seen<JobPods>, verified: bool, late: bool) -> Verdict {
    match job_end(job) {
        JobEnd::Suspended | JobEnd::Running => {
            let pod = pods.present().filter(|pod| pod.exit_code.is_none());
            Verdict::Runs(pod.map(|pod| pod.reason.clone()).unwrap_or_default())
        }
        JobEnd::Failed(why) => failed(&why, pods),
        // A Job that wants no pods is complete at once, and has done nothing.
        JobEnd::Complete(0) => Verdict::Failed("it is complete, but no pod of it ran".into(), None),
        JobEnd::Complete(_) => match pods {
            Seen::Present(pod) if pod.exit_code.is_none() && !late => {
                Verdict::LookAgain(format!("the end of pod {} cannot be seen yet", pod.pod))
            }
            Seen::Unknown(why) if !late => Verdict::LookAgain(why.clone()),
            Seen::Present(pod) if verified && !Said::of(&pod.message).verified => Verdict::Failed(
                "it ended well, but did not say `\"verified\": true` in its termination message"
                    .into(),
                Some(pod.clone()),
            ),
            Seen::Present(pod) => Verdict::Succeeded(pod.clone()),
            Seen::Absent | Seen::Unknown(_) if verified => Verdict::Failed(
                "its pod is gone, so it cannot be told whether it was verified".into(),
                None,
            ),
            Seen::Absent | Seen::Unknown(_) => Verdict::Succeeded(JobPods::default()),
        },
    }
}

fn failed(why: &str, pods: &Seen<JobPods>) -> Verdict {
    let pod = pods.present();
    let mut text = why.to_owned();
    if let Some(pod) = pod {
        if let Some(code) = pod.exit_code {
            text.push_str(&format!("; exit code {code}"));
        }
        if !pod.reason.is_empty() {
            text.push_str(&format!(" ({})", pod.reason));
        }
    }
    Verdict::Failed(text, pod.cloned())
}
