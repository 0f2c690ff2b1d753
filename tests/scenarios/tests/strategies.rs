//! The stories of the strategies without a fault, and what is measured in them.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::indexing_slicing, reason = "what is not there fails the test")]

use std::io::Write as _;
use std::time::Duration;

use sluice_scenarios::{Run, Story, digest, on_virtual_time, run};

const SEED: u64 = 1;

fn played(story: Story) -> Run {
    let run = on_virtual_time(run(story, SEED, &[])).unwrap();
    let _ = writeln!(
        std::io::stderr(),
        "{story:?} story: {} writes, over {} s after the push",
        run.writes,
        run.took.as_secs()
    );
    run
}

fn succeeds(story: Story) {
    let state = played(story).ending.state;
    assert_eq!(state.rollouts["production v1.1.0"], "Succeeded");
    assert_eq!(state.stable["production"], digest('b'));
    assert!(state.deployments["shop/storefront"].contains(&digest('b')));
    assert!(state.deployments["shop/storefront"].ends_with("x10 ready 10"));
    assert_eq!(state.deployments.len(), 2, "{:?}", state.deployments);
}

/// Returns how long it took until traffic was led back.
fn goes_back(story: Story, tag: &str, letter: char) -> Option<Duration> {
    let run = played(story);
    let state = run.ending.state;
    assert_eq!(state.rollouts[&format!("production {tag}")], "RolledBack");
    assert_eq!(state.stable["production"], digest('a'));
    assert_eq!(state.quarantined["production"], [digest(letter)]);
    assert!(state.deployments["shop/storefront"].contains("storefront:v1.0.0"));
    assert!(state.deployments["shop/storefront"].ends_with("x10 ready 10"));
    assert_eq!(state.deployments.len(), 2, "{:?}", state.deployments);
    let _ = writeln!(
        std::io::stderr(),
        "{story:?} story: traffic led back after {:?}",
        run.back
    );
    run.back
}

#[test]
fn blue_green_switches_at_once_keeps_the_old_colour_and_settles() {
    succeeds(Story::BlueGreen);
}

#[test]
fn a_person_gets_the_kept_colour_back() {
    let back = goes_back(Story::BlueGreenBack, "v1.1.0", 'b').unwrap();
    assert!(back <= Duration::from_secs(2), "{back:?} after the wish");
}

#[test]
fn a_bad_preview_meets_no_visitor() {
    let back = goes_back(Story::BlueGreenBad, "v1.2.0", 'c');
    assert_eq!(back, None, "nobody had been led there");
}

#[test]
fn a_route_is_shared_and_given_back_byte_for_byte() {
    succeeds(Story::Route);
}

#[test]
fn a_bad_release_is_caught_behind_ten_percent_of_a_route() {
    let back = goes_back(Story::RouteBad, "v1.2.0", 'c').unwrap();
    assert!(back <= Duration::from_secs(1), "{back:?} after the answer");
}

#[test]
fn an_ingress_is_shared_by_a_second_one() {
    succeeds(Story::Ingress);
}

#[test]
fn without_room_for_more_pods_there_are_never_more() {
    succeeds(Story::NoSurge);
}
