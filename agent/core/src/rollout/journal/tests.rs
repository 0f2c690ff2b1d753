//! Bounds: whatever plugins and people write, a journal stays small (reliability.md D1).

use super::*;
use crate::plugin::Severity;
use crate::rollout::fixture::*;

/// As long as a text may come, and as wide as a character may be in JSON.
fn flood() -> String {
    "\u{1}\"\\ü".repeat(5000)
}

#[test]
fn a_text_is_cut_and_says_so() {
    assert_eq!(clip("short"), "short");
    let cut = clip(&"x".repeat(10_000));
    assert_eq!(cut.len(), TEXT_LIMIT);
    assert!(cut.ends_with("x…"));
    // Never in the middle of a character, never a control character but the end of a line.
    assert!(
        clip(&"ü".repeat(10_000))
            .trim_end_matches('…')
            .chars()
            .all(|c| c == 'ü')
    );
    assert_eq!(clip("a\nb\u{1}c\td"), "a\nb c d");
    assert_eq!(clip(&"x".repeat(TEXT_LIMIT)), "x".repeat(TEXT_LIMIT));
}

#[test]
fn the_timeline_keeps_its_beginning_and_its_end() {
    let mut j = Journal::default();
    for n in 0..1000 {
        j.note(t(n), "step-started", &format!("moment {n}"));
    }
    assert!(
        j.timeline.len() <= TIMELINE_LIMIT && j.timeline.len() > 60,
        "{}",
        j.timeline.len()
    );
    assert_eq!(j.timeline[0].text, "moment 0");
    assert_eq!(j.timeline.last().unwrap().text, "moment 999");
    assert_eq!(
        usize::try_from(j.timeline_cut).unwrap() + j.timeline.len(),
        1000
    );
    for _ in 0..100 {
        j.note(t(0), "long", &flood());
    }
    assert!(bytes(&j.timeline) <= TIMELINE_BYTES);
    assert!(j.timeline.len() > 5);
}

fn event(n: u32, body: &str) -> Event {
    Event {
        id: format!("{UID}/{n}"),
        kind: "paused".into(),
        severity: Severity::Warning,
        title: "storefront v1.1.0 to production".into(),
        body: clip(body),
        links: Vec::new(),
        thread: None,
    }
}

#[test]
fn the_outbox_loses_the_oldest_and_says_so() {
    let mut j = Journal::default();
    for n in 0..200 {
        j.send(t(0), event(n, "paused by carol@example.com: I say so"), 2);
    }
    assert!(
        j.outbox.len() <= OUTBOX_LIMIT && j.outbox.len() > 15,
        "{}",
        j.outbox.len()
    );
    assert_eq!(j.outbox.last().unwrap().seq, 199);
    assert_eq!(j.timeline.last().unwrap().kind, "message-dropped");
    for n in 0..200 {
        j.send(t(0), event(n, &flood()), 8);
    }
    assert!(bytes(&j.outbox) <= OUTBOX_BYTES);
    j.outbox.clear();
    j.send(t(0), event(0, "nobody listens"), 0);
    assert!(j.outbox.is_empty());
}

fn result(step: u32, name: &str, outcome: Outcome, text: &str) -> CheckRecord {
    let line = CheckLine {
        name: clip(text),
        outcome: Outcome::Fail,
        message: clip(text),
        elapsed_ms: u32::MAX,
    };
    let lines = vec![line; 8];
    let summary = clip(text);
    CheckRecord {
        step,
        name: name.into(),
        attempt: 1,
        outcome,
        summary,
        lines,
        at: t(0),
    }
}

#[test]
fn passes_of_the_present_step_are_kept_whatever_came_before() {
    let mut j = Journal::default();
    let name = |i: usize| format!("check-{i:0>57}");
    for step in 0..32 {
        for i in 0..16 {
            j.keep_check(result(step, &name(i), Outcome::Inconclusive, &flood()));
            j.keep_check(result(step, &name(i), Outcome::Pass, &flood()));
        }
        for i in 0..16 {
            let found = j
                .checks
                .iter()
                .any(|c| c.step == step && c.name == name(i) && c.outcome == Outcome::Pass);
            assert!(found, "step {step}, check {i}");
        }
        assert!(bytes(&j.checks) <= CHECKS_BYTES, "{}", bytes(&j.checks));
    }
    assert!(j.checks_cut > 0);
}

#[test]
fn the_newest_result_keeps_its_details() {
    let mut j = Journal::default();
    for step in 0..8 {
        j.keep_check(result(
            step,
            "http-smoke",
            Outcome::Pass,
            "GET /health answered",
        ));
    }
    j.keep_check(result(
        8,
        "http-smoke",
        Outcome::Fail,
        "GET /health: status is degraded",
    ));
    assert_eq!(j.checks.last().unwrap().lines.len(), 8);
}

#[test]
fn a_thread_that_is_too_long_to_be_kept_whole_is_not_kept() {
    let mut j = Journal::default();
    j.keep_thread(0, "C024BE7LH/1760250000.000100");
    assert_eq!(j.threads["0"], "C024BE7LH/1760250000.000100");
    j.keep_thread(0, &flood());
    assert_eq!(j.threads["0"], "C024BE7LH/1760250000.000100");
}
