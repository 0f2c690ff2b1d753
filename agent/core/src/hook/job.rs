//! The Job of a hook, made of a CronJob's template.

use serde_json::{Map, Value, json};

use super::HookWhen;
use crate::duration::HumanDuration;
use crate::hash::{child_name, short_name_hash};
use crate::rollout::{OwnerRef, ROLE_LABEL, ROLLOUT_LABEL, RolloutView};
use crate::template::with_image;

/// How long a Job that is over stays at least, so that people can look at it: a day, in seconds.
const KEPT_SECONDS: u64 = 86_400;
/// On the Job: the CronJob that it was made of.
const CRON_JOB_ANNOTATION: &str = "sluice.dev/cron-job";
/// What a Job's container finds in its environment.
const ENVIRONMENT: [&str; 3] = ["SLUICE_ROLLOUT_ID", "SLUICE_HOOK", "SLUICE_IDEMPOTENCY_KEY"];

/// One hook's Job, before there is one.
#[derive(Clone, Copy, Debug)]
pub struct HookJob<'a> {
    /// The hook's name.
    pub name: &'a str,
    /// When it runs.
    pub when: HookWhen,
    /// The CronJob.
    pub cron_job: &'a str,
    /// How long it may take.
    pub timeout: HumanDuration,
    /// Whether it has to say that it was verified.
    pub verified: bool,
}

/// Name of the Job: the target's, the hook's, and ten characters of a hash (W4).
pub fn job_name(target: &str, rollout_uid: &str, hook: &str, when: HookWhen) -> String {
    let (prefix, what) = match when {
        HookWhen::Before | HookWhen::After => (format!("{target}-{hook}"), "hook"),
        HookWhen::Undo => (format!("{target}-undo-{hook}"), "undo"),
    };
    child_name(&prefix, &short_name_hash(&[rollout_uid, what, hook]))
}

/// The pod template of a CronJob as the hook's Job gets it: the release's image where a container comes
/// from its repository.
///
/// # Errors
/// The CronJob has no template with a container.
pub fn pod_template(cron_job: &Value, rollout: &RolloutView) -> Result<Value, String> {
    let template = cron_job
        .pointer("/spec/jobTemplate/spec/template")
        .ok_or("it has no spec.jobTemplate.spec.template")?;
    let containers = template.pointer("/spec/containers");
    if containers
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
    {
        return Err("its template has no containers".into());
    }
    let image = &rollout.spec.image;
    // A hook need not run the release's image: a backup has a tool of its own.
    Ok(with_image(template, None, &image.repository, &image.digest)
        .unwrap_or_else(|_| template.clone()))
}

/// The Job: suspended, with the Rollout's marks, owned by the target beside it.
///
/// # Errors
/// The CronJob has no usable template.
pub fn manifest(
    rollout: &RolloutView,
    hook: &HookJob<'_>,
    cron_job: &Value,
    owner: &OwnerRef,
) -> Result<Value, String> {
    let mut template = pod_template(cron_job, rollout)?;
    if let Some(pod) = template.get_mut("spec").and_then(Value::as_object_mut) {
        pod.entry("restartPolicy").or_insert_with(|| json!("Never"));
        for list in ["initContainers", "containers"] {
            let containers = pod.get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                environment(container, rollout, hook);
            }
        }
    }
    let mut spec = cron_job
        .pointer("/spec/jobTemplate/spec")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let kept = spec.get("ttlSecondsAfterFinished").and_then(Value::as_u64);
    spec.insert("template".into(), template);
    spec.insert("suspend".into(), json!(true));
    spec.entry("backoffLimit").or_insert_with(|| json!(0));
    let seconds = hook.timeout.as_millis().div_ceil(1000).max(1);
    spec.insert("activeDeadlineSeconds".into(), json!(seconds));
    let kept = kept.unwrap_or(KEPT_SECONDS).max(KEPT_SECONDS);
    spec.insert("ttlSecondsAfterFinished".into(), json!(kept));
    let of = |field: &str| -> Map<String, Value> {
        cron_job
            .pointer(&format!("/spec/jobTemplate/metadata/{field}"))
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let mut labels = of("labels");
    labels.insert(ROLLOUT_LABEL.into(), json!(rollout.uid));
    labels.insert(ROLE_LABEL.into(), json!("hook"));
    labels.insert("app.kubernetes.io/managed-by".into(), json!("sluice"));
    let mut annotations = of("annotations");
    annotations.insert(CRON_JOB_ANNOTATION.into(), json!(hook.cron_job));
    let target = &rollout.spec.target;
    Ok(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "namespace": target.namespace,
            "name": job_name(target.name(), &rollout.uid, hook.name, hook.when),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner.entry()],
        },
        "spec": spec,
    }))
}

fn environment(container: &mut Value, rollout: &RolloutView, hook: &HookJob<'_>) {
    let Some(container) = container.as_object_mut() else {
        return;
    };
    let env = container.entry("env").or_insert_with(|| json!([]));
    let Some(env) = env.as_array_mut() else {
        return;
    };
    let ours = |v: &Value| {
        v.get("name")
            .and_then(Value::as_str)
            .is_some_and(|name| ENVIRONMENT.contains(&name))
    };
    env.retain(|v| !ours(v));
    let key = format!("{}/{}/{}", rollout.uid, hook.when.as_str(), hook.name);
    let values = [rollout.name.as_str(), hook.name, key.as_str()];
    for (name, value) in ENVIRONMENT.iter().zip(values) {
        env.push(json!({"name": name, "value": value}));
    }
}
