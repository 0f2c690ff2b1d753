//! How many Rollouts may be under way at the same time, and whose turn is next (requirement G13).
//!
//! Whoever has every other gate open takes a place in a line, and journals it. The line is in the order
//! of those instants, whatever pipeline somebody is of. So nobody is passed by, and who still waits
//! for votes holds nobody up. Ways back and emergencies do not stand in line, and count as under way.

use super::Turn;
use crate::rollout::{Other, Why};

/// Names that are told of those that go first.
const SHOWN: usize = 5;

impl Turn<'_> {
    /// Why it has to wait for others, wherever they are, or `None`.
    pub(super) fn no_slot(&mut self) -> Option<Why> {
        let spec = &self.rollout.spec;
        if spec.returns_to.is_some() || spec.emergency.is_some_and(|e| e.break_glass) {
            return None;
        }
        let here = self.environment_policy().ok()?.limits.concurrent_rollouts;
        let everywhere = self.policy.limits.concurrent_rollouts;
        if here.is_none() && everywhere.is_none() {
            return None;
        }
        let Some(since) = self.journal.slot_wanted_at else {
            // The place in the line is stored before anybody may rely on it.
            self.journal.slot_wanted_at = Some(self.now);
            let now = self.now;
            self.wake(now);
            return Some(Why::WaitsForSlot {
                limit: here.or(everywhere).unwrap_or_default(),
                scope: spec.environment.clone(),
                running: Vec::new(),
            });
        };
        let mine = (since, self.rollout.name.as_str());
        let before = |other: &&Other| {
            other.begun
                || other
                    .slot_wanted_at
                    .is_some_and(|at| (at, other.name.as_str()) < mine)
        };
        let same = |other: &&Other| other.environment == spec.environment;
        let first: Vec<&Other> = self.seen.others.iter().filter(before).collect();
        let near: Vec<&Other> = first.iter().copied().filter(same).collect();
        let full = |limit: Option<u32>, taken: usize| {
            limit.filter(|limit| usize::try_from(*limit).is_ok_and(|limit| taken >= limit))
        };
        let names = |list: &[&Other]| list.iter().take(SHOWN).map(|o| o.name.clone()).collect();
        if let Some(limit) = full(here, near.len()) {
            return Some(Why::WaitsForSlot {
                limit,
                scope: spec.environment.clone(),
                running: names(&near),
            });
        }
        full(everywhere, first.len()).map(|limit| Why::WaitsForSlot {
            limit,
            scope: "all environments".into(),
            running: names(&first),
        })
    }
}
