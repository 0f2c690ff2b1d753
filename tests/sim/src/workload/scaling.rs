//! Scaling a Deployment, also in the middle of a rollout, where the change is shared out in
//! proportion to the ReplicaSets' sizes.

use crate::model::Model;
use crate::workload::deployment::{DESIRED, MAXIMUM, Set, Sets, Wanted};

impl Model {
    /// Brings the ReplicaSets to a new total.
    pub(crate) fn scale(&mut self, wanted: &Wanted, sets: &Sets) {
        if let Some(only) = active_or_latest(sets) {
            self.scale_set(wanted, only, wanted.replicas);
            return;
        }
        if sets
            .new
            .as_ref()
            .is_some_and(|new| is_saturated(wanted, new))
        {
            for old in sets.old.iter().filter(|set| set.replicas > 0) {
                self.scale_set(wanted, old, 0);
            }
            return;
        }
        if !wanted.recreate {
            self.scale_in_proportion(wanted, sets);
        }
    }

    fn scale_in_proportion(&mut self, wanted: &Wanted, sets: &Sets) {
        let mut active: Vec<&Set> = sets.all().filter(|set| set.replicas > 0).collect();
        let allowed = if wanted.replicas > 0 {
            wanted.replicas + wanted.surge
        } else {
            0
        };
        let total: i64 = active.iter().map(|set| set.replicas).sum();
        let to_add = allowed - total;
        // Largest first; of equals the newer grows first and the older shrinks first.
        active.sort_by(|a, b| {
            let age = if to_add > 0 { b.by_age(a) } else { a.by_age(b) };
            b.replicas.cmp(&a.replicas).then(age)
        });
        let mut added = 0;
        let mut sizes: Vec<i64> = Vec::new();
        for set in &active {
            let share = proportion(wanted, set, to_add, added);
            added += share;
            sizes.push(set.replicas + share);
        }
        // What rounding left over goes to the largest.
        if let Some(first) = sizes.first_mut() {
            *first = (*first + to_add - added).max(0);
        }
        for (set, size) in active.into_iter().zip(sizes) {
            self.scale_set(wanted, set, size);
        }
    }
}

/// The only ReplicaSet with pods; if none has any, the newest.
fn active_or_latest(sets: &Sets) -> Option<&Set> {
    let active: Vec<&Set> = sets.all().filter(|set| set.replicas > 0).collect();
    match active.as_slice() {
        [] => sets.new.as_ref().or_else(|| sets.old.last()),
        [only] => Some(only),
        [_, _, ..] => None,
    }
}

/// Whether the new ReplicaSet has all the pods that the Deployment wants.
fn is_saturated(wanted: &Wanted, new: &Set) -> bool {
    new.annotation(DESIRED) == Some(wanted.replicas)
        && new.replicas == wanted.replicas
        && new.available == wanted.replicas
}

fn proportion(wanted: &Wanted, set: &Set, to_add: i64, added: i64) -> i64 {
    if set.replicas == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let share = fraction(wanted, set);
    let left = to_add - added;
    if to_add > 0 {
        share.min(left)
    } else {
        share.max(left)
    }
}

/// How far the set is from its share of the new maximum.
fn fraction(wanted: &Wanted, set: &Set) -> i64 {
    if wanted.replicas == 0 {
        return -set.replicas;
    }
    let maximum = wanted.replicas + wanted.surge;
    let annotated = set
        .annotation(MAXIMUM)
        .filter(|found| *found > 0)
        .unwrap_or(maximum);
    // Rounded half away from zero, as the real controller does.
    let size = (set.replicas * maximum * 2 + annotated) / (annotated * 2);
    size - set.replicas
}
