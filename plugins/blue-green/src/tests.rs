//! Plans and judgements, through the SDK as the host would ask.

use serde_json::{Value, json};
use sluice_sdk::testing::Script;
use sluice_sdk::{Error, Issue, Judgement, Observation, Step};

use crate::{Settings, judge, plan, validate};

fn planned(settings: &Value) -> Result<Vec<Step>, Error> {
    Script::new().settings(settings.clone()).plan(plan).result
}

fn issues(settings: &Value) -> Vec<Issue> {
    sluice_sdk::settings::check::<Settings>(&settings.to_string(), validate)
}

fn judged(settings: Value, looks: &[(u64, bool)]) -> Judgement {
    let steps = planned(&settings).unwrap();
    let seen: Vec<Observation> = looks
        .iter()
        .map(|&(elapsed_ms, healthy)| Observation {
            elapsed_ms,
            weight_bp: 10_000,
            healthy,
            samples: vec![],
        })
        .collect();
    Script::new()
        .settings(settings)
        .judge(judge, &steps[1], &seen)
        .answer()
        .clone()
}

fn step(name: &str, weight_bp: u16, hold_ms: u64, checks: bool, gate: Option<&str>) -> Step {
    Step {
        name: name.into(),
        weight_bp,
        capacity_replicas: None,
        hold_ms,
        checks,
        gate: gate.map(Into::into),
    }
}

#[test]
fn without_settings_both_steps_are_tested_and_the_second_is_watched() {
    for settings in [json!({}), Value::Null, json!({"preview": {}, "switch": {}})] {
        let want = [
            step("preview", 0, 0, true, None),
            step("switch", 10_000, 120_000, true, None),
        ];
        assert_eq!(planned(&settings).unwrap(), want, "{settings}");
    }
}

#[test]
fn the_plan_says_what_the_settings_say() {
    let settings = json!({
        "preview": {"hold": "30s", "checks": false, "gate": "window"},
        "switch": {"hold": "1h", "checks": false, "gate": "business"},
    });
    let want = [
        step("preview", 0, 30_000, false, Some("window")),
        step("switch", 10_000, 3_600_000, false, Some("business")),
    ];
    assert_eq!(planned(&settings).unwrap(), want);
}

#[test]
fn settings_that_are_wrong_are_refused_with_their_place() {
    for (settings, place) in [
        (json!({"preview": {"gate": " "}}), "/preview/gate"),
        (json!({"switch": {"gate": ""}}), "/switch/gate"),
        (json!({"switch": {"hold": "2 minutes"}}), "/switch/hold"),
        (json!({"switch": {"hold": 120}}), "/switch/hold"),
        (json!({"preview": {"weight": "1%"}}), "/preview/weight"),
        (json!({"preview": {"checks": "no"}}), "/preview/checks"),
        (json!({"maxUnhealthyMs": 0}), "/maxUnhealthyMs"),
        (json!({"maxUnhealthyMs": 3_600_001}), "/maxUnhealthyMs"),
        (json!({"steps": []}), "/steps"),
    ] {
        let found = issues(&settings);
        assert_eq!(found.len(), 1, "{settings}: {found:?}");
        assert_eq!(found[0].pointer, place, "{settings}: {found:?}");
        let refused = planned(&settings);
        assert!(
            matches!(refused, Err(Error::InvalidConfig(_))),
            "{settings}: {refused:?}"
        );
    }
    assert_eq!(issues(&json!({})), []);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let settings = json!({
        "preview": {"gate": ""}, "switch": {"gate": ""}, "maxUnhealthyMs": 0,
    });
    assert_eq!(issues(&settings).len(), 3);
}

#[test]
fn it_proceeds_when_healthy_and_rolls_back_when_told_to() {
    let looks = [(0, true), (1_000, false), (6_000, false)];
    assert_eq!(judged(json!({}), &[(0, true)]), Judgement::Proceed);
    assert!(matches!(judged(json!({}), &looks), Judgement::Hold(_)));
    let Judgement::Rollback(why) = judged(json!({"maxUnhealthyMs": 5_000}), &looks) else {
        panic!("no rollback")
    };
    assert!(why.starts_with("step switch has been unhealthy"), "{why}");
}
