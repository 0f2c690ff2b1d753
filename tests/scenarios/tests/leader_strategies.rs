//! Danger: the leader is stopped with a write on its way that leads traffic elsewhere. The next leader
//! goes on, and then the old write arrives: it must be refused, whatever the next one has made of the
//! story (reliability.md P4, O1).

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::Write as _;
use std::time::{Duration, Instant};

use sluice_scenarios::{Story, Strike, Wake, on_virtual_time, takeover};
use sluice_sim::{Resource, WriteRecord};

const SEED: u64 = 1;
const WAKES: [Wake; 3] = [
    Wake::AtTheEnd,
    Wake::After(Duration::from_secs(20)),
    Wake::WhileClosed,
];

/// Whether a write leads traffic elsewhere.
fn leads(w: &WriteRecord) -> bool {
    let kind = matches!(
        w.resource,
        Resource::Services | Resource::HttpRoutes | Resource::Ingresses
    );
    kind && w.verb == "patch" && w.namespace == "shop"
}

/// Stops the leader at each write that leads traffic, and wakes it up at each of these moments.
fn late(story: Story, wakes: &[Wake]) {
    let started = Instant::now();
    let calm = on_virtual_time(takeover(story, SEED, None)).unwrap();
    let switches: Vec<u64> = calm
        .listing
        .iter()
        .filter(|(_, w)| leads(w))
        .filter_map(|(_, w)| w.number)
        .collect();
    assert!(!switches.is_empty(), "{story:?} leads no traffic");
    let (mut runs, mut refused, mut codes) = (0, 0, Vec::new());
    let mut failures = Vec::new();
    for write in &switches {
        for wake in wakes {
            runs += 1;
            let at = format!("{wake:?}, write {write}");
            match on_virtual_time(takeover(story, SEED, Some(Strike::Pause(*write, *wake)))) {
                Ok(found) => {
                    refused += found.refused;
                    let late = found.listing.iter().map(|(_, w)| w);
                    codes.extend(late.filter(|w| leads(w) && !w.accepted()).map(|w| w.code));
                    let accepted = found.late.iter();
                    failures.extend(accepted.map(|l| format!("{at}: accepted: {l}")));
                    if found.refused == 0 {
                        failures.push(format!("{at}: nothing was refused"));
                    }
                    if found.state != calm.state {
                        failures.push(format!("{at}: ends otherwise: {:#?}", found.state));
                    }
                }
                Err(why) => failures.push(format!("{at}: {why}")),
            }
        }
    }
    codes.sort_unstable();
    codes.dedup();
    let _ = writeln!(
        std::io::stderr(),
        "{story:?} story, leader stopped at a write that leads traffic: {} such writes, {runs} runs, \
         {} failures; {refused} late writes refused, with {codes:?}; {:.0} s",
        switches.len(),
        failures.len(),
        started.elapsed().as_secs_f64()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_switch_that_comes_late_is_refused() {
    late(Story::BlueGreen, &WAKES);
}

#[test]
fn a_weight_of_a_route_that_comes_late_is_refused() {
    late(Story::Route, &WAKES);
    late(Story::RouteBad, &WAKES[..1]);
}

#[test]
fn a_weight_of_an_ingress_that_comes_late_is_refused() {
    late(Story::Ingress, &WAKES[..1]);
}
