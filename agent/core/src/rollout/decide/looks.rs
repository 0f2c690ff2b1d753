//! Which objects a decision needs to see, beside the workloads.

use crate::rollout::{Journal, ObjectRef, RolloutView};

/// The objects that the next decision about this Rollout looks at or writes. Few: a handful per
/// Rollout.
pub fn looks_at(_rollout: &RolloutView, _journal: &Journal) -> Vec<ObjectRef> {
    Vec::new()
}
