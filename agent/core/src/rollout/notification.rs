//! The call that takes one message to one notifier.

use super::journal::{Delivery, Journal};
use super::observation::RolloutView;
use crate::plugin::{Event, Invocation, PluginCall, Release, Targets, WorkloadRef};

/// The call, or `None` where the Rollout names no such notifier. The message's id is the same at
/// every try, and it carries where the conversation is.
pub fn notification(
    rollout: &RolloutView,
    journal: &Journal,
    delivery: &Delivery,
    notifier: u32,
) -> Option<PluginCall> {
    let spec = &rollout.spec;
    let target = spec.notify.get(usize::try_from(notifier).ok()?)?;
    let hash = journal.approval.as_ref().map_or("", |a| a.hash.as_str());
    Some(PluginCall::Notify {
        plugin: target.plugin.clone(),
        invocation: Invocation {
            release: release(rollout, journal, hash),
            settings: target.settings.clone(),
            idempotency_key: delivery.event.id.clone(),
            attributes: vec![
                ("pipeline".into(), spec.pipeline.clone()),
                ("environment".into(), spec.environment.clone()),
                ("tag".into(), spec.image.tag.clone().unwrap_or_default()),
                ("phase".into(), journal.phase.clone()),
            ],
            targets: Targets::default(),
        },
        event: Event {
            thread: journal.threads.get(&notifier.to_string()).cloned(),
            ..delivery.event.clone()
        },
    })
}

/// The release as plugins are told of it that talk to people, and what a signature would be about.
pub(super) fn release(rollout: &RolloutView, journal: &Journal, hash: &str) -> Release {
    let spec = &rollout.spec;
    Release {
        id: rollout.name.clone(),
        workload: WorkloadRef {
            cluster: "default".into(),
            namespace: spec.target.namespace.clone(),
            kind: "Deployment".into(),
            name: spec.target.name().to_owned(),
            uid: spec.target_uid.clone(),
        },
        from_revision: journal.stable.as_ref().map(|r| r.digest.clone()),
        to_revision: spec.image.digest.clone(),
        images: vec![format!("{}@{}", spec.image.repository, spec.image.digest)],
        subject_digest: hash.to_owned(),
    }
}
