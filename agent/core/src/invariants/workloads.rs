//! Rules about pods of a StatefulSet and about copies of configuration.

use crate::pipeline::ConfigSource;
use crate::rollout::{
    Effect, Journal, ObjectKind, ObjectRef, Observation, RolloutView, Seen, State,
};
use crate::workload::config::source_of;

/// The rules about one effect.
pub(super) fn effect(
    rollout: &RolloutView,
    seen: &Observation,
    after: &Journal,
    effect: &Effect,
    out: &mut Vec<String>,
) {
    match effect {
        Effect::Delete { object } if object.kind == ObjectKind::Pod => {
            let in_the_way = seen.pods_in_the_way.present();
            if !matches!(after.state, State::RollingBack(_))
                || !in_the_way.is_some_and(|pods| pods.contains(object))
            {
                out.push("deletes a pod that is in nobody's way".into());
            }
        }
        Effect::Delete { object } if object.kind.is_confidential() => {
            let copy = match object.kind {
                ObjectKind::Secret => ConfigSource::Secret(object.name.clone()),
                _ => ConfigSource::ConfigMap(object.name.clone()),
            };
            let reference = ObjectRef::new(object.kind, &object.namespace, &object.name);
            let ours = matches!(seen.object(&reference), Seen::Present(o)
                if o.created_by.is_some() && o.uid == object.uid);
            if source_of(&object.name).is_none() || !ours || !after.stale.contains(&copy) {
                out.push("deletes configuration that may be in use".into());
            }
        }
        Effect::CopyConfig {
            from,
            to,
            rollout_uid,
            ..
        } => {
            let promised = after.config.iter().any(|v| {
                v.source.object() == (from.kind, from.name.as_str())
                    && v.uid == from.uid
                    && v.resource_version == from.resource_version
                    && v.copy == *to
            });
            if !promised
                || from.namespace != rollout.spec.target.namespace
                || *rollout_uid != rollout.uid
            {
                out.push("copies configuration that nobody signed for".into());
            }
        }
        Effect::Delete { .. }
        | Effect::Create { .. }
        | Effect::Patch { .. }
        | Effect::Claim { .. }
        | Effect::Scale { .. }
        | Effect::SetTemplate { .. }
        | Effect::SaveRevision { .. }
        | Effect::RecordOutcome { .. }
        | Effect::Ask { .. } => {}
    }
}
