//! A clock that goes back never shortens a wait (reliability.md T1, P11): the gate of a release with a
//! minimum age, votes, a timer and windows, under clocks that are put back and forward by up to two hours.

use std::io::Write as _;

use sluice_reference::play::walk;

const WALKS: u64 = 300;

#[test]
fn a_clock_that_goes_back_never_shortens_a_wait() {
    let (mut steps, mut early, mut longest) = (0, Vec::new(), 0);
    for seed in 0..WALKS {
        for forward in [false, true] {
            match walk(seed, forward) {
                Ok(walk) => {
                    // Whatever the clock did: by its own reading the instant had come. One that was only
                    // ever put back opens no gate before its true time.
                    let (truth, shown) = walk.opened;
                    if shown < walk.due || (!forward && truth < walk.due) {
                        early.push(format!("seed {seed}, forward {forward}: {walk:?}"));
                    }
                    steps += walk.steps;
                    longest = longest.max(truth - walk.due);
                }
                Err(why) => early.push(format!("seed {seed}, forward {forward}: {why}")),
            }
        }
    }
    // Past the harness's capture: the counts are shown also when all is well.
    let _ = writeln!(
        std::io::stderr(),
        "Waits: {} gates under {steps} steps of the clock, {} opened early; the longest waited {longest} s more",
        2 * WALKS,
        early.len()
    );
    assert!(early.is_empty(), "{early:#?}");
    // A clock that is put back makes people wait longer: else nothing was tried.
    assert!(longest > 3600);
}
