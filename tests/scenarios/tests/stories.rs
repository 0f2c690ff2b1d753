//! The two stories of the demo, without a fault, under a virtual clock.

use sluice_scenarios::{Story, digest, on_virtual_time, run};

#[test]
fn a_good_release_goes_to_production_through_the_gate() {
    let run = on_virtual_time(run(Story::Good, 1, &[])).unwrap();
    for w in &run.listing {
        println!("{w}");
    }
    let state = run.ending.state;
    assert_eq!(state.rollouts["staging v1.1.0"], "Succeeded");
    assert_eq!(state.rollouts["production v1.1.0"], "Succeeded");
    assert_eq!(state.stable["production"], digest('b'));
    assert_eq!(
        state.deployments.len(),
        2,
        "no canary is left: {:?}",
        state.deployments
    );
    assert!(state.deployments["shop/storefront"].contains(&digest('b')));
    assert!(state.deployments["shop/storefront"].ends_with("x10 ready 10"));
    assert_eq!(run.repeats, 0);
}

#[test]
fn a_bad_release_is_caught_at_ten_percent_and_quarantined() {
    let run = on_virtual_time(run(Story::Bad, 1, &[])).unwrap();
    let state = run.ending.state;
    assert_eq!(state.rollouts["staging v1.2.0"], "Succeeded");
    assert_eq!(state.rollouts["production v1.2.0"], "RolledBack");
    assert_eq!(state.stable["production"], digest('a'));
    assert_eq!(state.quarantined["production"], [digest('c')]);
    assert_eq!(
        state.deployments.len(),
        2,
        "no canary is left: {:?}",
        state.deployments
    );
    assert!(state.deployments["shop/storefront"].contains("storefront:v1.0.0"));
    assert!(state.deployments["shop/storefront"].ends_with("x10 ready 10"));
}

#[test]
fn a_release_that_never_becomes_ready_is_rolled_back_in_staging() {
    let run = on_virtual_time(run(Story::NeverReady, 1, &[])).unwrap();
    let state = run.ending.state;
    assert_eq!(state.rollouts["staging v1.3.0"], "RolledBack");
    assert_eq!(state.quarantined["staging"], [digest('d')]);
    assert!(!state.rollouts.contains_key("production v1.3.0"));
}
