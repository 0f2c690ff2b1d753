//! Rules about objects beside the workloads: Services, routes, Jobs.

use serde_json::Value;

use crate::rollout::{
    Guard, Journal, ObjectKind, ObjectRef, Observation, ROLLOUT_LABEL, RolloutView, Seen, State,
};
use crate::router::apart::Side;
use crate::router::replicas::floor;

/// Which pods the live Service sends to, where a candidate stands apart. None: both kinds.
pub(super) fn side(rollout: &RolloutView, seen: &Observation, journal: &Journal) -> Option<Side> {
    let route = journal.route.as_ref()?;
    let target = &rollout.spec.target;
    let live = ObjectRef::new(ObjectKind::Service, &target.namespace, &target.service);
    let side = match seen.object(&live) {
        Seen::Present(service) => route.apart.side(&service.body),
        Seen::Absent | Seen::Unknown(_) => None,
    };
    Some(side.unwrap_or(Side::Target))
}

/// What is created is this Rollout's, in its namespace, and does nothing yet (W4).
pub(super) fn created(rollout: &RolloutView, manifest: &Value, out: &mut Vec<String>) {
    let text = |at: &str| manifest.pointer(at).and_then(Value::as_str);
    let kind = text("/kind").and_then(ObjectKind::of);
    let label = manifest
        .pointer("/metadata/labels")
        .and_then(|l| l.get(ROLLOUT_LABEL)?.as_str());
    if label != Some(&rollout.uid) {
        out.push("creates an object that nobody can tell is its own".into());
    }
    match kind {
        Some(ObjectKind::Job) => {
            if manifest.pointer("/spec/suspend") != Some(&Value::Bool(true)) {
                out.push("creates a Job that runs at once (W4)".into());
            }
        }
        Some(ObjectKind::Service) => {
            if text("/metadata/name") == Some(&rollout.spec.target.service) {
                out.push("creates the live Service".into());
            }
        }
        Some(ObjectKind::Deployment | ObjectKind::Ingress) => {}
        Some(_) | None => out.push("creates an object of a kind that it never needs".into()),
    }
}

/// What is removed was created by this Rollout, and no traffic goes there.
pub(super) fn deleted(
    rollout: &RolloutView,
    seen: &Observation,
    after: &Journal,
    object: &Guard,
    out: &mut Vec<String>,
) {
    if object.kind == ObjectKind::Pod || object.kind.is_confidential() {
        // Looked at where pods are.
        return;
    }
    let wanted = ObjectRef::new(object.kind, &object.namespace, &object.name);
    let ours = matches!(seen.object(&wanted), Seen::Present(found)
        if found.uid == object.uid && found.created_by.as_ref() == Some(&rollout.uid));
    let copy = matches!(object.kind, ObjectKind::ConfigMap | ObjectKind::Secret);
    if !ours && !copy {
        out.push(format!(
            "deletes {wanted}, which this Rollout did not create"
        ));
    }
    if object.kind == ObjectKind::Service && after.route.as_ref().is_some_and(|r| r.reached_bp > 0)
    {
        out.push("takes the candidate's Service away while traffic goes there".into());
    }
}

/// What is patched is what was seen; and the live Service never turns to where no pods are (W7).
pub(super) fn patched(
    rollout: &RolloutView,
    seen: &Observation,
    after: &Journal,
    object: &Guard,
    detail: &str,
    out: &mut Vec<String>,
) {
    let wanted = ObjectRef::new(object.kind, &object.namespace, &object.name);
    let same = matches!(seen.object(&wanted), Seen::Present(found)
        if found.uid == object.uid && found.resource_version == object.resource_version);
    if !same || object.namespace != rollout.spec.target.namespace {
        out.push(format!("changes {wanted}, which is not what it looked at"));
    }
    if object.kind != ObjectKind::Service {
        return;
    }
    let (Some(route), Some(target)) = (&after.route, seen.target.present()) else {
        out.push("changes a Service without a route".into());
        return;
    };
    let ready = seen.canary.present().map_or(0, |c| c.ready);
    let total = after.total(target);
    if detail.ends_with(&format!("={}", route.apart.candidate)) {
        if !matches!(after.state, State::Promoting(_)) {
            out.push("switches to the candidate outside of the promotion".into());
        }
        if ready < floor(total, target.max_unavailable, u32::MAX) {
            out.push(format!("switches the Service to {ready} ready pods"));
        }
    } else if target.ready == 0 && ready > 0 {
        out.push("switches the Service to a target without ready pods".into());
    }
}
