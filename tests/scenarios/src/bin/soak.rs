//! `make soak`: every single fault at every write of the stories of the strategies, and every ordered
//! pair of crashes in the first two stories and where traffic is led by a selector or a route
//! (reliability.md, P1). Prints the number of runs and every failure; exits 1 if there is any.
//! `SOAK_SECONDS` ends it early and says so.

#![expect(
    clippy::print_stdout,
    clippy::panic,
    reason = "a test program: it fails by panicking and reports by printing"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sluice_scenarios::{Run, Story, on_virtual_time, run};
use sluice_sim::Fault;

const SEED: u64 = 1;
const CRASHES: [Fault; 2] = [Fault::CrashBefore, Fault::CrashAfter];
/// Their faults take turns in `make test`.
const SINGLES: [Story; 8] = [
    Story::BlueGreen,
    Story::BlueGreenBack,
    Story::BlueGreenBad,
    Story::Route,
    Story::RouteBad,
    Story::Ingress,
    Story::NoSurge,
    Story::Watched,
];
const PAIRS: [Story; 4] = [Story::Good, Story::Bad, Story::BlueGreen, Story::Route];

fn main() -> ExitCode {
    let limit = std::env::var("SOAK_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok());
    let deadline = limit.map(|s| Instant::now() + Duration::from_secs(s));
    let mut failed = 0;
    for story in SINGLES {
        let each = |writes| (1..=writes).flat_map(|w| Fault::ALL.map(|fault| vec![(w, fault)]));
        failed += all(story, "single faults", deadline, |writes| {
            each(writes).collect()
        });
    }
    for story in PAIRS {
        failed += all(story, "ordered pairs of crashes", deadline, pairs);
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Every ordered pair of crashes among so many writes.
fn pairs(writes: u64) -> Vec<Vec<(u64, Fault)>> {
    let mut plan = Vec::new();
    for first in 1..=writes {
        // The second crash can strike a write that only the first one made necessary.
        for second in first + 1..=writes + 1 {
            for a in CRASHES {
                for b in CRASHES {
                    plan.push(vec![(first, a), (second, b)]);
                }
            }
        }
    }
    plan
}

/// Plays the story with each of these faults, on all cores. Returns the number of failures.
fn all(
    story: Story,
    what: &str,
    deadline: Option<Instant>,
    plan: impl Fn(u64) -> Vec<Vec<(u64, Fault)>>,
) -> usize {
    let calm = match on_virtual_time(run(story, SEED, &[])) {
        Ok(calm) => calm,
        Err(why) => panic!("{story:?} does not even go well undisturbed: {why}"),
    };
    let plan = plan(calm.writes);
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while deadline.is_none_or(|d| Instant::now() < d) {
                    let Some(faults) = plan.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        return;
                    };
                    if let Err(why) = ended(&calm, on_virtual_time(run(story, SEED, faults))) {
                        println!("{story:?} {faults:?}: {why}");
                        if let Ok(mut list) = failures.lock() {
                            list.push(why);
                        }
                    }
                    let n = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if n.is_multiple_of(500) {
                        println!("{story:?}: {n} of {} runs", plan.len());
                    }
                }
            });
        }
    });
    let failed = failures.into_inner().map_or(1, |list| list.len());
    println!(
        "{story:?} story: {} of {} {what}, {failed} failures",
        done.into_inner(),
        plan.len()
    );
    failed
}

/// Whether it came to the same. How often people are told of two crashes is another matter.
fn ended(calm: &Run, found: Result<Run, String>) -> Result<(), String> {
    let found = found?;
    if calm.ending != found.ending {
        return Err(format!("ends otherwise: {:?}", found.ending));
    }
    Ok(())
}
