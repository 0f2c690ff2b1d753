//! Random histories of policies, facts, votes and clocks: the product and the reference agree about every
//! decision, and nothing is written to a target unless the reference says that the gate is open for
//! exactly that digest (reliability.md P7, P8). A million of them: `make soak`.

use std::io::Write as _;

use sluice_reference::run::run;

/// `SLUICE_HISTORIES` asks for more or fewer.
fn histories() -> u64 {
    let asked = std::env::var("SLUICE_HISTORIES").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

#[test]
fn the_product_and_the_reference_agree() {
    let tally = run(0..histories(), None, |_| {});
    // Past the harness's capture: the counts are shown also when all is well.
    let _ = writeln!(std::io::stderr(), "Histories: {tally}");
    assert!(tally.disagreements.is_empty(), "{:#?}", tally.disagreements);
    // A run in which a rule never fires proves nothing about it.
    let enough = tally.histories >= 20_000;
    assert!(!enough || tally.never().is_empty(), "{:?}", tally.never());
}

/// Histories that once told the two apart.
const ONCE: [u64; 4] = [22_103, 68_262, 98_349, 139_772];

#[test]
fn what_once_was_told_apart_is_not_any_more() {
    for seed in ONCE {
        let tally = run(seed..seed + 1, None, |_| {});
        assert!(tally.disagreements.is_empty(), "{:#?}", tally.disagreements);
    }
}
