//! What was done and what is to come, on one axis.

use expect_test::{Expect, expect};
use jiff::Timestamp;
use serde_json::{from_value, json};

use super::*;
use crate::pipeline::OutcomeKind;
use crate::rollout::fixture::*;
use crate::rollout::{End, Stage, StepState};

/// One span a line: seconds, share, step; what is to come in brackets.
fn text(curve: Option<&Curve>) -> String {
    let Some(curve) = curve else {
        return "nothing to see".to_owned();
    };
    let line = |(i, span): (usize, &Span)| {
        let step = span.step.map_or("-".to_owned(), |s| (s + 1).to_string());
        let text = format!(
            "{}-{} {} {step}",
            span.from_ms / 1000,
            span.to_ms / 1000,
            crate::router::percent(span.share_bp)
        );
        if i < curve.done {
            text
        } else {
            format!("[{text}]")
        }
    };
    let mut lines: Vec<String> = curve.spans.iter().enumerate().map(line).collect();
    lines.extend(curve.now_ms.map(|ms| format!("now {}", ms / 1000)));
    if curve.back {
        lines.push("went back".into());
    }
    lines.join("\n")
}

#[track_caller]
fn shown(case: &Case, now: Timestamp, expected: Expect) {
    let seen = curve(&case.view.spec, &case.journal, now);
    expected.assert_eq(&text(seen.as_ref()));
}

/// In the second step: the engine itself has written the moments.
fn mk_second_step() -> Case {
    let judged = Stage::Judge {
        attempt: 1,
        not_before: t(10),
        faults: 0,
        proceed: true,
    };
    let mut c = mk_in_step(0, judged).at(140);
    c.journal.checks.push(mk_passed(0));
    c.journal
        .note(t(10), "step-started", "step 1 of 3: 10% (10 %)");
    c.journal = c.decide().journal;
    c
}

#[test]
fn before_it_begins_everything_is_to_come() {
    let c = mk_awaiting();
    shown(
        &c,
        c.now,
        expect![[r#"
        [0-120 10 % 1]
        [120-420 50 % 2]
        [420-420 100 % 3]"#]],
    );
}

#[test]
fn what_was_done_comes_from_the_moments_that_the_engine_writes() {
    let c = mk_second_step();
    assert_eq!(
        c.journal.state.step().unwrap().index,
        1,
        "{:?}",
        c.journal.state
    );
    shown(
        &c,
        t(160),
        expect![[r#"
        0-130 10 % 1
        130-150 50 % 2
        [150-450 50 % 2]
        [450-450 100 % 3]
        now 150"#]],
    );
}

#[test]
fn a_hold_ends_when_it_ends_and_not_later() {
    let mut c = mk_second_step();
    let step = StepState {
        stage: Stage::Hold { until: t(500) },
        ..c.journal.state.step().cloned().unwrap()
    };
    c.set_state(State::Progressing(step));
    shown(
        &c,
        t(300),
        expect![[r#"
        0-130 10 % 1
        130-290 50 % 2
        [290-490 50 % 2]
        [490-490 100 % 3]
        now 290"#]],
    );
}

#[test]
fn going_back_is_a_fall_to_nothing() {
    let mut c = mk_second_step();
    c.journal.note(t(200), "rolling-back", "http-smoke failed");
    c.journal.ended_at = Some(t(230));
    c.set_state(State::Ended(End {
        kind: OutcomeKind::RolledBack,
        message: "v1.0.0 serves again".into(),
        at: t(230),
    }));
    shown(
        &c,
        t(9_999),
        expect![[r#"
        0-130 10 % 1
        130-190 50 % 2
        190-220 0 % -
        went back"#]],
    );
}

#[test]
fn a_watch_is_part_of_the_way() {
    let mut c = mk_awaiting();
    c.view.spec.course.watch = from_value(json!({"for": "30m"})).unwrap();
    c.view.spec.drill = false;
    shown(
        &c,
        c.now,
        expect![[r#"
        [0-120 10 % 1]
        [120-420 50 % 2]
        [420-2220 100 % 3]"#]],
    );
    c.view.spec.drill = true;
    shown(
        &c,
        c.now,
        expect![[r#"
        [0-120 10 % 1]
        [120-420 50 % 2]
        [420-420 100 % 3]
        [420-420 0 % -]"#]],
    );
}

#[test]
fn a_moment_that_fell_out_is_replaced_by_the_state() {
    let mut c = mk_second_step();
    c.journal.timeline.retain(|m| m.kind != "step-started");
    let seen = curve(&c.view.spec, &c.journal, t(160)).unwrap();
    assert_eq!(seen.spans[1].share_bp, 5000, "{}", text(Some(&seen)));
}

#[test]
fn one_step_that_does_everything_is_no_picture() {
    let mut c = mk_awaiting();
    c.journal.plan = Some(mk_plan(&[mk_step("all", 10_000, 60)], 10));
    shown(&c, c.now, expect!["nothing to see"]);
    c.journal.plan = None;
    shown(&c, c.now, expect!["nothing to see"]);
}

#[test]
fn every_span_gets_room_and_the_rest_goes_by_time() {
    let c = mk_awaiting();
    let seen = curve(&c.view.spec, &c.journal, c.now).unwrap();
    assert_eq!(
        seen.places(60, 8),
        [0, 18, 52, 60],
        "120 s, 300 s and no time"
    );
    assert_eq!(seen.places(60, 0), [0, 17, 60, 60]);
    assert_eq!(seen.places(2, 8).len(), 4, "however narrow");
}
