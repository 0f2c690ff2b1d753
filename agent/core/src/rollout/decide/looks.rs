//! Which objects a decision needs to see, beside the workloads.

use serde_json::Value;

use crate::rollout::{Journal, ObjectKind, ObjectRef, RolloutView};
use crate::router::apart::candidate_service;
use crate::router::{self, Road};

/// The objects that the next decision about this Rollout looks at or writes. Few: a handful per
/// Rollout.
pub fn looks_at(rollout: &RolloutView, journal: &Journal) -> Vec<ObjectRef> {
    let mut out = Vec::new();
    if journal.state.ended() {
        return out;
    }
    out.extend(super::hooks::looks(rollout, journal));
    out.extend(super::preflight::looks(rollout, journal));
    out.extend(super::config::looks(rollout, journal));
    let target = &rollout.spec.target;
    if let Some(router) = router::of(&rollout.spec.strategy.router) {
        out.push(ObjectRef::new(
            ObjectKind::Service,
            &target.namespace,
            &target.service,
        ));
        out.push(candidate_service(
            &target.namespace,
            &target.service,
            &rollout.uid,
        ));
        out.extend(router.looks_at(&Road {
            namespace: &target.namespace,
            service: &target.service,
            rollout_uid: &rollout.uid,
            apart: None,
            original: None,
            reached_bp: 0,
            owner: &Value::Null,
        }));
    }
    // Several may want the same one: it is read once.
    out.sort();
    out.dedup();
    out
}
