//! Danger: the agent dies before, during or after any write. The next one must end the story as if
//! nothing had happened, leave nothing behind and then be quiet (reliability.md, P1).
//!
//! Every single fault at every single write of the stories. Ordered pairs: `make soak`.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::io::Write as _;

use sluice_scenarios::{Run, Story, on_virtual_time, run};
use sluice_sim::Fault;

const SEED: u64 = 1;

/// Plays the story once for every write and fault.
fn every_single_fault(story: Story) {
    faults(story, |_| Fault::ALL.to_vec());
}

/// Plays the story once for every write and each of these faults there; prints the number of runs and
/// every failure.
fn faults(story: Story, at: impl Fn(u64) -> Vec<Fault>) {
    let calm = on_virtual_time(run(story, SEED, &[])).unwrap();
    let mut failures = Vec::new();
    let mut runs = 0;
    let mut repeats = BTreeMap::new();
    for write in 1..=calm.writes {
        for fault in at(write) {
            runs += 1;
            match on_virtual_time(run(story, SEED, &[(write, fault)])) {
                Ok(found) => {
                    *repeats.entry(found.repeats).or_insert(0) += 1;
                    if let Err(why) = same_end(&calm, &found) {
                        failures.push(format!("{fault:?} at write {write}: {why}"));
                    }
                }
                Err(why) => failures.push(format!("{fault:?} at write {write}: {why}")),
            }
        }
    }
    // Past the harness's capture: the number of runs is shown also when all is well.
    let _ = writeln!(
        std::io::stderr(),
        "{story:?} story: {} writes, {runs} runs with one fault each, {} failures; runs by repeated \
         messages: {repeats:?}",
        calm.writes,
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn same_end(calm: &Run, found: &Run) -> Result<(), String> {
    if calm.ending != found.ending {
        return Err(format!(
            "ends otherwise: {:#?} and not {:#?}",
            found.ending, calm.ending
        ));
    }
    // At least once each, and at most one repetition for the one crash (D8, P13).
    if found.told < calm.told {
        return Err(format!("{} messages instead of {}", found.told, calm.told));
    }
    if found.repeats > 2 {
        return Err(format!("{} repeated messages or records", found.repeats));
    }
    Ok(())
}

#[test]
fn any_single_fault_in_the_good_story_changes_nothing() {
    every_single_fault(Story::Good);
}

/// The wishes, their answers and the places in line are as little in memory as all the rest. Every
/// write has its turn, and the faults take turns: the other stories try each at each.
#[test]
fn a_fault_at_any_write_of_a_story_that_is_stopped_and_started_changes_nothing() {
    faults(Story::Stopped, |write| {
        let turn = usize::try_from(write).unwrap() % Fault::ALL.len();
        Fault::ALL.get(turn).copied().into_iter().collect()
    });
}

#[test]
fn any_single_fault_in_the_bad_story_changes_nothing() {
    every_single_fault(Story::Bad);
}
