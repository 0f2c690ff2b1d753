//! Numbers decide: in the steps, in the watch after promotion, and where there are none. The provider
//! is a script; the pods that it hears of are those of the cluster.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]

use std::time::Duration;

use serde_json::{Value, json};
use sluice_scenarios::{
    Crew, Life, Stage, Story, a_fault_at_every_write, beside, digest, on_virtual_time, remembered,
    rollout_name, status, until,
};
use sluice_sim::Resource;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTES: Duration = Duration::from_secs(20 * 60);

/// Errors of a thousand requests, by the step, and what must hold of them.
fn analysis(errors: &Value) -> Value {
    json!([{
        "plugin": "numbers", "name": "errors", "settings": {"errors": errors},
        "every": "10s", "require": "< 1%", "compare": {"margin": "0.5%"},
    }])
}

/// Plays v1.1.0 in production under this course, with v1.0.0 adopted before.
fn play<F: AsyncFnOnce(&Stage)>(course: &Value, script: F) {
    on_virtual_time(async {
        let stage = Stage::new(7);
        stage
            .cluster
            .modify(Resource::Pipelines, "delivery", "storefront", |pipeline| {
                let production = pipeline["spec"]["environments"][1].as_object_mut().unwrap();
                production.extend(course.as_object().cloned().unwrap_or_default());
            });
        stage.push("v1.0.0", 'a');
        let life = Life::new(&stage);
        let crew = Crew::approving();
        beside(&stage, &life, &crew, async {
            until(&stage, "the baseline is adopted", MINUTES, |s| {
                remembered(s, "production")["stable"].is_object()
            })
            .await;
            stage.push("v1.1.0", 'b');
            script(&stage).await;
        })
        .await;
    });
}

fn production(stage: &Stage) -> Value {
    status(stage, "production", "v1.1.0")
}

async fn comes_to(stage: &Stage, phase: &'static str) -> Value {
    until(stage, phase, 2 * HOUR, |s| production(s)["phase"] == phase).await;
    production(stage)
}

async fn waits(stage: &Stage, code: &'static str) -> Value {
    until(stage, code, HOUR, |s| production(s)["why"]["code"] == code).await;
    production(stage)
}

fn kinds(status: &Value) -> Vec<String> {
    let timeline = status["timeline"].as_array().cloned().unwrap_or_default();
    let kind = |m: &Value| m["kind"].as_str().unwrap_or_default().to_owned();
    timeline.iter().map(kind).collect()
}

fn quarantined(stage: &Stage) -> bool {
    remembered(stage, "production")["quarantined"][0]["digest"] == digest('b')
}

#[test]
fn good_numbers_go_all_the_way_and_stand_in_the_record() {
    let course = json!({"analysis": analysis(&json!({"0": 3})), "watch": {"for": "5m"}});
    play(&course, async |stage| {
        let end = comes_to(stage, "Succeeded").await;
        let found = end["measurements"].as_array().expect("measurements");
        let places: Vec<String> = found
            .iter()
            .map(|m| format!("{}{}", m["step"], m["watch"]))
            .collect();
        assert_eq!(places, ["0null", "1null", "2null", "2true"], "{found:#?}");
        // Both versions had ready pods that were named, and of the promoted one alone the numbers.
        assert_eq!(found[0]["candidate"], json!({"events": 3, "total": 1000}));
        assert_eq!(found[0]["stable"], json!({"total": 1000}));
        assert_eq!(found[3]["stable"], Value::Null, "{found:#?}");
        until(stage, "the record", MINUTES, |s| {
            production(s)["recorded"] == true
        })
        .await;
    });
}

#[test]
fn bad_numbers_roll_back_at_ten_percent() {
    let course = json!({"analysis": analysis(&json!({"0": 30}))});
    play(&course, async |stage| {
        let end = comes_to(stage, "RolledBack").await;
        let message = end["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("errors failed in step 1: 30 of 1000"),
            "{message}"
        );
        assert!(quarantined(stage));
    });
}

#[test]
fn without_numbers_nothing_moves_and_in_the_end_it_goes_back_without_blame() {
    let course = json!({"analysis": analysis(&json!({"0": null}))});
    play(&course, async |stage| {
        let held = waits(stage, "AnalysisInconclusive").await;
        assert_eq!(held["state"]["index"], 0, "{held:#}");
        stage.pass(Duration::from_secs(300)).await;
        assert_eq!(production(stage)["why"]["code"], "AnalysisInconclusive");
        let end = comes_to(stage, "RolledBack").await;
        assert!(
            end["message"].to_string().contains("no verdict in time"),
            "{end:#}"
        );
        assert!(!quarantined(stage));
    });
}

#[test]
fn a_metric_provider_that_is_missing_is_named_and_nothing_begins() {
    let course = json!({"analysis": analysis(&json!({}))});
    play(&course, async |stage| {
        stage.plugins.set_missing("numbers", true);
        let held = waits(stage, "PluginMissing").await;
        assert_eq!(held["phase"], "Planning", "{held:#}");
        stage.plugins.set_missing("numbers", false);
        comes_to(stage, "Succeeded").await;
    });
}

#[test]
fn numbers_that_turn_bad_after_promotion_go_back_by_themselves() {
    let errors = json!({"watch": 11});
    let course = json!({"analysis": analysis(&errors), "watch": {"for": "30m"}});
    play(&course, async |stage| {
        let end = comes_to(stage, "RolledBack").await;
        let told = kinds(&end);
        assert!(told.contains(&"watching".to_owned()), "{told:?}");
        let message = end["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("errors failed in the watch: 11 of 1000"),
            "{message}"
        );
        assert!(quarantined(stage));
        assert_eq!(
            remembered(stage, "production")["stable"]["digest"],
            digest('a')
        );
    });
}

#[test]
fn where_people_decide_a_failure_waits_and_may_be_overruled() {
    // The script is bad for good: overruled, it fails anew; then somebody goes back.
    let course = json!({"analysis": analysis(&json!({"0": 30})), "onFailure": "hold"});
    play(&course, async |stage| {
        waits(stage, "FailedHolds").await;
        stage.pass(Duration::from_secs(1800)).await;
        let held = production(stage);
        assert_eq!(
            (&held["why"]["code"], &held["state"]["index"]),
            (&json!("FailedHolds"), &json!(0))
        );
        let rollout = rollout_name(stage, "production", "v1.1.0");
        let spec = json!({"action": "promote", "reason": "known", "rollout": rollout});
        Crew::ask(stage, "alice@example.com", "on", spec).await;
        until(stage, "it is overruled", MINUTES, |s| {
            kinds(&production(s)).contains(&"overruled".to_owned())
        })
        .await;
        until(stage, "it fails anew", MINUTES, |s| {
            let told = kinds(&production(s));
            told.iter().filter(|k| *k == "failed-holds").count() == 2
        })
        .await;
        let end = comes_to(stage, "RolledBack").await;
        assert!(
            end["message"]
                .to_string()
                .contains("nobody decided within 1h"),
            "{end:#}"
        );
        assert!(quarantined(stage));
    });
}

/// What was asked, what came and what it led to stands in the journal before anything follows from it.
#[test]
fn a_fault_at_any_write_of_a_story_that_turns_bad_in_the_watch_changes_nothing() {
    a_fault_at_every_write(Story::Watched);
}
