//! A decision that goes on without its measurements is found, whoever made it.

use serde_json::json;

use crate::invariants::broken;
use crate::plugin::Outcome;
use crate::rollout::fixture::*;
use crate::rollout::{Effect, FailedVerdict, MeasurementRecord, State};

fn record(passes: u32) -> MeasurementRecord {
    MeasurementRecord {
        step: 0,
        watch: false,
        name: "errors".into(),
        outcome: Outcome::Pass,
        passes,
        failures: 0,
        inconclusive: 0,
        summary: "ok".into(),
        candidate: None,
        stable: None,
        at: t(20),
        waived: false,
    }
}

fn mk_case() -> Case {
    let mut c = mk_holding(0);
    let spec = json!({"plugin": "numbers", "name": "errors", "require": "< 1%", "count": 2});
    c.view.spec.course.analysis = vec![serde_json::from_value(spec).unwrap()];
    c.journal = c.decide().journal;
    c
}

/// What is said of going on to the second step, with this record of the first.
fn going_on(c: &Case, record: Option<MeasurementRecord>) -> Vec<String> {
    let mut d = c.decide();
    d.effects.clear();
    d.journal.measurements = record.into_iter().collect();
    let mut step = d.journal.state.step().unwrap().clone();
    step.index = 1;
    d.journal.state = State::Progressing(step);
    broken(&c.view, &c.journal, &c.seen, &d)
}

#[test]
fn a_step_is_left_with_enough_on_record() {
    let c = mk_case();
    assert!(going_on(&c, Some(record(2))).is_empty());
    let doubtful = MeasurementRecord {
        inconclusive: 1,
        ..record(2)
    };
    let waived = MeasurementRecord {
        waived: true,
        ..record(0)
    };
    for missing in [None, Some(record(1)), Some(doubtful), Some(waived.clone())] {
        assert_eq!(
            going_on(&c, missing),
            ["leaves step 1 without enough good measurements of errors"]
        );
    }
    let mut promoted = c.clone();
    let mut step = promoted.journal.state.step().unwrap().clone();
    step.promoted = true;
    promoted.set_state(State::Progressing(step));
    assert!(going_on(&promoted, Some(waived)).is_empty());
}

#[test]
fn no_step_is_left_after_a_failure() {
    let mut c = mk_case();
    c.journal.analysis[0].failed = Some("3%".into());
    let mut d = c.decide();
    d.effects.clear();
    d.journal = c.journal.clone();
    d.journal.measurements = vec![record(2)];
    let mut step = d.journal.state.step().unwrap().clone();
    step.index = 1;
    d.journal.state = State::Progressing(step);
    assert_eq!(
        broken(&c.view, &c.journal, &c.seen, &d),
        ["leaves step 1 although errors failed"]
    );
}

#[test]
fn nothing_moves_while_a_verdict_waits() {
    let c = mk_case();
    let mut d = c.decide();
    d.journal.failed = Some(FailedVerdict {
        code: "analysis-failed".into(),
        message: "3%".into(),
        at: t(20),
    });
    d.effects = vec![Effect::Scale {
        deployment: c.seen.canary.present().unwrap().guard(),
        replicas: 2,
        takes_pods_away: false,
    }];
    assert_eq!(
        broken(&c.view, &c.journal, &c.seen, &d),
        ["changes the target while a verdict waits for a person"]
    );
}
