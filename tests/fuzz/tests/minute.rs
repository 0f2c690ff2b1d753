//! One seeded minute over all targets. `make soak` does the same for ten minutes each.

use std::path::Path;
use std::time::Duration;

use sluice_fuzz::{Corpus, all, fuzz};

const MINUTE: Duration = Duration::from_secs(60);
const SEED: u64 = 6;
/// Fewer inputs in the time of one target are no fuzzing.
const FEWEST: u64 = 20;

#[test]
fn a_seeded_minute_finds_nothing() {
    let targets = all(Path::new(env!("CARGO_BIN_EXE_plugin-fuzz")));
    let each = MINUTE / u32::try_from(targets.len()).unwrap_or(1);
    let mut failures = Vec::new();
    for target in &targets {
        let fuzzed = fuzz(target, SEED, each, &Corpus::own());
        if let Some(why) = fuzzed.failure {
            failures.push(format!("{}: {why}", target.name));
        } else if fuzzed.runs < FEWEST {
            failures.push(format!("{}: {} inputs only", target.name, fuzzed.runs));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
