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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::fixture::*;
    use crate::rollout::{Guard, ObjectSeen, OwnerRef};
    use crate::workload::ConfigVersion;

    fn guard(kind: ObjectKind, name: &str) -> Guard {
        Guard {
            kind,
            namespace: "shop".into(),
            name: name.into(),
            uid: "u".into(),
            resource_version: "7".into(),
        }
    }

    fn told(c: &Case, one: &Effect) -> String {
        let mut out = Vec::new();
        effect(&c.view, &c.seen, &c.journal, one, &mut out);
        out.join("; ")
    }

    #[test]
    fn only_pods_in_the_way_are_deleted_and_only_on_the_way_back() {
        let pod = guard(ObjectKind::Pod, "storefront-9");
        let delete = Effect::Delete {
            object: pod.clone(),
        };
        let mut c = mk_going_back(1);
        assert!(told(&c, &delete).contains("nobody's way"));
        c.seen.pods_in_the_way = Seen::Present(vec![pod]);
        assert_eq!(told(&c, &delete), "");
        c.set_state(State::AwaitingApproval);
        assert!(told(&c, &delete).contains("nobody's way"));
    }

    #[test]
    fn only_what_was_signed_is_copied_and_only_what_is_stale_is_deleted() {
        let source = ConfigSource::ConfigMap("app".into());
        let version = ConfigVersion::of(&source, "target-1", "u", "7");
        let copy = |to: &str| Effect::CopyConfig {
            from: guard(ObjectKind::ConfigMap, "app"),
            to: to.into(),
            owner: OwnerRef {
                kind: ObjectKind::Deployment,
                name: "storefront".into(),
                uid: "target-1".into(),
            },
            rollout_uid: UID.into(),
        };
        let mut c = mk_shifting(0);
        assert!(told(&c, &copy(&version.copy)).contains("nobody signed"));
        c.journal.config = vec![version.clone()];
        assert_eq!(told(&c, &copy(&version.copy)), "");
        assert!(told(&c, &copy("app-sluice-aaaaaaaaaa")).contains("nobody signed"));

        let delete = |name: &str| Effect::Delete {
            object: guard(ObjectKind::ConfigMap, name),
        };
        let found = ObjectSeen {
            uid: "u".into(),
            created_by: Some("another-rollout".into()),
            ..ObjectSeen::default()
        };
        for name in ["app", version.copy.as_str()] {
            let key = ObjectRef::new(ObjectKind::ConfigMap, "shop", name).to_string();
            c.seen.objects.insert(key, Seen::Present(found.clone()));
        }
        assert!(told(&c, &delete(&version.copy)).contains("in use"));
        c.journal.stale = vec![version.as_copy(), source];
        assert_eq!(told(&c, &delete(&version.copy)), "");
        assert!(told(&c, &delete("app")).contains("in use"), "the source");
    }
}
