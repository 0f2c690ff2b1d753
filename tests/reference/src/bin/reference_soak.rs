//! The long part of `make soak`: a million histories, every time zone at every change of its clock, and the
//! whole matrix of votes. Prints the counts; exits 1 where the product and the reference disagree.
//! `SOAK_SECONDS` ends the histories early and says so, `SLUICE_HISTORIES` asks for another number.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test program: it fails by panicking and reports by printing"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use sluice_reference::around::{Seen, around};
use sluice_reference::civil::{Zone, wall};
use sluice_reference::matrix::{four_and_five, one_and_two, three};
use sluice_reference::run::run;

const HISTORIES: u64 = 1_000_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn main() -> ExitCode {
    let mut good = windows();
    for (what, counts) in [
        ("1 and 2 people through any doors", one_and_two()),
        ("3 people in every order", three()),
        ("4 and 5 people through every door", four_and_five(true)),
    ] {
        println!("Matrix, {what}: {counts}");
        good &= counts.wrong() == 0;
    }
    good &= histories();
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Every zone of the database.
fn windows() -> bool {
    let mut seen = Seen::default();
    let (from, to) = (wall("2024-01-01T00:00"), wall("2031-01-01T00:00"));
    let mut zones = 0;
    for name in jiff::tz::TimeZoneDatabase::bundled().available() {
        let zone = Zone::of(name.as_str()).unwrap();
        zones += 1;
        for at in zone.changes(from, to) {
            around(name.as_str(), &zone, at, &mut seen);
        }
    }
    println!("Windows, {zones} zones at every change of the clock 2024-2030: {seen}");
    for difference in seen.differences.iter().take(20) {
        println!("  {difference}");
    }
    seen.differences.is_empty()
}

fn histories() -> bool {
    let asked = number("SLUICE_HISTORIES").unwrap_or(HISTORIES);
    let deadline = number("SOAK_SECONDS").map(|s| Instant::now() + Duration::from_secs(s));
    let tally = run(0..asked, deadline, |done| {
        if done.is_multiple_of(50_000) {
            println!("{done} of {asked} histories");
        }
    });
    if (tally.histories as u64) < asked {
        println!(
            "ended early, after {} of {asked} histories",
            tally.histories
        );
    }
    println!("Histories: {tally}");
    for disagreement in &tally.disagreements {
        println!("  {disagreement}");
    }
    let never = tally.never();
    if !never.is_empty() {
        println!("never seen: {never:?}");
    }
    tally.disagreements.is_empty() && never.is_empty()
}
