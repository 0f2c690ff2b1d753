//! Rollouts on other ways than a plain canary: hooks, metrics, blue-green, a watch. Used by the tests
//! and by the gallery example.

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_core::plan::{Plan, PlanLimits, Room, check};
use sluice_core::plugin::PlanStep;
use sluice_core::rollout::{Finishing, Journal, Moment, Preparing, Stage, State, StepState, Why};

use crate::sample::{after, awaiting, before, spec};

/// Everything that a Pipeline can add to a canary.
fn full() -> Value {
    let mut spec = spec("v1.1.0", 'b');
    spec["target"]["with"] = json!([{ "deployment": "storefront-worker" }]);
    spec["target"]["config"] = json!([{ "configMap": "storefront-config" }]);
    spec["strategy"]["router"] = json!({ "httpRoute": { "name": "storefront", "rule": "web" } });
    spec["before"] = json!([
        { "name": "backup", "cronJob": "storefront-backup", "verified": true, "timeout": "30m" },
        { "name": "migrate", "cronJob": "storefront-migrate", "undo": "storefront-down" },
    ]);
    spec["afterwards"] =
        json!([{ "name": "announce", "cronJob": "storefront-announce", "timeout": "1m" }]);
    spec["analysis"] = json!([
        { "plugin": "prometheus", "name": "errors", "every": "30s", "window": "1m",
          "require": "< 0.5%", "compare": { "margin": "0.1%" }, "settings": {} },
        { "plugin": "prometheus", "name": "p95", "require": "< 300", "settings": {} },
    ]);
    spec["watch"] = json!({ "for": "30m" });
    spec
}

/// All or nothing, with the old version kept for an hour.
fn blue_green() -> Value {
    let mut spec = spec("v1.1.0", 'b');
    spec["strategy"] =
        json!({ "plugin": "blue-green", "router": { "service": {} }, "settings": {} });
    spec["rollbackWindow"] = json!("1h");
    spec["afterwards"] =
        json!([{ "name": "announce", "cronJob": "storefront-announce", "timeout": "1m" }]);
    spec
}

fn step(name: &str, weight_bp: u16, hold_ms: u64) -> PlanStep {
    PlanStep {
        name: name.to_owned(),
        weight_bp,
        capacity_replicas: None,
        hold_ms,
        checks: true,
        gate: None,
    }
}

fn plan(strategy: &str, steps: &[PlanStep], switch: bool) -> Plan {
    let room = Room::Apart { target: 10, switch };
    check(strategy, steps, room, &PlanLimits::default()).unwrap()
}

fn canary() -> Plan {
    let steps = [
        step("first", 500, 120_000),
        step("half", 5_000, 300_000),
        step("all", 10_000, 0),
    ];
    plan("canary", &steps, false)
}

fn moment(ago: i64, kind: &str, text: &str) -> Moment {
    Moment {
        at: before(ago),
        kind: kind.to_owned(),
        text: text.to_owned(),
    }
}

fn journal(state: State, why: Why, plan: Plan, started: i64, moments: &[Moment]) -> Journal {
    let mut journal = awaiting();
    journal.plan = Some(plan);
    journal.phase = state.phase().to_owned();
    journal.message = why.to_string();
    journal.why = Some(why);
    journal.state = state;
    journal.started_at = Some(before(started));
    journal.timeline.extend_from_slice(moments);
    journal
}

fn at(index: u32, until: Timestamp) -> StepState {
    StepState {
        index,
        stage: Stage::Hold { until },
        since: before(100),
        relapses: 0,
        promoted: false,
    }
}

fn backup() -> Value {
    json!({
        "name": "backup", "when": "before", "job": "storefront-backup-3k2m9x7q1a",
        "state": "succeeded", "since": before(300), "startedAt": before(298),
        "endedAt": before(140), "until": after(1500), "message": "its Job is complete",
        "result": "{\"verified\": true, \"restore\": \"pg_restore -d shop s3://backups/shop-17\"}",
        "verified": true, "restore": "pg_restore -d shop s3://backups/shop-17",
        "log": "dumped 41 tables\nread back 41 tables",
    })
}

fn migrate(state: &str, more: Value) -> Value {
    let mut run = json!({
        "name": "migrate", "when": "before", "job": "storefront-migrate-7h1p0c4d2b",
        "state": state, "since": before(140), "startedAt": before(138), "until": after(460),
    });
    for (key, value) in more.as_object().unwrap() {
        run[key] = value.clone();
    }
    run
}

/// Name, spec and journal.
pub(crate) fn every_way() -> Vec<(&'static str, Value, Journal)> {
    let (first, second) = (
        moment(250, "step-started", "step 1 of 3: first (5 %)"),
        moment(100, "step-started", "step 2 of 3: half (50 %)"),
    );
    let mut waiting = awaiting();
    waiting.plan = Some(canary());
    let mut preparing = journal(
        State::Preparing(Preparing { since: before(300) }),
        Why::RunsHook {
            hook: "migrate".to_owned(),
            job: "storefront-migrate-7h1p0c4d2b".to_owned(),
            until: after(460),
            waits_for: None,
        },
        canary(),
        300,
        &[],
    );
    preparing.hooks =
        serde_json::from_value(json!([backup(), migrate("running", json!({}))])).unwrap();
    let mut failed = journal(
        State::Progressing(at(1, after(40))),
        Why::FailedHolds {
            message: "errors: 4.1 % of 812, which must be < 0.5%".to_owned(),
            until: after(3500),
        },
        canary(),
        260,
        &[first.clone(), second.clone()],
    );
    failed.hooks = serde_json::from_value(json!([
        backup(),
        migrate(
            "failed",
            json!({
                "endedAt": before(120), "message": "the Job failed: exit code 1",
                "log": "0007_orders.sql\nERROR: relation \"orders\" already exists",
            })
        ),
    ]))
    .unwrap();
    failed.analysis = serde_json::from_value(json!([
        {
            "name": "errors", "since": before(100), "seq": 3, "notBefore": after(10), "passes": 2,
            "failures": 1, "failed": "errors: 4.1 % of 812, which must be < 0.5%",
            "last": { "at": before(10), "outcome": "fail", "summary": "4.1 % of 812" },
        },
        {
            "name": "p95", "since": before(100), "seq": 2, "notBefore": after(10), "passes": 0,
            "failures": 0, "inconclusive": 2,
            "last": { "at": before(15), "outcome": "inconclusive", "summary": "no data" },
        },
    ]))
    .unwrap();
    let switched = [
        moment(1000, "step-started", "step 1 of 2: preview (0 %)"),
        moment(700, "step-started", "step 2 of 2: switch (100 %)"),
    ];
    let colours = || {
        plan(
            "blue-green",
            &[step("preview", 0, 300_000), step("switch", 10_000, 60_000)],
            true,
        )
    };
    let watching = journal(
        State::Watching(at(1, after(3_000))),
        Why::Watches {
            until: after(3_000),
            kept: true,
        },
        colours(),
        1010,
        &switched,
    );
    let finishing = journal(
        State::Finishing(Finishing { since: before(30) }),
        Why::Finishes {
            what: "waits until storefront has 10 ready pods".to_owned(),
        },
        colours(),
        1010,
        &switched,
    );
    vec![
        ("way-waiting", full(), waiting),
        ("way-preparing", full(), preparing),
        ("way-failed", full(), failed),
        ("way-watching", blue_green(), watching),
        ("way-finishing", blue_green(), finishing),
    ]
}
