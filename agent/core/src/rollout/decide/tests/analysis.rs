//! Metrics that judge a step: what was seen to hold is a pass, and nothing else is.

use expect_test::expect;
use serde_json::{Value, json};

use crate::plugin::{Measurement, Outcome, PluginAnswer, PluginFault, Series, SeriesRole};
use crate::rollout::fixture::*;
use crate::rollout::{Action, Stage, State};

/// `errors` and what else `spec` says, of the metric provider `numbers`.
pub(super) fn mk_analysis(mut spec: Value) -> crate::analysis::AnalysisSpec {
    let defaults = json!({"plugin": "numbers", "name": "errors", "every": "30s"});
    for (key, value) in defaults.as_object().unwrap() {
        let map = spec.as_object_mut().unwrap();
        map.entry(key.clone()).or_insert_with(|| value.clone());
    }
    serde_json::from_value(spec).unwrap()
}

/// Held at 10 % until second 130, with one analysis.
pub(super) fn mk_measured(spec: Value) -> Case {
    let mut c = mk_holding(0);
    c.view.spec.course.analysis = vec![mk_analysis(spec)];
    // It begins to look at second 10.
    c.journal = c.decide().journal;
    c
}

pub(super) fn series(role: SeriesRole, events: u64, total: u64, value: Option<f64>) -> Series {
    Series {
        role,
        events,
        total,
        value,
    }
}

pub(super) fn mk_numbers(series: Vec<Series>) -> PluginAnswer {
    PluginAnswer::Measurement(Measurement {
        series,
        summary: "what came".into(),
    })
}

/// So many errors of a thousand requests.
pub(super) fn errors(events: u64) -> PluginAnswer {
    mk_numbers(vec![
        series(SeriesRole::Candidate, events, 1000, None),
        series(SeriesRole::Stable, 0, 9000, None),
    ])
}

pub(super) fn outage() -> PluginAnswer {
    PluginAnswer::Failed(PluginFault {
        code: "plugin/said-unavailable".into(),
        message: "Prometheus does not answer".into(),
        retryable: true,
    })
}

/// Asks at this second, if that is due, and gives this answer a second later.
pub(super) fn look(c: &mut Case, second: i64, answer: PluginAnswer) {
    c.now = t(second);
    c.journal = c.decide().journal;
    let asked: Vec<String> = c
        .decide()
        .effects
        .iter()
        .map(|e| e.intent().object)
        .collect();
    let key = asked.iter().find(|key| key.contains("/measure-"));
    let key = key.unwrap_or_else(|| panic!("nothing is measured at {second}: {asked:?}"));
    let key = key.split_once('/').unwrap().1.to_owned();
    c.now = t(second + 1);
    c.answer(&key, answer);
}

#[test]
fn it_is_asked_about_windows_that_begin_where_the_hold_does() {
    let mut c = mk_measured(json!({"require": "< 1%"})).at(39);
    assert!(c.decide().effects.is_empty(), "the window is not over");
    c.now = t(40);
    check(
        &c,
        expect![[r#"
        Progressing step 1 hold: step 1: all checks passed; watches 10 % of the traffic until 2026-10-12 09:02:10 UTC
          ask rollout-1/measure-0-0-errors-1
    "#]],
    );
    // The question is open until it is answered, whatever becomes of the agent.
    let first = c.decide();
    c.journal = first.journal.clone();
    c.now = t(55);
    assert_eq!(c.decide().effects, first.effects);
}

#[test]
fn enough_passes_and_the_end_of_the_hold_let_it_go_on() {
    let mut c = mk_measured(json!({"require": "< 1%", "count": 2}));
    look(&mut c, 40, errors(3));
    look(&mut c, 70, errors(3));
    assert!(c.at_rest(100), "the hold is not over");
    check(
        &c.clone().at(130),
        expect![[r#"
        Progressing step 1 judge: asks canary whether to go on
          ask rollout-1/measure-0-0-errors-3
          ask rollout-1/judge-0-0-1
    "#]],
    );
    let m = c.journal.measurement(0, false, "errors").unwrap();
    assert_eq!((m.passes, m.outcome), (2, Outcome::Pass));
    assert_eq!(m.candidate.unwrap().number(), Some(0.003));
}

#[test]
fn without_enough_passes_it_stays_when_the_hold_is_over() {
    let mut c = mk_measured(json!({"require": "< 1%", "count": 4}));
    for second in [40, 70, 100] {
        look(&mut c, second, errors(3));
    }
    c.now = t(131);
    c.journal = c.decide().journal;
    check(
        &c,
        expect![[r#"
        Progressing step 1 hold: step 1: measures errors; rolls back at 2026-10-12 09:12:10 UTC without enough good measurements
          ask rollout-1/measure-0-0-errors-4
    "#]],
    );
    c.answer("measure-0-0-errors-4", errors(3));
    let on = c.decide().journal.state;
    assert!(matches!(on.step().unwrap().stage, Stage::Judge { .. }));
}

#[test]
fn a_step_without_a_hold_is_measured_all_the_same() {
    let mut c = mk_measured(json!({"require": "< 1%"}));
    let step = c.journal.state.step().unwrap().clone();
    c.set_state(State::Progressing(crate::rollout::StepState {
        stage: Stage::Hold { until: t(10) },
        ..step
    }));
    c.now = t(11);
    assert_eq!(c.decide().why.code(), "Analysing");
    look(&mut c, 41, errors(0));
    assert_eq!(c.decide().why.code(), "Judging");
}

#[test]
fn a_failure_goes_back_in_the_same_turn_and_blames_the_candidate() {
    let mut c = mk_measured(json!({"require": "< 1%"}));
    look(&mut c, 40, errors(30));
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: errors failed in step 1: 30 of 1000 (3%), required < 1%
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
          + rolling-back: errors failed in step 1: 30 of 1000 (3%), required < 1%
    "#]],
    );
    match c.decide().journal.state {
        State::RollingBack(r) => assert!(r.candidate_failed && r.code == "analysis-failed"),
        other => panic!("{other:?}"),
    }
    // Pods that fall in the same moment, or numbers that are old, do not hide it.
    let mut unwell = c.clone();
    unwell.canary().ready = 0;
    unwell.canary().observed_generation -= 1;
    assert_eq!(unwell.decide().journal.phase, "RollingBack");
}

#[test]
fn as_many_windows_may_fail_as_the_pipeline_allows() {
    let mut c = mk_measured(json!({"require": "< 1%", "failures": 1}));
    look(&mut c, 40, errors(30));
    assert_eq!(c.decide().journal.phase, "Progressing");
    look(&mut c, 70, errors(0));
    look(&mut c, 100, errors(30));
    assert_eq!(c.decide().journal.phase, "RollingBack");
}

#[test]
fn no_data_is_never_a_pass() {
    let candidate = |events, total, value| {
        mk_numbers(vec![series(SeriesRole::Candidate, events, total, value)])
    };
    for (what, answer) in [
        ("nothing", mk_numbers(Vec::new())),
        (
            "only stable",
            mk_numbers(vec![series(SeriesRole::Stable, 0, 1000, None)]),
        ),
        ("no events", candidate(0, 0, None)),
        ("too few", candidate(0, 49, None)),
        ("NaN", candidate(0, 0, Some(f64::NAN))),
        ("infinite", candidate(0, 1000, Some(f64::INFINITY))),
        ("a value", candidate(0, 1000, Some(0.0))),
        ("more than all", candidate(2000, 1000, None)),
        ("an outage", outage()),
        ("a report", mk_report(Outcome::Pass, "all is well")),
        ("a plan", PluginAnswer::Plan(mk_proposal())),
    ] {
        let mut c = mk_measured(json!({"require": "< 1%", "inconclusive": 0}));
        look(&mut c, 100, answer);
        c.journal = c.decide().journal;
        assert_eq!(c.journal.phase, "Progressing", "{what}");
        let told = c.journal.measurement(0, false, "errors").unwrap();
        assert_eq!(
            (told.outcome, told.passes),
            (Outcome::Inconclusive, 0),
            "{what}"
        );
        let d = c.clone().at(135).decide();
        assert_eq!(d.why.code(), "AnalysisInconclusive", "{what}: {}", d.why);
    }
}

#[test]
fn what_cannot_be_told_until_the_deadline_rolls_back_without_blame() {
    let mut c = mk_measured(json!({"require": "< 1%", "inconclusive": 1}));
    look(&mut c, 40, errors(0));
    look(&mut c, 70, outage());
    assert_eq!(c.decide().why.code(), "Holds", "one may say nothing");
    look(&mut c, 100, outage());
    check(
        &c,
        expect![[r#"
        Progressing step 1 hold: step 1: errors is inconclusive, which is not a pass: [plugin/said-unavailable] Prometheus does not answer; rolls back at 2026-10-12 09:12:10 UTC
          looks again in 29 s
    "#]],
    );
    for second in (130..=700).step_by(30) {
        look(&mut c, second, outage());
        assert_eq!(c.decide().why.code(), "AnalysisInconclusive");
    }
    c.now = t(730);
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: step 1: no verdict in time from errors: step 1: errors is inconclusive, which is not a pass: [plugin/said-unavailable] Prometheus does not answer; rolls back at 2026-10-12 09:12:10 UTC
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
          + rolling-back: step 1: no verdict in time from errors: step 1: errors is inconclusive, which is not a pass: [plugin/said-unavailable] Prometheus does not answer; rolls back at 2026-10-12 09:12:10 UTC
    "#]],
    );
    match c.decide().journal.state {
        State::RollingBack(r) => {
            assert!(!r.candidate_failed && r.code == "analysis-inconclusive");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_provider_that_comes_back_lets_it_go_on() {
    let mut c = mk_measured(json!({"require": "< 1%", "inconclusive": 1}));
    look(&mut c, 40, errors(0));
    for second in [70, 100, 130] {
        look(&mut c, second, outage());
    }
    look(&mut c, 160, errors(0));
    assert_eq!(c.decide().why.code(), "Judging");
    let kinds: Vec<_> = c.journal.timeline.iter().map(|m| m.kind.as_str()).collect();
    assert_eq!(kinds, ["analysis-inconclusive", "analysis-told"]);
}

#[test]
fn the_newest_window_must_have_said_something() {
    let mut c = mk_measured(json!({"require": "< 1%"}));
    look(&mut c, 70, errors(0));
    look(&mut c, 125, outage());
    c.now = t(131);
    assert_eq!(c.decide().why.code(), "Analysing");
}

#[test]
fn late_stray_and_repeated_answers_change_nothing() {
    let mut c = mk_measured(json!({"require": "< 1%"}));
    look(&mut c, 40, errors(0));
    let before = c.journal.clone();
    for stray in [
        "measure-0-0-errors-1",
        "measure-0-0-errors-2",
        "measure-1-0-errors-1",
        "measure-0-1-errors-1",
        "measure-watch-0-errors-1",
        "measure-0-0-others-1",
    ] {
        c.answer(stray, errors(500));
        assert_eq!(c.journal, before, "{stray}");
    }
    // What was asked before pods fell is about pods that are gone.
    let mut c = mk_measured(json!({"require": "< 1%"})).at(40);
    c.journal = c.decide().journal;
    c.canary().ready = 0;
    c.canary().available = 0;
    c.journal = c.decide().journal;
    assert_eq!(c.journal.state.step().unwrap().relapses, 1);
    let before = c.journal.clone();
    c.answer("measure-0-0-errors-1", errors(500));
    assert_eq!(c.journal, before);
}

#[test]
fn after_a_relapse_it_is_measured_anew() {
    let mut c = mk_measured(json!({"require": "< 1%"}));
    look(&mut c, 40, errors(0));
    c.now = t(50);
    c.canary().ready = 0;
    c.canary().available = 0;
    c.journal = c.decide().journal;
    c.canary().ready = 1;
    c.canary().available = 1;
    c = c.then(60);
    c.answer("check-0-1-http-smoke-1", mk_report(Outcome::Pass, "ok"));
    c.journal = c.decide().journal;
    assert!(matches!(
        c.journal.state.step().unwrap().stage,
        Stage::Hold { .. }
    ));
    let run = &c.journal.analysis[0];
    assert_eq!((run.since, run.passes, run.seq), (t(60), 0, 1));
    assert_eq!(c.journal.measurement(0, false, "errors").unwrap().passes, 0);
}

#[test]
fn a_plugin_that_is_not_loaded_holds_and_then_rolls_back() {
    let mut c = mk_measured(json!({"require": "< 1%"}));
    c.seen.plugins.retain(|p| p.name != "numbers");
    check(
        &c.clone().at(40),
        expect![[r#"
        Progressing step 1 hold: holds: plugin not loaded: numbers
    "#]],
    );
    let d = c.clone().at(731).decide();
    assert_eq!(d.journal.phase, "RollingBack", "{}", d.why);
    // It is not even planned without it.
    let mut planning = mk_planning();
    planning.view.spec.course = c.view.spec.course.clone();
    planning.seen.plugins.retain(|p| p.name != "numbers");
    assert_eq!(planning.decide().why.code(), "PluginMissing");
}

#[test]
fn what_people_sign_names_the_metric_provider() {
    let mut c = mk_awaiting();
    c.view.spec.course.analysis = vec![mk_analysis(json!({"require": "< 1%"}))];
    let signed = c.decide().journal.approval.unwrap();
    assert!(signed.plugins.contains_key("numbers"), "{signed:?}");
}

#[test]
fn a_person_may_go_on_without_measurements_but_not_against_them() {
    let c = mk_measured(json!({"require": "< 1%"})).at(50);
    let c = c.request(Action::Promote, "alice");
    let d = c.decide();
    assert_eq!(d.why.code(), "Judging");
    assert!(d.journal.measurement(0, false, "errors").unwrap().waived);
    let kinds: Vec<_> = d.journal.timeline.iter().map(|m| m.kind.as_str()).collect();
    assert_eq!(kinds, ["promoted", "measurements-waived"]);
    let mut bad = mk_measured(json!({"require": "< 1%"}));
    look(&mut bad, 40, errors(30));
    let bad = bad.request(Action::Promote, "alice");
    assert_eq!(bad.decide().journal.phase, "RollingBack");
}

#[test]
fn it_is_judged_while_a_gate_keeps_it_waiting() {
    let mut c = mk_judging(0);
    c.view.spec.course.analysis = vec![mk_analysis(json!({"require": "< 1%"}))];
    c.journal.plan.as_mut().unwrap().steps[1].step.gate = Some("half".into());
    c.answer(
        "judge-0-0-1",
        PluginAnswer::Judgement(crate::plugin::Judgement::Proceed),
    );
    c.journal = c.decide().journal;
    look(&mut c, 60, errors(0));
    assert_eq!(c.decide().why.code(), "WaitsForGate");
    let mut doubtful = c.clone();
    look(&mut doubtful, 90, outage());
    let doubtful = doubtful.request(Action::Promote, "alice");
    assert_eq!(doubtful.decide().journal.state.step().unwrap().index, 1);
    assert!(
        doubtful
            .decide()
            .journal
            .measurement(0, false, "errors")
            .unwrap()
            .waived
    );
    look(&mut c, 90, errors(30));
    assert_eq!(c.decide().journal.phase, "RollingBack");
}

#[test]
fn a_comparison_needs_both_versions() {
    let compare = json!({"compare": {"margin": "0.5%"}});
    let mut c = mk_measured(compare.clone());
    look(&mut c, 40, errors(0));
    assert_eq!(
        c.journal.measurement(0, false, "errors").unwrap().outcome,
        Outcome::Pass
    );
    let mut alone = mk_measured(compare.clone());
    look(
        &mut alone,
        40,
        mk_numbers(vec![series(SeriesRole::Candidate, 0, 1000, None)]),
    );
    let told = alone.journal.measurement(0, false, "errors").unwrap();
    assert_eq!(told.outcome, Outcome::Inconclusive);
    let mut bad = mk_measured(compare.clone());
    look(&mut bad, 40, errors(200));
    assert_eq!(bad.decide().journal.phase, "RollingBack");
    // Where the candidate has everything, nobody is left to compare it with.
    let mut all = mk_holding(2);
    all.view.spec.course.analysis = vec![mk_analysis(compare)];
    assert_eq!(all.at(200).decide().journal.phase, "Recording");
}

#[test]
fn the_promotion_is_measured_too() {
    let mut c = mk_holding(2);
    c.view.spec.course.analysis = vec![mk_analysis(json!({"require": "< 1%"}))];
    c.journal = c.decide().journal;
    assert_eq!(c.clone().at(131).decide().journal.phase, "Promoting");
    look(&mut c, 131, errors(0));
    assert_eq!(c.decide().journal.phase, "Recording");
}

#[test]
fn the_way_back_depends_on_no_metrics() {
    let mut c = mk_return();
    c.view.spec.course.analysis = vec![mk_analysis(json!({"require": "< 1%"}))];
    c.seen.plugins.retain(|p| p.name != "numbers");
    assert_eq!(c.decide().why.code(), "MovesPods");
}

#[test]
fn a_strategy_hears_the_newest_numbers() {
    let mut c = mk_measured(json!({"require": "< 1%"}));
    look(&mut c, 40, errors(3));
    c.now = t(131);
    let asked = c.decide().effects;
    let heard = asked.iter().find_map(|e| match e {
        crate::rollout::Effect::Ask { question, .. } => match &**question {
            crate::rollout::PluginQuestion::Judge { observations, .. } => {
                Some(observations[0].samples.clone())
            }
            _ => None,
        },
        _ => None,
    });
    assert_eq!(heard.unwrap(), [("errors".to_owned(), 0.003)]);
}

impl Case {
    /// Whether it only waits at this second, and asks what is due.
    fn at_rest(&self, second: i64) -> bool {
        self.clone().at(second).decide().why.code() == "Holds"
    }
}
