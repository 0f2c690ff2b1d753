//! One target for a while.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::corpus::Corpus;
use crate::mutate::mutate;
use crate::reader::Target;
use crate::rng::Rng;

/// Inputs that mutation goes on from, beside the seeds.
const POOL: usize = 256;

/// What came of it.
#[derive(Debug)]
pub struct Fuzzed {
    /// Inputs that were tried.
    pub runs: u64,
    /// The longest that one took.
    pub slowest: Duration,
    /// The first that failed: why, and where it is kept.
    pub failure: Option<String>,
}

/// Replays what failed once, then mutates the seeds until `limit` is over or something fails. The same
/// seed makes the same inputs.
pub fn fuzz(target: &Target, seed: u64, limit: Duration, corpus: &Corpus) -> Fuzzed {
    let end = Instant::now() + limit;
    let mut fuzzed = Fuzzed {
        runs: 0,
        slowest: Duration::ZERO,
        failure: None,
    };
    for (path, input) in corpus.kept(target.name) {
        if let Err(why) = fuzzed.tries(target, &input) {
            fuzzed.failure = Some(format!("{}: {why}", path.display()));
            return fuzzed;
        }
    }
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    for seed in &seeds {
        if let Err(why) = fuzzed.tries(target, seed) {
            fuzzed.failure = Some(format!("a valid seed: {why}"));
            return fuzzed;
        }
    }
    let mut rng = Rng::new(seed);
    let mut pool = seeds.clone();
    while Instant::now() < end {
        let mut input = rng.pick(&pool).clone();
        mutate(&mut rng, &mut input, target.words, &pool);
        if let Err(why) = fuzzed.tries(target, &input) {
            let path = corpus.keep(target.name, &input);
            fuzzed.failure = Some(format!("{why}; kept as {}", path.display()));
            return fuzzed;
        }
        // Some mutants stay, so that changes add up; the seeds never leave.
        if rng.below(8) == 0 {
            match pool.len() < seeds.len() + POOL {
                true => pool.push(input),
                false => {
                    let at = seeds.len() + rng.below(POOL);
                    pool[at] = input;
                }
            }
        }
    }
    fuzzed
}

impl Fuzzed {
    fn tries(&mut self, target: &Target, input: &[u8]) -> Result<(), String> {
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.check)(input)));
        let took = begun.elapsed();
        self.runs += 1;
        self.slowest = self.slowest.max(took);
        match outcome {
            Err(panic) => {
                let words = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|&words| words.to_owned()))
                    .unwrap_or_default();
                Err(format!("panicked: {words}"))
            }
            Ok(Err(why)) => Err(why),
            Ok(Ok(())) if took > target.limit => Err(format!("took {took:?}")),
            Ok(Ok(())) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty() -> Target {
        Target {
            name: "faulty",
            words: &["boom"],
            limit: Duration::from_secs(10),
            seeds: || vec![b"a fine text".to_vec()],
            check: Box::new(|input| match input.windows(4).any(|part| part == b"boom") {
                true => panic!("it hit the word"),
                false => Ok(()),
            }),
        }
    }

    #[test]
    fn what_fails_is_found_kept_and_replayed_first() {
        let folder = tempfile::tempdir().unwrap();
        let corpus = Corpus::at(folder.path());
        let found = fuzz(&faulty(), 1, Duration::from_secs(20), &corpus);
        assert!(found.failure.unwrap().contains("it hit the word"));
        assert_eq!(corpus.kept("faulty").len(), 1);
        let again = fuzz(&faulty(), 2, Duration::ZERO, &corpus);
        assert_eq!(again.runs, 1);
        assert!(again.failure.is_some());
    }

    #[test]
    fn what_takes_too_long_fails() {
        let folder = tempfile::tempdir().unwrap();
        let slow = Target {
            limit: Duration::from_millis(1),
            check: Box::new(|_| {
                std::thread::sleep(Duration::from_millis(5));
                Ok(())
            }),
            ..faulty()
        };
        let found = fuzz(&slow, 1, Duration::ZERO, &Corpus::at(folder.path()));
        assert!(found.failure.unwrap().contains("took"));
    }
}
