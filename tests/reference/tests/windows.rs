//! Windows and freezes, minute by minute around every change of the clock in eleven zones from 2024 to
//! 2030, and around sampled instants of zones that change none (reliability.md P11). Every zone that
//! there is: `make soak`.

use std::io::Write as _;

use sluice_reference::around::{Seen, around};
use sluice_reference::civil::{Zone, wall};

/// By an hour, by half an hour, by two, with three quarters of one as standing offset, at midnight, for
/// Ramadan until 2026.
const CHANGING: [&str; 11] = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/London",
    "Pacific/Chatham",
];
const STEADY: [&str; 5] = [
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Pacific/Apia",
    "UTC",
];

fn report(what: &str, seen: &Seen) {
    // Past the harness's capture: the counts are shown also when all is well.
    let _ = writeln!(std::io::stderr(), "Windows, {what}: {seen}");
    let first: Vec<_> = seen.differences.iter().take(20).collect();
    assert!(first.is_empty(), "{first:#?}");
}

#[test]
fn every_change_of_the_clock_in_eleven_zones() {
    let mut seen = Seen::default();
    let (from, to) = (wall("2024-01-01T00:00"), wall("2031-01-01T00:00"));
    for name in CHANGING {
        let zone = Zone::of(name).unwrap();
        let changes = zone.changes(from, to);
        let least = if name == "Africa/Casablanca" { 7 } else { 14 };
        assert!(changes.len() >= least, "{name}: {} changes", changes.len());
        for at in changes {
            around(name, &zone, at, &mut seen);
        }
    }
    report("11 zones at every change of the clock 2024-2030", &seen);
}

#[test]
fn sampled_days_of_zones_that_do_not_change() {
    let mut seen = Seen::default();
    let (from, to) = (wall("2024-01-01T00:00"), wall("2031-01-01T00:00"));
    for name in STEADY {
        let zone = Zone::of(name).unwrap();
        assert!(zone.changes(from, to).is_empty(), "{name}");
        // A prime number of half hours apart: every weekday and time of day comes.
        for n in 0..24 {
            around(name, &zone, from + n * 5_003 * 1800, &mut seen);
        }
    }
    report("5 zones without one, sampled", &seen);
}
