//! `make soak` runs this: ten minutes a target, or `SOAK_SECONDS`. `--seed N` for other inputs than
//! those of now, `--only NAME` for one target. Prints runs a target and every failure; exits 1 if
//! there is any.

#![expect(clippy::print_stdout, reason = "a test program reports by printing")]

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluice_fuzz::{Corpus, all, fuzz};

const TEN_MINUTES: u64 = 600;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(sluice_plugins::COMPILE_ARGUMENT) {
        return sluice_plugins::compile_child();
    }
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let seconds = std::env::var("SOAK_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(TEN_MINUTES);
    let seed = value("--seed")
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(1, |since| since.as_secs())
        });
    let Ok(myself) = std::env::current_exe() else {
        println!("plugin-fuzz does not find itself");
        return ExitCode::FAILURE;
    };
    let mut failed = false;
    for target in all(&myself) {
        if value("--only").is_some_and(|only| only != target.name) {
            continue;
        }
        let fuzzed = fuzz(&target, seed, Duration::from_secs(seconds), &Corpus::own());
        println!(
            "fuzz {:<12} seed {seed}: {} inputs, the slowest {} ms",
            target.name,
            fuzzed.runs,
            fuzzed.slowest.as_millis()
        );
        if let Some(why) = fuzzed.failure {
            println!("FAILED {}: {why}", target.name);
            failed = true;
        }
    }
    match failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}
