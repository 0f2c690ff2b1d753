//! A story again and again, with one fault at one write each time.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Instant;

use sluice_sim::Fault;

use crate::on_virtual_time;
use crate::story::{Run, Story, run};

const SEED: u64 = 1;

/// Every write and every fault there.
///
/// # Panics
/// If any run does not end as the undisturbed one.
pub fn every_single_fault(story: Story) {
    each_fault(story, |_| Fault::ALL.to_vec());
}

/// Every write has its turn, and the faults take turns.
///
/// # Panics
/// If any run does not end as the undisturbed one.
pub fn a_fault_at_every_write(story: Story) {
    each_fault(story, |write| vec![in_turn(write)]);
}

/// One of so many writes has its turn, from the first one on that production's Rollout needs: what comes
/// before it is the same in every story.
///
/// # Panics
/// If any run does not end as the undisturbed one.
pub fn a_fault_in_production(story: Story, one_of: u64) {
    let calm = on_virtual_time(run(story, SEED, &[])).expect("the story goes well undisturbed");
    let first = calm.listing.iter().position(|w| w.contains("-production-"));
    let first = first
        .and_then(|at| u64::try_from(at).ok())
        .unwrap_or_default();
    each_fault(story, |write| {
        let turn = write > first && write.is_multiple_of(one_of);
        turn.then(|| in_turn(write / one_of)).into_iter().collect()
    });
}

fn in_turn(n: u64) -> Fault {
    let turn = usize::try_from(n).unwrap_or_default() % Fault::ALL.len();
    Fault::ALL[turn]
}

/// Plays the story once for every write and each of these faults there; prints the number of runs and
/// every failure.
fn each_fault(story: Story, at: impl Fn(u64) -> Vec<Fault>) {
    let started = Instant::now();
    let calm = on_virtual_time(run(story, SEED, &[])).expect("the story goes well undisturbed");
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
         messages: {repeats:?}; {:.0} s",
        calm.writes,
        failures.len(),
        started.elapsed().as_secs_f64()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Whether a disturbed run came to what the undisturbed one did.
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
