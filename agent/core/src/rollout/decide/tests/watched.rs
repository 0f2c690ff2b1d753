//! The time after promotion, and checks that are repeated.

use expect_test::expect;
use serde_json::json;

use super::analysis::{errors, look, mk_analysis, outage};
use crate::duration::HumanDuration;
use crate::pipeline::WatchSpec;
use crate::plugin::Outcome;
use crate::rollout::fixture::*;
use crate::rollout::{Action, State};

/// Promoted at second 130, and watched for half an hour.
fn mk_watching() -> Case {
    let mut c = mk_holding(2);
    c.view.spec.course.watch = Some(WatchSpec {
        time: HumanDuration::from_mins(30),
        analysis: vec![mk_analysis(json!({"require": "< 1%"}))],
    });
    c.now = t(130);
    c.journal = c.decide().journal;
    assert_eq!(c.journal.phase, "Watching", "{}", c.journal.message);
    c
}

#[test]
fn people_are_told_when_it_begins_and_when_it_ends() {
    let mut c = mk_watching();
    let told = c.journal.timeline.last().unwrap();
    assert_eq!(told.kind, "watching");
    look(&mut c, 160, errors(0));
    check(
        &c.clone().at(170),
        expect![[r#"
        Watching step 3 hold: serves everything; watched until 2026-10-12 09:32:10 UTC
          looks again in 20 s
    "#]],
    );
    check(
        &c.at(1930),
        expect![[r#"
        Recording Succeeded: writes the outcome to the pipeline
          because v1.1.0 serves
          save-revision shop/storefront-upcclmh5ig template-b
          record storefront-production-abcdefgh23 Succeeded
            stable is v1.1.0
          + watched: the watch is over: it stays
    "#]],
    );
}

/// B4: more than one percent of errors within half an hour.
#[test]
fn errors_after_promotion_go_back_by_themselves() {
    let mut c = mk_watching();
    for second in (160..1900).step_by(30) {
        look(&mut c, second, errors(3));
    }
    look(&mut c, 1900, errors(11));
    c.seen.stable_template = crate::rollout::Seen::Present(mk_template('a'));
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: errors failed in the watch: 11 of 1000 (1.1%), required < 1%
          set-template shop/storefront template-a
          + rolling-back: errors failed in the watch: 11 of 1000 (1.1%), required < 1%
    "#]],
    );
}

#[test]
fn a_watch_without_numbers_is_no_success() {
    let mut c = mk_watching();
    for second in (160..2500).step_by(30) {
        look(&mut c, second, outage());
        assert_eq!(c.decide().journal.phase, "Watching");
    }
    c.now = t(2531);
    let d = c.decide();
    assert_eq!(d.journal.phase, "RollingBack", "{}", d.why);
    // A person may end it all the same.
    let ended = c.at(2000).request(Action::Promote, "alice").decide();
    assert_eq!(ended.journal.phase, "Recording");
    assert!(ended.journal.measurement(2, true, "errors").unwrap().waived);
}

#[test]
fn the_analyses_of_the_steps_go_on_where_the_watch_has_none() {
    let mut c = mk_holding(2);
    c.view.spec.course.analysis = vec![mk_analysis(json!({"require": "< 1%"}))];
    c.view.spec.course.watch = Some(WatchSpec {
        time: HumanDuration::from_mins(30),
        analysis: Vec::new(),
    });
    c.journal = c.decide().journal;
    look(&mut c, 40, errors(0));
    c = c.at(131).then(131);
    assert_eq!(c.journal.phase, "Watching");
    look(&mut c, 161, errors(30));
    assert_eq!(c.decide().journal.phase, "RollingBack");
}

/// Held at 10 % until second 130, with a check that is repeated every ten seconds.
fn mk_repeating() -> Case {
    let mut c = mk_checking(0);
    c.view.spec.checks[0].every = Some(HumanDuration::from_secs(10));
    c.answer("check-0-0-http-smoke-1", mk_report(Outcome::Pass, "ok"));
    c.then(20)
}

#[test]
fn a_check_is_repeated_while_a_step_is_held() {
    let mut c = mk_repeating();
    assert!(c.clone().at(19).decide().effects.is_empty());
    for n in 2..10_i64 {
        c.now = t(n * 10);
        let asked: Vec<_> = c
            .decide()
            .effects
            .iter()
            .map(|e| e.intent().object)
            .collect();
        assert_eq!(asked, [format!("rollout-1/check-0-0-http-smoke-{n}")]);
        c.answer(
            &format!("check-0-0-http-smoke-{n}"),
            mk_report(Outcome::Pass, "ok"),
        );
        assert_eq!(c.journal.checks.len(), 1, "one record, however often");
    }
    check(
        &c.at(130),
        expect![[r#"
        Progressing step 1 judge: asks canary whether to go on
          ask rollout-1/check-0-0-http-smoke-10
          ask rollout-1/judge-0-0-1
    "#]],
    );
}

#[test]
fn a_repetition_that_fails_goes_back_in_the_same_turn() {
    let mut c = mk_repeating();
    c.answer(
        "check-0-0-http-smoke-2",
        mk_report(Outcome::Fail, "GET /: 500"),
    );
    let d = c.decide();
    assert_eq!(d.journal.phase, "RollingBack");
    assert!(
        d.why
            .to_string()
            .contains("http-smoke failed in step 1: GET /: 500")
    );
    match d.journal.state {
        State::RollingBack(r) => assert!(r.candidate_failed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_repetition_that_tells_nothing_holds_until_one_passes() {
    let mut c = mk_repeating().at(125);
    c.answer(
        "check-0-0-http-smoke-2",
        mk_report(Outcome::Inconclusive, "no pod answered"),
    );
    check(
        &c.clone().at(131),
        expect![[r#"
        Progressing step 1 hold: step 1: http-smoke is inconclusive, which is not a pass, and runs again: no pod answered; rolls back at 2026-10-12 09:12:10 UTC
          looks again in 4 s
    "#]],
    );
    let promoted = c.clone().at(131).request(Action::Promote, "alice");
    assert_eq!(
        promoted.decide().why.code(),
        "CheckInconclusive",
        "a check is never skipped"
    );
    let d = c.clone().at(731).decide();
    assert_eq!(d.journal.phase, "RollingBack");
    c.now = t(136);
    c.answer("check-0-0-http-smoke-3", mk_report(Outcome::Pass, "ok"));
    assert_eq!(c.decide().why.code(), "Judging");
    assert_eq!(c.journal.checks.len(), 1);
}

#[test]
fn repetitions_go_on_in_the_watch() {
    let mut c = mk_holding(2);
    c.view.spec.checks[0].every = Some(HumanDuration::from_secs(10));
    c.view.spec.course.watch = Some(WatchSpec {
        time: HumanDuration::from_mins(30),
        analysis: Vec::new(),
    });
    c = c.at(130).then(140);
    assert_eq!(c.journal.phase, "Watching");
    let asked: Vec<_> = c
        .decide()
        .effects
        .iter()
        .map(|e| e.intent().object)
        .collect();
    assert_eq!(asked, ["rollout-1/check-watch-0-http-smoke-1"]);
    c.answer(
        "check-watch-0-http-smoke-1",
        mk_report(Outcome::Fail, "GET /: 500"),
    );
    assert_eq!(c.decide().journal.phase, "RollingBack");
}
