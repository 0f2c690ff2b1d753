//! Danger: the agent dies before, during or after any write. The next one must end the story as if
//! nothing had happened, leave nothing behind and then be quiet (reliability.md, P1).
//!
//! Every single fault at every single write of the stories. Ordered pairs: `make soak`.

use sluice_scenarios::{Story, a_fault_at_every_write, every_single_fault};

#[test]
fn any_single_fault_in_the_good_story_changes_nothing() {
    every_single_fault(Story::Good);
}

/// The wishes, their answers and the places in line are as little in memory as all the rest. Every
/// write has its turn, and the faults take turns: the other stories try each at each.
#[test]
fn a_fault_at_any_write_of_a_story_that_is_stopped_and_started_changes_nothing() {
    a_fault_at_every_write(Story::Stopped);
}

#[test]
fn any_single_fault_in_the_bad_story_changes_nothing() {
    every_single_fault(Story::Bad);
}
