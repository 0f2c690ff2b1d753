//! The way back to a revision that served well: no vote, no window, no plan of a plugin; checked all
//! the same.

use expect_test::expect;

use crate::plugin::Outcome;
use crate::rollout::fixture::*;
use crate::rollout::{Action, Effect, Seen};

fn promoted() -> Case {
    let mut c = mk_return().then(5);
    c.target().claimed_by = Some(UID.into());
    let c = c.then(6);
    let mut c = c;
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.target().claimed_by = Some(UID.into());
    c
}

#[test]
fn it_begins_at_once() {
    check(
        &mk_return(),
        expect![[r#"
        Promoting step 1 shift: step 1: moves pods until the candidate has 100 %
          claim shop/storefront target-1
          + started: replaces v1.1.0 in shop/storefront
          + step-started: step 1 of 1: restore (100 %)
    "#]],
    );
}

#[test]
fn neither_window_nor_strategy_nor_vote_holds_it() {
    let mut c = mk_return();
    c.policy =
        mk_policy_with("windows: [{freeze: '2026-10-12T00:00/2026-10-14T00:00', reason: audit}]");
    c.seen.plugins.retain(|p| p.name != "canary");
    c.view.spec.image.tag = Some("rc-1".into());
    let d = c.decide();
    assert_eq!(d.journal.phase, "Promoting", "{}", c.show(&d));
    // A person may still hold it.
    let d = mk_return().request(Action::Pause, "carol").decide();
    assert_eq!(d.journal.phase, "AwaitingApproval");
}

#[test]
fn the_whole_template_comes_back_and_is_checked() {
    let mut c = mk_return().then(5);
    c.target().claimed_by = Some(UID.into());
    check(
        &c,
        expect![[r#"
        Promoting step 1 shift: step 1: moves pods until the candidate has 100 %
          set-template shop/storefront template-a
    "#]],
    );
    let d = c.decide();
    assert!(matches!(d.effects.as_slice(), [Effect::SetTemplate { .. }]));
    check(
        &promoted(),
        expect![[r#"
        Promoting step 1 check: step 1: runs http-smoke
          ask rollout-1/check-0-0-http-smoke-1
    "#]],
    );
}

#[test]
fn success_quarantines_what_was_left() {
    let mut c = promoted().then(8);
    c.answer("check-0-0-http-smoke-1", mk_report(Outcome::Pass, "ok"));
    check(
        &c,
        expect![[r#"
        Recording Succeeded: writes the outcome to the pipeline
          because v1.0.0 serves
          save-revision shop/storefront-m6wqmbxf33 template-a
          record storefront-production-abcdefgh23 Succeeded
            stable is v1.0.0
            quarantines v1.1.0: alice@example.com went back to v1.0.0: v1.1.0 is slow
    "#]],
    );
}

#[test]
fn failure_blames_nobody_and_leaves_what_served() {
    let mut c = promoted().then(8);
    c.answer("check-0-0-http-smoke-1", mk_report(Outcome::Fail, "no"));
    let mut c = c.then(9);
    c.seen.stable_template = Seen::Present(mk_template('b'));
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed in step 1: no
          set-template shop/storefront template-b
    "#]],
    );
    *c.target() = mk_workload("storefront", "target-1", 'b', 10);
    c.target().claimed_by = Some(UID.into());
    check(
        &c,
        expect![[r#"
        Recording RolledBack: writes the outcome to the pipeline
          because v1.1.0 serves again: http-smoke failed in step 1: no
          record storefront-production-abcdefgh23 RolledBack
    "#]],
    );
}

#[test]
fn a_revision_that_is_gone_is_a_refusal() {
    let mut c = mk_return();
    c.seen.return_template = Seen::Absent;
    check(
        &c,
        expect![[r#"
        Recording Refused: writes the outcome to the pipeline
          because ControllerRevision storefront-m6wqmbxf33 is gone
          record storefront-production-abcdefgh23 Refused
    "#]],
    );
    c.seen.return_template = Seen::Present(mk_template('c'));
    check(
        &c,
        expect![[r#"
        Recording Refused: writes the outcome to the pipeline
          because ControllerRevision storefront-m6wqmbxf33 does not hold the template that was promoted
          record storefront-production-abcdefgh23 Refused
    "#]],
    );
}

#[test]
fn the_digest_that_serves_may_come_back_under_another_template() {
    let mut c = mk_return();
    let mut stable = mk_revision('b', "v1.1.0");
    stable.digest = mk_digest('a');
    c.environment().stable = Some(stable);
    assert_eq!(c.decide().journal.phase, "Promoting");
}
