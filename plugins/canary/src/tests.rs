//! Plans and judgements, through the SDK as the host would ask.

use serde_json::{Value, json};
use sluice_sdk::testing::Script;
use sluice_sdk::{Error, Issue, Judgement, Observation, Step};

use crate::{Settings, judge, plan, validate};

fn planned(settings: Value) -> Result<Vec<Step>, Error> {
    Script::new().settings(settings).plan(plan).result
}

fn issues(settings: &Value) -> Vec<Issue> {
    sluice_sdk::settings::check::<Settings>(&settings.to_string(), validate)
}

fn judged(settings: Value, looks: &[(u64, bool)]) -> Judgement {
    let steps = planned(json!({})).unwrap();
    let seen: Vec<Observation> = looks
        .iter()
        .map(|&(elapsed_ms, healthy)| Observation {
            elapsed_ms,
            weight_bp: 1_000,
            healthy,
            samples: vec![],
        })
        .collect();
    Script::new()
        .settings(settings)
        .judge(judge, &steps[0], &seen)
        .answer()
        .clone()
}

#[test]
fn without_settings_it_is_ten_fifty_hundred() {
    for settings in [json!({}), Value::Null] {
        let steps = planned(settings).unwrap();
        let shape: Vec<_> = steps
            .iter()
            .map(|s| (s.name.as_str(), s.weight_bp, s.hold_ms, s.checks))
            .collect();
        assert_eq!(
            shape,
            [
                ("10%", 1_000, 120_000, true),
                ("50%", 5_000, 120_000, true),
                ("100%", 10_000, 120_000, true)
            ]
        );
    }
}

#[test]
fn the_plan_says_what_the_settings_say() {
    let steps = planned(json!({"steps": [
        {"weight": "0.5%", "hold": "30s", "checks": false},
        {"weight": "25%", "hold": "1h", "gate": "business"},
        {"weight": "100%"},
    ]}))
    .unwrap();
    let want = |name: &str, weight_bp, hold_ms, checks, gate: Option<&str>| Step {
        name: name.into(),
        weight_bp,
        capacity_replicas: None,
        hold_ms,
        checks,
        gate: gate.map(Into::into),
    };
    assert_eq!(
        steps,
        [
            want("0.5%", 50, 30_000, false, None),
            want("25%", 2_500, 3_600_000, true, Some("business")),
            want("100%", 10_000, 0, true, None),
        ]
    );
}

#[test]
fn steps_that_are_no_canary_are_refused_with_their_place() {
    let cases = [
        (json!({"steps": []}), "/steps"),
        (json!({"steps": [{"weight": "10%"}]}), "/steps/0/weight"),
        (
            json!({"steps": [{"weight": "50%"}, {"weight": "10%"}, {"weight": "100%"}]}),
            "/steps/1/weight",
        ),
        (
            json!({"steps": [{"weight": "10%"}, {"weight": "10%"}, {"weight": "100%"}]}),
            "/steps/1/weight",
        ),
        (
            json!({"steps": [{"weight": "0%"}, {"weight": "0%"}, {"weight": "100%"}]}),
            "/steps/1/weight",
        ),
        (json!({"steps": [{"weight": "0%"}]}), "/steps/0/weight"),
        (
            json!({"steps": [{"weight": "100%", "gate": " "}]}),
            "/steps/0/gate",
        ),
        (json!({"steps": [{"weight": 10}]}), "/steps/0/weight"),
        (json!({"steps": [{"weight": "10"}]}), "/steps/0/weight"),
        (
            json!({"steps": [{"weight": "100%", "hold": "2 minutes"}]}),
            "/steps/0/hold",
        ),
        (
            json!({"steps": [{"weight": "100%", "pause": "2m"}]}),
            "/steps/0/pause",
        ),
        (json!({"steps": [{"hold": "2m"}]}), "/steps/0"),
        (json!({"maxUnhealthyMs": 0}), "/maxUnhealthyMs"),
        (json!({"weights": []}), "/weights"),
    ];
    for (settings, place) in cases {
        let found = issues(&settings);
        assert_eq!(found.len(), 1, "{settings}: {found:?}");
        assert_eq!(found[0].pointer, place, "{settings}: {found:?}");
        let refused = planned(settings.clone());
        assert!(
            matches!(refused, Err(Error::InvalidConfig(_))),
            "{settings}: {refused:?}"
        );
    }
    let many: Vec<Value> = (1..=33)
        .map(|i| json!({"weight": format!("{i}%")}))
        .collect();
    assert_eq!(
        issues(&json!({"steps": many})).len(),
        2,
        "too many, and not up to 100 %"
    );
    assert_eq!(issues(&json!({})), []);
}

#[test]
fn a_wrong_weight_is_explained_in_words() {
    let found = issues(&json!({"steps": [{"weight": 10}]}));
    assert_eq!(
        found[0].message,
        "invalid type: integer `10`, expected a share of the traffic such as \"10%\""
    );
}

#[test]
fn the_first_step_may_be_dark() {
    let steps = planned(json!({"steps": [
        {"weight": "0%", "hold": "1m"}, {"weight": "10%"}, {"weight": "100%"},
    ]}))
    .unwrap();
    assert_eq!((steps[0].name.as_str(), steps[0].weight_bp), ("0%", 0));
    assert_eq!(steps[1].weight_bp, 1_000);
}

#[test]
fn it_proceeds_when_healthy_and_rolls_back_when_told_to() {
    let looks = [(0, true), (1_000, false), (6_000, false)];
    assert_eq!(judged(json!({}), &[(0, true)]), Judgement::Proceed);
    assert!(matches!(judged(json!({}), &looks), Judgement::Hold(_)));
    let Judgement::Rollback(why) = judged(json!({"maxUnhealthyMs": 5_000}), &looks) else {
        panic!("no rollback")
    };
    assert!(why.starts_with("step 10% has been unhealthy"), "{why}");
}
