//! Somebody else changes the pod template under a Rollout.

use expect_test::expect;

use crate::rollout::fixture::*;
use crate::rollout::{Action, Effect};

#[test]
fn it_holds_and_does_not_fight() {
    for mut c in [
        mk_shifting(0),
        mk_checking(0),
        mk_holding(1).at(500),
        mk_shifting(2),
    ] {
        c.target().spec["template"] = mk_template('c');
        let d = c.decide();
        assert!(
            d.why.to_string().contains("somebody else changed"),
            "{}",
            c.show(&d)
        );
        assert!(d.effects.is_empty());
    }
    let mut c = mk_holding(0);
    c.target().spec["template"] = mk_template('c');
    check(
        &c,
        expect![[r#"
        Progressing step 1 hold: holds: somebody else changed the pod template of shop/storefront; Sluice does not fight over it
    "#]],
    );
}

#[test]
fn a_candidate_template_before_its_promotion_is_drift_too() {
    let mut c = mk_holding(0);
    c.target().spec["template"] = mk_template('b');
    assert!(c.decide().why.to_string().contains("somebody else changed"));
}

#[test]
fn an_abort_puts_the_stable_template_back_all_the_same() {
    let mut c = mk_holding(0);
    c.target().spec["template"] = mk_template('c');
    let mut c = c.request(Action::Abort, "alice").then(20);
    c.seen.stable_template = crate::rollout::Seen::Present(mk_template('a'));
    let d = c.decide();
    assert!(
        matches!(d.effects.as_slice(), [Effect::SetTemplate { .. }]),
        "{}",
        c.show(&d)
    );
}

#[test]
fn a_claim_that_somebody_took_off_is_set_again() {
    let mut c = mk_holding(1);
    c.target().claimed_by = None;
    check(
        &c,
        expect![[r#"
        Progressing step 2 hold: step 2: moves pods until the candidate has 50 %
          claim shop/storefront target-1
    "#]],
    );
}
