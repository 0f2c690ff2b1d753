//! The way in words and instants, for each thing that a Pipeline can ask for.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::plan::{PlanLimits, Room, check};
use crate::plugin::PlanStep;
use crate::rollout::State;
use crate::rollout::fixture::*;

/// The usual spec with these fields over it.
fn mk_spec(over: &Value) -> RolloutSpec {
    let mut spec = serde_json::to_value(mk_view().spec).unwrap();
    for (name, value) in over.as_object().unwrap() {
        spec[name] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

#[track_caller]
fn shown(plan: &Plan, over: &Value, expected: Expect) {
    let way = outline(plan, &mk_spec(over));
    let mut text = String::new();
    for part in &way.parts {
        text.push_str(&format!(
            "{:<9} {:>5} {}\n",
            part.kind.word(),
            part.from(),
            part.text
        ));
    }
    text.push_str(&format!("{}\n{}\n", way.takes(), way.way_back()));
    expected.assert_eq(&text);
    let json = serde_json::to_string(&way).unwrap();
    assert_eq!(serde_json::from_str::<Outline>(&json).unwrap(), way);
}

/// 0 %, then everything: pods that stand beside all of the target's.
fn mk_blue_green() -> Plan {
    let mut plan = mk_plan(&[mk_step("half", 5000, 30), mk_step("all", 10_000, 60)], 10);
    let preview = &mut plan.steps[0];
    preview.step.name = "preview".into();
    preview.step.weight_bp = 0;
    preview.achieved_bp = 0;
    preview.stable_replicas = 10;
    preview.candidate_replicas = 10;
    plan
}

#[test]
fn a_canary_by_numbers_of_pods() {
    let mut proposal: Vec<PlanStep> = mk_proposal();
    proposal[1].gate = Some("half-open".into());
    shown(
        &mk_plan(&proposal, 10),
        &json!({}),
        expect![[r#"
        step        +0s 10 % of the traffic: 1 pod of the new version beside 9 of the old; checks: http-smoke; then watched for 2m
        step        +2m 50 % of the traffic: 5 pods of the new version beside 5 of the old; checks: http-smoke; then watched for 5m; before it a person opens `half-open`
        promotion   +7m 100 %: the Deployment itself gets the new version (10 pods), the canary goes; checks: http-smoke
        at least 7m
        goes back by itself when it is found bad, for at least 7m
    "#]],
    );
}

#[test]
fn everything_that_a_pipeline_can_add() {
    let over = json!({
        "target": {
            "namespace": "shop", "deployment": "storefront", "service": "storefront",
            "with": [{"deployment": "storefront-worker"}],
            "config": [{"configMap": "storefront-config"}, {"secret": "storefront-keys"}],
        },
        "strategy": {"plugin": "canary", "router": {"httpRoute": {"name": "storefront"}}},
        "checks": [{"plugin": "http-smoke", "every": "10s"}],
        "before": [
            {"name": "backup", "cronJob": "storefront-backup", "verified": true},
            {"name": "migrate", "cronJob": "storefront-migrate", "undo": "storefront-down", "timeout": "5m"},
        ],
        "afterwards": [{"name": "announce", "cronJob": "storefront-announce", "timeout": "1m"}],
        "analysis": [{"plugin": "prometheus", "name": "errors", "require": "< 0.1%", "compare": {},
                      "every": "30s", "window": "1m", "count": 5}],
        "watch": {"for": "30m"},
    });
    shown(
        &mk_plan(&mk_proposal(), 10),
        &over,
        expect![[r#"
            config      +0s copies that never change are made of ConfigMap storefront-config, Secret storefront-keys: the old pods keep what they have
            before      +0s a Job of CronJob storefront-backup, at most 10m, which has to say that its result was verified
            before      +0s a Job of CronJob storefront-migrate, at most 5m; CronJob storefront-down takes it back
            step        +0s 10 % of the traffic by HTTPRoute storefront: 1 pod of the new version beside 9 of the old, in lockstep with storefront-worker; checks: http-smoke; analysis: errors; then watched for 2m
            step        +3m 50 % of the traffic by HTTPRoute storefront: 5 pods of the new version beside 5 of the old, in lockstep with storefront-worker; checks: http-smoke; analysis: errors; then watched for 5m
            promotion   +8m 100 %: the Deployment itself gets the new version (10 pods), HTTPRoute storefront is put back as it was, the canary goes, in lockstep with storefront-worker; checks: http-smoke; analysis: errors
            watch      +11m serves everything and is watched for 30m by errors, http-smoke every 10s
            after      +41m a Job of CronJob storefront-announce, at most 1m
            at least 41m
            goes back by itself when it is found bad, for at least 41m
        "#]],
    );
}

#[test]
fn blue_green_keeps_the_way_back() {
    let over = json!({
        "strategy": {"plugin": "blue-green", "router": {"service": {}}},
        "rollbackWindow": "1h",
        "onFailure": "hold",
    });
    shown(
        &mk_blue_green(),
        &over,
        expect![[r#"
            step        +0s no traffic: 10 pods of the new version beside 10 of the old, tested before anybody sees them; checks: http-smoke; then watched for 30s
            promotion  +30s 100 %: Service storefront sends everything to the new version at once; checks: http-smoke; then watched for 1m
            way back  +1m30s the old version stands beside the new one for 1h, or until a newer version waits for its place: going back is instant
            at least 1h1m30s
            found bad, it stays where it is until a person decides or the policy's time for that is over; `sluice rollback` is instant for 1h1m30s, unless a newer version waits
        "#]],
    );
}

#[test]
fn a_kept_version_is_promised_only_where_a_router_keeps_it() {
    let over = json!({"rollbackWindow": "1h"});
    let way = outline(&mk_plan(&mk_proposal(), 10), &mk_spec(&over));
    assert_eq!(way.instant_ms, None);
    assert!(way.parts.iter().all(|part| part.kind != PartKind::Kept));
}

#[test]
fn other_workloads_and_a_drill() {
    let over = json!({
        "target": {"namespace": "shop", "statefulSet": "db", "service": "db"},
        "drill": true,
    });
    shown(
        &mk_plan(&mk_proposal(), 10),
        &over,
        expect![[r#"
        step        +0s 10 % of the traffic: 1 pod of 10 get the new version, the highest numbers first; checks: http-smoke; then watched for 2m
        step        +2m 50 % of the traffic: 5 pods of 10 get the new version, the highest numbers first; checks: http-smoke; then watched for 5m
        promotion   +7m 100 %: the StatefulSet itself gets the new version (10 pods); checks: http-smoke
        return      +7m it is a drill: everything goes back on purpose, and the time of each part is reported
        at least 7m
        goes back by itself when it is found bad, for at least 7m
    "#]],
    );
    let over = json!({
        "target": {"namespace": "shop", "daemonSet": "agent", "service": "agent"},
        "checks": [],
    });
    let all = check(
        "rolling",
        &[mk_step("all", 10_000, 0)],
        Room::Within(4),
        &PlanLimits::default(),
    );
    shown(
        &all.unwrap(),
        &over,
        expect![[r#"
        promotion   +0s 100 %: the DaemonSet itself gets the new version (4 pods)
        as long as its pods need to become ready
        goes back by itself when it is found bad, before it is over
    "#]],
    );
}

#[test]
fn a_step_takes_as_long_as_its_metrics_need() {
    let analysis = json!([{"plugin": "prometheus", "require": "< 1%", "every": "10s",
                           "window": "4m", "count": 7}]);
    let way = outline(
        &mk_plan(&mk_proposal(), 10),
        &mk_spec(&json!({"analysis": analysis})),
    );
    let least: Vec<u64> = way.parts.iter().map(|part| part.least_ms / 1000).collect();
    assert_eq!(
        least,
        [300, 300, 300],
        "4 min and six times 10 s, against holds of 120, 300 and 0"
    );
    // Without traffic there is nothing to measure.
    let spec = mk_spec(&json!({"analysis": analysis}));
    assert_eq!(outline(&mk_blue_green(), &spec).parts[0].least_ms, 30_000);
}

#[test]
fn all_of_it_in_one_line() {
    let over = json!({
        "before": [{"name": "backup", "cronJob": "a"}, {"name": "migrate", "cronJob": "b"}],
        "afterwards": [{"name": "announce", "cronJob": "c"}],
        "watch": {"for": "30m"},
    });
    let plan = mk_plan(&mk_proposal(), 10);
    let way = outline(&plan, &mk_spec(&over));
    expect!["backup, migrate, then 10 % for 2m, 50 % for 5m, 100 %, then watched for 30m, announce; at least 37m"].assert_eq(&way.brief());
    // A way back runs no Jobs, and neither does a drill.
    let mut spec = mk_spec(&over);
    spec.drill = true;
    expect!["10 % for 2m, 50 % for 5m, 100 %, then back again: a drill; at least 7m"]
        .assert_eq(&outline(&plan, &spec).brief());
}

#[test]
fn what_is_to_come_has_its_earliest_instant_once_it_has_begun() {
    let mut c = mk_holding(0);
    c.view.spec.course.watch = serde_json::from_value(json!({"for": "30m"})).unwrap();
    let way = |c: &Case| outline(c.journal.plan.as_ref().unwrap(), &c.view.spec);
    let stands = |c: &Case| -> Vec<(Place, Option<i64>)> {
        let all = way(c).stands(&c.journal, c.now).into_iter();
        all.map(|s| (s.place, s.at.map(|at| at.duration_since(t(0)).as_secs())))
            .collect()
    };
    // The hold ends at 130; then 300 s of the second step, none of the third.
    assert_eq!(
        stands(&c),
        [
            (Place::Now, None),
            (Place::Later, Some(130)),
            (Place::Later, Some(430)),
            (Place::Later, Some(430)),
        ]
    );
    // A late hold does not promise the past.
    assert_eq!(stands(&c.clone().at(500))[1], (Place::Later, Some(500)));
    let unbegun = mk_awaiting();
    assert!(stands(&unbegun).iter().all(|s| *s == (Place::Later, None)));
    let step = c.journal.state.step().cloned().unwrap();
    c.set_state(State::Watching(step));
    let places: Vec<Place> = stands(&c).into_iter().map(|s| s.0).collect();
    assert_eq!(places, [Place::Done, Place::Done, Place::Done, Place::Now]);
}
