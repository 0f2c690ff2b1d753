//! A verdict that waits for a person (G15).

use expect_test::expect;
use serde_json::json;

use super::analysis::{errors, look, mk_measured, outage};
use crate::pipeline::OnFailure;
use crate::plugin::Outcome;
use crate::rollout::fixture::*;
use crate::rollout::{Action, Stage, State};

fn mk_failed() -> Case {
    let mut c = mk_measured(json!({"require": "< 1%"}));
    c.view.spec.course.on_failure = OnFailure::Hold;
    look(&mut c, 40, errors(30));
    c
}

#[test]
fn it_stays_as_it_is_and_people_are_told() {
    check(
        &mk_failed(),
        expect![[r#"
        Progressing step 1 hold: failed, and holds as the pipeline asks: errors failed in step 1: 30 of 1000 (3%), required < 1%; goes back by itself at 2026-10-12 10:00:41 UTC
          + failed-holds: errors failed in step 1: 30 of 1000 (3%), required < 1%; it stays as it is, and a person decides
    "#]],
    );
    let c = mk_failed().then(1000);
    let d = c.decide();
    assert!(d.effects.is_empty(), "{:?}", d.effects);
    assert_eq!(d.journal, c.journal, "waiting costs no write");
    // Not even pods that fall change anything.
    let mut unwell = c.clone();
    unwell.canary().ready = 0;
    assert!(unwell.decide().effects.is_empty());
}

#[test]
fn after_the_time_of_the_policy_it_goes_back_by_itself() {
    let c = mk_failed().then(41 + 3600);
    let d = c.decide();
    assert_eq!(d.journal.phase, "RollingBack");
    match d.journal.state {
        State::RollingBack(r) => {
            assert!(r.candidate_failed && r.code == "analysis-failed");
            assert!(
                r.message.ends_with("nobody decided within 1h"),
                "{}",
                r.message
            );
        }
        other => panic!("{other:?}"),
    }
    let mut short = mk_failed();
    short.policy = mk_policy(&POLICY.replace(
        "    checks: {require: [http-smoke]}\n",
        "    checks: {require: [http-smoke]}\n    limits: {holdFailed: 5m}\n",
    ));
    let short = short.then(41 + 300);
    assert_eq!(short.decide().journal.phase, "RollingBack");
}

#[test]
fn a_person_may_go_back_at_once() {
    for action in [Action::Rollback, Action::Abort] {
        let c = mk_failed().then(50).request(action, "alice");
        assert_eq!(c.decide().journal.phase, "RollingBack");
    }
}

#[test]
fn a_person_may_overrule_it_and_it_is_judged_anew() {
    let c = mk_failed().then(1041).request(Action::Promote, "alice");
    check(
        &c,
        expect![[r#"
        Progressing step 1 hold: step 1: all checks passed; watches 10 % of the traffic until 2026-10-12 09:18:50 UTC
          + overruled: alice@example.com goes on against a verdict: I say so (errors failed in step 1: 30 of 1000 (3%), required < 1%)
    "#]],
    );
    let mut c = c.then(1050);
    let run = &c.journal.analysis[0];
    assert_eq!((run.failed.as_ref(), run.failures, run.seq), (None, 0, 1));
    let mut good = c.clone();
    look(&mut good, 1080, errors(0));
    assert_eq!(good.at(1131).decide().why.code(), "Judging");
    look(&mut c, 1080, errors(30));
    assert_eq!(c.decide().why.code(), "FailedHolds", "and it may fail anew");
}

#[test]
fn who_may_not_promote_may_not_overrule() {
    let c = mk_failed().then(50).request(Action::Promote, "mallory");
    assert_eq!(c.decide().why.code(), "FailedHolds");
}

#[test]
fn a_check_that_failed_runs_again_and_is_never_skipped() {
    let mut c = mk_checking(0);
    c.view.spec.course.on_failure = OnFailure::Hold;
    c.answer(
        "check-0-0-http-smoke-1",
        mk_report(Outcome::Fail, "GET /: 500"),
    );
    assert_eq!(c.decide().why.code(), "FailedHolds");
    let mut c = c.then(2000).request(Action::Promote, "alice");
    check(
        &c,
        expect![[r#"
        Progressing step 1 check: step 1: runs http-smoke
          ask rollout-1/check-0-0-http-smoke-2
          + overruled: alice@example.com goes on against a verdict: I say so (http-smoke failed in step 1: GET /: 500)
    "#]],
    );
    c.journal = c.decide().journal;
    c.answer("check-0-0-http-smoke-2", mk_report(Outcome::Pass, "ok"));
    let on = c.decide().journal.state;
    assert!(matches!(on.step().unwrap().stage, Stage::Hold { .. }));
}

#[test]
fn only_verdicts_wait_for_people() {
    let mut c = mk_measured(json!({"require": "< 1%", "inconclusive": 0}));
    c.view.spec.course.on_failure = OnFailure::Hold;
    look(&mut c, 40, outage());
    assert_eq!(c.clone().at(731).decide().journal.phase, "RollingBack");
    let mut pods = mk_shifting(0).at(700);
    pods.view.spec.course.on_failure = OnFailure::Hold;
    pods.canary().ready = 0;
    pods.canary().available = 0;
    assert_eq!(pods.decide().journal.phase, "RollingBack");
}
