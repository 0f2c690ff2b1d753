//! Many histories on every core.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::play::{Beginning, play};
use crate::tally::Tally;

/// Disagreements after which the rest is not played: the first says what is wrong.
const ENOUGH: usize = 20;

/// Histories that one core takes at a time.
pub const BLOCK: u64 = 100;

fn one(seed: u64, beginning: &mut Option<Beginning>, tally: &mut Tally) -> Result<(), String> {
    let of = Beginning::of(seed, beginning.take())?;
    let played = catch_unwind(AssertUnwindSafe(|| play(seed, &of, tally)));
    *beginning = Some(of);
    played.unwrap_or_else(|_| Err("it panics".into()))
}

/// Plays the histories of these seeds, until the deadline if there is one. `seen` is called after each
/// block with the seeds that were begun.
pub fn run(seeds: Range<u64>, deadline: Option<Instant>, seen: impl Fn(u64) + Sync) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let all = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut tally = Tally::default();
                let mut beginning = None;
                while tally.disagreements.len() < ENOUGH
                    && deadline.is_none_or(|d| Instant::now() < d)
                {
                    let block = next.fetch_add(BLOCK, Ordering::Relaxed);
                    for seed in (block..block + BLOCK).filter(|seed| seeds.contains(seed)) {
                        if let Err(why) = one(seed, &mut beginning, &mut tally) {
                            tally.disagreements.push(format!("seed {seed}: {why}"));
                        }
                    }
                    if block >= seeds.end {
                        break;
                    }
                    seen(block + BLOCK);
                }
                all.lock().unwrap().add(tally);
            });
        }
    });
    all.into_inner().unwrap()
}
