use serde_json::{Value, json};

use super::*;
use crate::plugin::{PluginFault, Series, SeriesRole};

fn spec(more: Value) -> AnalysisSpec {
    let mut all = json!({"plugin": "prometheus", "name": "errors"});
    all.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn window(from: i64, to: i64) -> Window {
    Window {
        from: at(from),
        to: at(to),
    }
}

fn answer(candidate: (u64, u64), stable: (u64, u64)) -> PluginAnswer {
    let series = |role, (events, total)| Series {
        role,
        events,
        total,
        value: None,
    };
    PluginAnswer::Measurement(Measurement {
        series: vec![
            series(SeriesRole::Candidate, candidate),
            series(SeriesRole::Stable, stable),
        ],
        summary: String::new(),
    })
}

fn outage() -> PluginAnswer {
    PluginAnswer::Failed(PluginFault {
        code: "plugin/said-unavailable".into(),
        message: "connection refused".into(),
        retryable: true,
    })
}

/// Plays looks, one letter each, ten seconds apart: a pass, a failure, one with too few requests,
/// one without an answer. Says where the run stands after each.
fn play(spec: &AnalysisSpec, looks: &str) -> String {
    let mut run = AnalysisRun::new(spec, at(0));
    let mut out = String::new();
    for (k, look) in (1..).zip(looks.chars()) {
        let now = at(10 * k);
        assert!(run.ask(spec, now).is_some(), "{k}");
        let answer = match look {
            'p' => answer((0, 100), (0, 900)),
            'f' => answer((5, 100), (0, 900)),
            'x' => answer((20, 20), (0, 180)),
            'n' => answer((0, 3), (0, 27)),
            _ => outage(),
        };
        run.observe(spec, &answer, now).unwrap();
        let json = serde_json::to_value(&run).unwrap();
        assert_eq!(serde_json::from_value::<AnalysisRun>(json).unwrap(), run);
        out.push(match run.standing(spec) {
            Standing::Open => '.',
            Standing::Satisfied => 'S',
            Standing::Failed(_) => 'F',
            Standing::Unknown(_) => '?',
        });
    }
    out
}

#[test]
fn where_a_run_stands() {
    for (more, looks, expected) in [
        (json!({"require": "< 1%"}), "ppf", "SSF"),
        (json!({"require": "< 1%"}), "fpp", "FFF"),
        (json!({"require": "< 1%", "count": 3}), "ppp", "..S"),
        // Failures may be allowed; then one more decides, whenever it comes.
        (
            json!({"require": "< 1%", "failures": 2}),
            "ffpppf",
            "..SSSF",
        ),
        (json!({"require": "< 1%", "failures": 1}), "fof", "..F"),
        // What says nothing is no pass. Too often in a row it takes the passes' effect away, until
        // something is seen again.
        (json!({"require": "< 1%"}), "nnnn", "...?"),
        (json!({"require": "< 1%"}), "oooo", "...?"),
        (json!({"require": "< 1%"}), "onon", "...?"),
        (json!({"require": "< 1%"}), "pnnnn", "SSSS?"),
        (json!({"require": "< 1%"}), "ooopooo", "...SSSS"),
        (json!({"require": "< 1%"}), "oooop", "...?S"),
        (json!({"require": "< 1%"}), "oooof", "...?F"),
        (json!({"require": "< 1%", "inconclusive": 0}), "po", "S?"),
        (json!({"require": "< 1%", "failures": 1}), "oofoo", "....."),
        // A comparison that is lost is a conclusion: no number of failures is allowed to it.
        (json!({"compare": {}, "failures": 9}), "pxx", "SFF"),
        (json!({"compare": {}}), "ppp", "SSS"),
        (json!({"compare": {}}), "nnnn", "...?"),
        // Both: each may decide.
        (json!({"require": "< 50%", "compare": {}}), "pppx", "SSSF"),
        (json!({"require": "< 1%", "compare": {}}), "ppf", "SSF"),
        (json!({}), "pppp", "...?"),
    ] {
        assert_eq!(play(&spec(more.clone()), looks), expected, "{more} {looks}");
    }
}

#[test]
fn a_question_is_asked_once_a_window_is_over() {
    let spec = spec(json!({"require": "< 1%", "every": "10s", "window": "1m"}));
    let mut run = AnalysisRun::new(&spec, at(0));
    assert_eq!(run.ask(&spec, at(59)), None);
    assert_eq!(run.seq, 0);
    assert_eq!(run.ask(&spec, at(60)), Some(window(0, 60)));
    // It stays the same question until there is an answer.
    assert_eq!(run.ask(&spec, at(95)), Some(window(0, 60)));
    assert_eq!(run.seq, 1);
    assert!(
        run.observe(&spec, &answer((0, 100), (0, 900)), at(96))
            .is_some()
    );
    // The answer took longer than the interval, so the next one is due.
    assert_eq!(run.ask(&spec, at(97)), Some(window(37, 97)));
    assert_eq!(run.seq, 2);
    assert!(run.observe(&spec, &outage(), at(98)).is_some());
    assert_eq!(run.ask(&spec, at(106)), None);
    assert_eq!(run.ask(&spec, at(107)), Some(window(47, 107)));
    assert_eq!(
        run.open.unwrap().unix_ms(),
        (1_790_000_047_000, 1_790_000_107_000)
    );
}

#[test]
fn answers_nobody_waits_for_change_nothing() {
    let spec = spec(json!({"require": "< 1%"}));
    let mut run = AnalysisRun::new(&spec, at(0));
    let before = run.clone();
    assert_eq!(run.observe(&spec, &answer((9, 100), (0, 900)), at(5)), None);
    assert_eq!(run, before);
    run.ask(&spec, at(10));
    run.observe(&spec, &answer((0, 100), (0, 900)), at(11));
    let before = run.clone();
    assert_eq!(
        run.observe(&spec, &answer((9, 100), (0, 900)), at(12)),
        None
    );
    assert_eq!(run, before);
}

#[test]
fn a_step_must_pass_anew_in_windows_of_its_own() {
    let spec = spec(json!({"require": "< 1%", "compare": {}, "failures": 1, "window": "1m"}));
    let mut run = AnalysisRun::new(&spec, at(0));
    for (now, candidate) in [(60, 0), (70, 5)] {
        run.ask(&spec, at(now)).unwrap();
        run.observe(&spec, &answer((candidate, 100), (0, 900)), at(now));
    }
    assert_eq!(run.standing(&spec), Standing::Satisfied);
    run.ask(&spec, at(80)).unwrap();
    run.begin_step(&spec, at(85));
    assert_eq!(run.standing(&spec), Standing::Open);
    assert_eq!(
        run.observe(&spec, &answer((0, 100), (0, 900)), at(86)),
        None
    );
    assert_eq!(
        (run.failures, run.comparison.counts.candidate.total),
        (1, 100)
    );
    assert_eq!(run.ask(&spec, at(144)), None);
    assert_eq!(run.ask(&spec, at(150)), Some(window(90, 150)));
    // The number goes on: an answer to an earlier question cannot be taken for one to this.
    assert_eq!(run.seq, 4);
    run.observe(&spec, &answer((5, 100), (0, 900)), at(151));
    assert!(matches!(run.standing(&spec), Standing::Failed(_)));
}

#[test]
fn no_window_begins_before_the_step() {
    let spec = spec(json!({"require": "< 1%", "every": "1s", "window": "1m"}));
    let mut run = AnalysisRun::new(&spec, at(100));
    // A clock that was set back asks nothing.
    assert_eq!(run.ask(&spec, at(50)), None);
    run.not_before = at(0);
    assert_eq!(run.ask(&spec, at(100)), None);
    assert_eq!(run.ask(&spec, at(120)), Some(window(100, 120)));
}

#[test]
fn what_is_kept_is_short_and_on_one_line() {
    let spec = spec(json!({"require": "< 1%", "inconclusive": 0}));
    let mut run = AnalysisRun::new(&spec, at(0));
    run.ask(&spec, at(10)).unwrap();
    let fault = PluginFault {
        code: "plugin/trap".into(),
        message: "ä\n\u{1b}".repeat(5_000),
        retryable: false,
    };
    run.observe(&spec, &PluginAnswer::Failed(fault), at(10));
    let Standing::Unknown(why) = run.standing(&spec) else {
        panic!("{:?}", run.standing(&spec));
    };
    assert!(
        why.starts_with("[plugin/trap] ä") && why.ends_with('…'),
        "{why}"
    );
    assert!(why.len() <= SENTENCE_LIMIT && !why.contains(char::is_control));
    // A journal may have many of them (D1).
    let bytes = serde_json::to_vec(&run).unwrap().len();
    assert!(bytes < 1_200, "{bytes}");
}

#[test]
fn another_kind_of_answer_says_nothing() {
    let spec = spec(json!({"require": "< 1%"}));
    let mut run = AnalysisRun::new(&spec, at(0));
    run.ask(&spec, at(10)).unwrap();
    let verdict = run
        .observe(&spec, &PluginAnswer::Withdrawn, at(10))
        .unwrap();
    assert_eq!(verdict.outcome(), Outcome::Inconclusive);
}
