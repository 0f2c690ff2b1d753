//! A target that is deleted, or deleted and made anew.

use expect_test::expect;

use crate::rollout::fixture::*;
use crate::rollout::{Seen, State};

fn every_stage() -> Vec<Case> {
    vec![
        mk_queued(),
        mk_planning(),
        mk_approved(),
        mk_shifting(0),
        mk_checking(0),
        mk_holding(1),
        mk_judging(1),
        mk_shifting(2),
        mk_going_back(1),
    ]
}

#[test]
fn ends_as_failed_and_changes_nothing() {
    for mut c in every_stage() {
        let phase = c.journal.phase.clone();
        c.seen.target = Seen::Absent;
        let d = c.decide();
        assert!(
            c.show(&d).starts_with("Recording Failed"),
            "{phase}: {}",
            c.show(&d)
        );
        assert!(
            !d.effects.iter().any(crate::invariants::changes_target),
            "{phase}"
        );
        let mut anew = c.clone();
        anew.seen.target = Seen::Present(mk_workload("storefront", "target-2", 'a', 10));
        let d = anew.decide();
        assert!(
            c.show(&d).starts_with("Recording Failed"),
            "{phase}: {}",
            c.show(&d)
        );
        assert!(
            !d.effects.iter().any(crate::invariants::changes_target),
            "{phase}"
        );
    }
    let mut c = mk_holding(0);
    c.seen.target = Seen::Absent;
    check(
        &c,
        expect![[r#"
        Recording Failed: writes the outcome to the pipeline
          because Deployment shop/storefront was deleted; nothing is left to do
          record storefront-production-abcdefgh23 Failed
    "#]],
    );
    check(
        &c.then(40),
        expect![[r#"
        Recording Failed: writes the outcome to the pipeline
          because Deployment shop/storefront was deleted; nothing is left to do
          record storefront-production-abcdefgh23 Failed
    "#]],
    );
}

#[test]
fn what_was_seen_to_be_bad_stays_quarantined() {
    let mut c = mk_going_back(1);
    c.seen.target = Seen::Absent;
    check(
        &c,
        expect![[r#"
        Recording Failed: writes the outcome to the pipeline
          because Deployment shop/storefront is gone; nothing to put back (http-smoke failed)
          record storefront-production-abcdefgh23 Failed
            quarantines v1.1.0: http-smoke failed
    "#]],
    );
}

#[test]
fn before_a_success_is_recorded_it_is_no_success() {
    let c = mk_holding(2).at(130);
    let recording = c.clone().then(131);
    assert!(matches!(recording.journal.state, State::Recording(_)));
    for target in [
        Seen::Absent,
        Seen::Present(mk_workload("storefront", "target-2", 'b', 10)),
        Seen::Present(mk_workload("storefront", "target-1", 'c', 10)),
    ] {
        let mut lost = recording.clone();
        lost.seen.target = target;
        let d = lost.decide();
        assert!(
            lost.show(&d).starts_with("Recording Failed"),
            "{}",
            lost.show(&d)
        );
        let text = lost.show(&d);
        assert!(!text.contains("stable is"), "{text}");
    }
}
