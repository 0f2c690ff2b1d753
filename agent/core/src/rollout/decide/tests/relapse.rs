//! Pods that were ready and are not any more.

use expect_test::expect;

use crate::plugin::{Judgement, Outcome, PluginAnswer};
use crate::rollout::fixture::*;
use crate::rollout::{BackReason, Stage, State};

fn unwell(mut c: Case) -> Case {
    c.canary().ready = 0;
    c
}

#[test]
fn it_shifts_and_is_checked_again() {
    check(
        &unwell(mk_holding(0)),
        expect![[r#"
        Progressing step 1 shift: waits until storefront-canary-lcdy32sopw has 1 ready pods and no others; rolls back at 2026-10-12 09:10:10 UTC
          + pods-unwell: step 1: pods are not ready any more
    "#]],
    );
    let mut c = unwell(mk_holding(0)).then(40);
    c.canary().ready = 1;
    check(
        &c,
        expect![[r#"
        Progressing step 1 check: step 1: runs http-smoke
          ask rollout-1/check-0-1-http-smoke-1
    "#]],
    );
}

#[test]
fn a_pass_from_before_does_not_count() {
    let mut c = unwell(mk_checking(0)).then(40);
    c.canary().ready = 1;
    let mut c = c.then(41);
    let before = c.journal.clone();
    c.answer(
        "check-0-0-http-smoke-1",
        mk_report(Outcome::Pass, "of pods that are gone"),
    );
    assert_eq!(c.journal, before);
    c.answer(
        "check-0-1-http-smoke-1",
        mk_report(Outcome::Pass, "of these"),
    );
    assert!(matches!(
        c.decide().journal.state.step().unwrap().stage,
        Stage::Hold { .. }
    ));
}

#[test]
fn numbers_that_are_old_for_a_moment_are_no_fall() {
    // A new leader wrote its epoch, somebody else an annotation: the controller has not looked yet.
    for stable in [true, false] {
        let mut c = mk_holding(0);
        let touched = if stable { c.target() } else { c.canary() };
        touched.generation = 2;
        touched.ready = 0;
        let d = c.decide();
        let step = d.journal.state.step().unwrap();
        assert_eq!(step.relapses, 0);
        assert!(matches!(step.stage, Stage::Hold { .. }), "{:?}", step.stage);
        assert!(d.effects.is_empty(), "{:?}", d.effects);
    }
}

#[test]
fn nor_does_a_judgement_from_before() {
    let mut c = mk_judging(0);
    let step = match &mut c.journal.state {
        State::Progressing(s) => s,
        other => panic!("{other:?}"),
    };
    step.relapses = 1;
    let before = c.journal.clone();
    c.answer("judge-0-0-1", PluginAnswer::Judgement(Judgement::Proceed));
    assert_eq!(c.journal, before);
}

/// Falls and stands up again until it rolls back.
fn until_it_gives_up(mut c: Case, fall: fn(&mut Case), stand: fn(&mut Case)) -> (u32, BackReason) {
    for n in 1..20 {
        fall(&mut c);
        let d = c.decide();
        if let State::RollingBack(reason) = d.journal.state {
            return (n, reason);
        }
        c.journal = d.journal;
        stand(&mut c);
        c.journal = c.decide().journal;
    }
    panic!("it never gives up");
}

#[test]
fn a_candidate_that_keeps_falling_is_rolled_back_and_blamed() {
    let (n, reason) = until_it_gives_up(
        mk_checking(0),
        |c| c.canary().ready = 0,
        |c| c.canary().ready = 1,
    );
    assert_eq!((n, reason.candidate_failed), (4, true), "{reason:?}");
    let (_, reason) = until_it_gives_up(
        mk_checking(2),
        |c| c.target().ready = 9,
        |c| c.target().ready = 10,
    );
    assert!(
        reason.candidate_failed,
        "the promoted pods are the candidate"
    );
}

#[test]
fn stable_pods_on_a_bad_node_do_not_blame_the_candidate() {
    let (n, reason) = until_it_gives_up(
        mk_checking(0),
        |c| c.target().ready = 8,
        |c| c.target().ready = 9,
    );
    assert_eq!((n, reason.candidate_failed), (4, false), "{reason:?}");
}

#[test]
fn a_canary_that_somebody_removed_is_made_again() {
    let mut c = mk_holding(0);
    c.seen.canary = crate::rollout::Seen::Absent;
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: step 1: moves pods until the candidate has 10 %
          create shop/storefront-canary-lcdy32sopw
          + pods-unwell: step 1: pods are not ready any more
    "#]],
    );
}
