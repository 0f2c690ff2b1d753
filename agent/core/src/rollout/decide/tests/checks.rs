//! What a check's answer does. Only a pass is a pass.

use expect_test::expect;

use crate::plugin::{CheckLine, Outcome, PluginAnswer, PluginFault, Report};
use crate::rollout::fixture::*;
use crate::rollout::{CheckRun, Stage};

const KEY: &str = "check-0-0-http-smoke-1";

fn fault() -> PluginAnswer {
    PluginAnswer::Failed(PluginFault {
        code: "plugin/deadline".into(),
        message: "no answer within 10 s".into(),
        retryable: true,
    })
}

#[test]
fn it_is_asked_until_it_answers() {
    check(
        &mk_checking(0),
        expect![[r#"
        Progressing step 1 check: step 1: runs http-smoke
          ask rollout-1/check-0-0-http-smoke-1
    "#]],
    );
}

#[test]
fn a_pass_goes_on_to_the_hold() {
    let mut c = mk_checking(0);
    c.answer(KEY, mk_report(Outcome::Pass, "all 12 requests answered"));
    check(
        &c,
        expect![[r#"
        Progressing step 1 hold: step 1: all checks passed; watches 10 % of the traffic until 2026-10-12 09:02:10 UTC
    "#]],
    );
}

#[test]
fn a_fail_rolls_back_and_blames_the_candidate() {
    let mut c = mk_checking(0);
    c.answer(
        KEY,
        mk_report(Outcome::Fail, "GET /health: status is degraded"),
    );
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed in step 1: GET /health: status is degraded
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
          + rolling-back: http-smoke failed in step 1: GET /health: status is degraded
    "#]],
    );
    match c.decide().journal.state {
        crate::rollout::State::RollingBack(r) => assert!(r.candidate_failed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pass_with_a_failing_line_is_a_fail() {
    let mut c = mk_checking(0);
    let line = CheckLine {
        name: "GET /health".into(),
        outcome: Outcome::Fail,
        message: "status 500".into(),
        elapsed_ms: 3,
    };
    let report = Report {
        outcome: Outcome::Pass,
        summary: "fine".into(),
        checks: vec![line],
    };
    c.answer(KEY, PluginAnswer::Report(report));
    assert_eq!(c.decide().journal.phase, "RollingBack");
}

#[test]
fn what_could_not_be_told_is_asked_again_and_holds() {
    for answer in [
        mk_report(Outcome::Inconclusive, "no pod answered"),
        mk_report(Outcome::Skipped, "nothing to test"),
        fault(),
        PluginAnswer::Plan(mk_proposal()),
    ] {
        let mut c = mk_checking(0);
        c.answer(KEY, answer);
        let d = c.decide();
        assert!(
            d.effects.is_empty(),
            "not asked again at once: {}",
            c.show(&d)
        );
        assert!(d.why.to_string().contains("not a pass"), "{}", d.why);
        let later = c.at(20);
        let again: Vec<_> = later
            .decide()
            .effects
            .iter()
            .map(|e| e.intent().object)
            .collect();
        assert_eq!(again, ["rollout-1/check-0-0-http-smoke-2"]);
    }
    let mut c = mk_checking(0);
    c.answer(KEY, fault());
    check(
        &c,
        expect![[r#"
        Progressing step 1 check: step 1: http-smoke is inconclusive, which is not a pass, and runs again: [plugin/deadline] no answer within 10 s; rolls back at 2026-10-12 09:10:10 UTC
          looks again in 10 s
    "#]],
    );
}

#[test]
fn no_verdict_until_the_deadline_rolls_back_without_blame() {
    let mut c = mk_checking(0);
    c.answer(KEY, fault());
    let c = c.at(610);
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: step 1: no verdict in time from http-smoke
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
          + rolling-back: step 1: no verdict in time from http-smoke
    "#]],
    );
    match c.decide().journal.state {
        crate::rollout::State::RollingBack(r) => assert!(!r.candidate_failed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn skipped_satisfies_an_optional_check_only() {
    let mut c = mk_checking(0);
    c.policy = mk_policy(&POLICY.replace("    checks: {require: [http-smoke]}\n", ""));
    c.view.spec.checks[0].optional = true;
    c.answer(KEY, mk_report(Outcome::Skipped, "nothing to test"));
    assert!(matches!(
        c.decide().journal.state.step().unwrap().stage,
        Stage::Hold { .. }
    ));
    // A failing optional check is a fail all the same.
    let mut c = mk_checking(0);
    c.view.spec.checks[0].optional = true;
    c.answer(KEY, mk_report(Outcome::Fail, "no"));
    assert_eq!(c.decide().journal.phase, "RollingBack");
}

#[test]
fn all_of_them_have_to_pass() {
    let mut c = mk_checking(0);
    let mut second = mk_check("http-smoke");
    second.name = Some("http-smoke-1".into());
    c.view.spec.checks.push(second);
    c.journal.state = crate::rollout::State::Progressing(crate::rollout::StepState {
        stage: Stage::Check {
            runs: vec![mk_run("http-smoke"), mk_run("http-smoke-1")],
            since: t(10),
        },
        ..c.journal.state.step().unwrap().clone()
    });
    c.answer(KEY, mk_report(Outcome::Pass, "ok"));
    check(
        &c,
        expect![[r#"
        Progressing step 1 check: step 1: runs http-smoke-1
          ask rollout-1/check-0-0-http-smoke-1-1
    "#]],
    );
    c.answer("check-0-0-http-smoke-1-1", mk_report(Outcome::Pass, "ok"));
    assert!(matches!(
        c.decide().journal.state.step().unwrap().stage,
        Stage::Hold { .. }
    ));
}

#[test]
fn an_answer_counts_once_and_only_for_its_own_question() {
    let mut c = mk_checking(0);
    c.answer(KEY, fault());
    let before = c.journal.clone();
    for stray in [
        KEY,
        "check-1-0-http-smoke-2",
        "check-0-1-http-smoke-2",
        "check-0-0-other-2",
        "check-0-0-http-smoke-3",
        "judge-0-0-1",
        "plan-1",
        "",
    ] {
        c.answer(stray, mk_report(Outcome::Pass, "late"));
        assert_eq!(c.journal, before, "{stray}");
    }
    c.answer("check-0-0-http-smoke-2", mk_report(Outcome::Pass, "now"));
    assert_ne!(c.journal, before);
    // A verdict that is in is not taken back by a repetition.
    let passed = c.journal.clone();
    c.answer("check-0-0-http-smoke-2", mk_report(Outcome::Fail, "again"));
    assert_eq!(c.journal, passed);
}

#[test]
fn a_strategy_cannot_switch_off_what_the_policy_requires() {
    let mut c = mk_checking(0);
    let plan = c.journal.plan.as_mut().unwrap();
    plan.steps[0].step.checks = false;
    assert_eq!(c.decide().effects.len(), 1, "it is asked");
    c.policy = mk_policy(&POLICY.replace("    checks: {require: [http-smoke]}\n", ""));
    assert!(c.decide().effects.is_empty());
    // The promotion is always checked.
    let mut c = mk_checking(2);
    c.policy = mk_policy(&POLICY.replace("    checks: {require: [http-smoke]}\n", ""));
    c.journal.plan.as_mut().unwrap().steps[2].step.checks = false;
    assert_eq!(c.decide().effects.len(), 1);
}

#[test]
fn a_plugin_that_is_unloaded_holds_and_then_rolls_back() {
    let mut c = mk_checking(0);
    c.seen.plugins.retain(|p| p.name != "http-smoke");
    check(
        &c,
        expect![[r#"
        Progressing step 1 check: holds: plugin not loaded: http-smoke
    "#]],
    );
    assert_eq!(c.at(610).decide().journal.phase, "RollingBack");
}

#[test]
fn the_record_of_a_try_that_told_nothing_is_replaced() {
    let mut c = mk_checking(0);
    for attempt in 1..=60_u32 {
        c.answer(&format!("check-0-0-http-smoke-{attempt}"), fault());
        c.now = t(10 + i64::from(attempt) * 10);
    }
    assert_eq!(c.journal.checks.len(), 1);
    assert_eq!(c.journal.checks[0].attempt, 60);
    let run = |c: &Case| match &c.journal.state.step().unwrap().stage {
        Stage::Check { runs, .. } => runs[0].clone(),
        other => panic!("{other:?}"),
    };
    let CheckRun {
        attempt, passed, ..
    } = run(&c);
    assert_eq!((attempt, passed), (61, false));
}
