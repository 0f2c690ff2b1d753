//! The document that outlives everything else.

use expect_test::expect_file;
use serde_json::json;

use super::*;
use crate::approval::Decision as Ballot;
use crate::hook::HookState;
use crate::pipeline::OutcomeKind;
use crate::rollout::fixture::*;
use crate::rollout::{End, PhaseTime, State, WentBack};

/// With its keys in order: the order of a map depends on features that other crates of the build ask
/// for.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            keys.into_iter()
                .map(|k| (k.clone(), sorted(&map[k])))
                .collect()
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// What the schema in docs says against a record.
#[track_caller]
fn valid(record: &Value) {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("record.json", schema()).unwrap();
    let index = compiler.compile("record.json", &mut schemas).unwrap();
    if let Err(e) = schemas.validate(record, index) {
        panic!("{e:#}\n{record:#}");
    }
}

#[test]
fn the_schema_in_docs_is_this_one() {
    let text = format!("{:#}\n", sorted(&schema()));
    expect_file!["../../../../docs/record.schema.json"].assert_eq(&text);
}

#[test]
fn what_is_no_record_is_refused() {
    let c = mk_queued();
    let good = record(&c.view, &c.journal, &[]);
    valid(&good);
    for (field, wrong) in [
        ("id", json!(7)),
        ("createdAt", json!(null)),
        ("hooks", json!([{"name": "x"}])),
        ("seconds", json!({})),
    ] {
        let mut bad = good.clone();
        bad[field] = wrong;
        let told = std::panic::catch_unwind(|| valid(&bad));
        assert!(told.is_err(), "{field} is not looked at");
    }
}

/// Every moment of a Rollout has a record that its schema describes.
#[test]
fn records_of_all_moments_are_as_the_schema_says() {
    let mut emergency = mk_queued();
    emergency.view.spec.emergency = crate::rollout::Emergency::of(true, true);
    let cases = [
        mk_queued(),
        mk_return(),
        emergency,
        mk_planning(),
        mk_awaiting(),
        mk_approved(),
        mk_shifting(0),
        mk_checking(1),
        mk_holding(2),
        mk_judging(0),
        mk_going_back(1),
    ];
    for mut c in cases {
        c.vote("alice", Ballot::Reject, 5);
        valid(&record(&c.view, &c.journal, &c.seen.votes));
        let d = c.decide();
        valid(&record(&c.view, &d.journal, &c.seen.votes));
    }
}

#[test]
fn it_holds_who_asked_who_agreed_and_what_came_of_it() {
    let mut c = mk_holding(2);
    c.view.spec.cause.requester = Some(mk_person("carol"));
    c.vote("alice", Ballot::Approve, 5);
    c.journal.started_at = Some(t(10));
    c.journal.ended_at = Some(t(130));
    c.journal.phases.clear();
    c.set_state(State::Ended(End {
        kind: OutcomeKind::Succeeded,
        message: "v1.1.0 serves".into(),
        at: t(130),
    }));
    let r = record(&c.view, &c.journal, &c.seen.votes);
    valid(&r);
    assert_eq!(r["recordVersion"], 1);
    assert_eq!(r["phase"], "Succeeded");
    assert_eq!(
        r["seconds"],
        json!({"waiting": 10.0, "rollingOut": 120.0, "phases": []})
    );
    assert_eq!(r["cause"]["requester"]["username"], "carol@example.com");
    assert_eq!(r["votes"][0]["approver"]["username"], "alice@example.com");
    assert_eq!(r["votes"][0]["hash"], r["approval"]["hash"]);
    assert_eq!(r["replaces"]["tag"], "v1.0.0");
    assert_eq!(r["checks"].as_array().unwrap().len(), 3);
    assert_eq!(r["plan"]["steps"].as_array().unwrap().len(), 3);
    assert_eq!(r["image"]["digest"], mk_digest('b'));
}

#[test]
fn one_that_never_began_has_no_durations() {
    let c = mk_queued();
    let r = record(&c.view, &c.journal, &[]);
    assert_eq!(
        r["seconds"],
        json!({"waiting": null, "rollingOut": null, "phases": []})
    );
}

#[test]
fn each_phase_has_its_time_and_none_is_counted_twice() {
    let mut c = mk_queued().then(5).then(8);
    c.journal.phase = "Progressing".into();
    c.journal.since = Some(t(8));
    c.set_state(State::RollingBack(crate::rollout::BackReason {
        code: "x".into(),
        message: "y".into(),
        candidate_failed: false,
        step: None,
        since: t(8),
        ends_as: OutcomeKind::RolledBack,
    }));
    let mut before = c.journal.clone();
    before.phase = "Progressing".into();
    c.journal.count_phase(&before, t(0), t(10));
    let again = c.journal.clone();
    c.journal.count_phase(&again, t(0), t(99));
    let times: Vec<(&str, u64)> = c
        .journal
        .phases
        .iter()
        .map(|p: &PhaseTime| (p.phase.as_str(), p.ms))
        .collect();
    assert_eq!(times, [("Queued", 1000), ("Progressing", 2000)]);
}

#[test]
fn a_rollback_says_how_fast_it_was_seen_and_undone() {
    let mut c = mk_going_back(1);
    c.journal.went_back = Some(WentBack {
        code: "check-failed".into(),
        message: "http-smoke failed".into(),
        candidate_failed: true,
        step: Some(1),
        under_way_since: Some(t(10)),
        decided_at: t(20),
        done_at: Some(t(23)),
    });
    c.journal.hooks = vec![crate::hook::HookRun {
        name: "backup".into(),
        state: HookState::Succeeded,
        started_at: Some(t(1)),
        ended_at: Some(t(4)),
        result: r#"{"verified": true, "restore": "restore.sh 7"}"#.into(),
        verified: true,
        restore: Some("restore.sh 7".into()),
        ..crate::hook::HookRun::default()
    }];
    let r = record(&c.view, &c.journal, &[]);
    valid(&r);
    assert_eq!(r["rollback"]["step"], 2);
    assert_eq!(r["rollback"]["secondsToDecide"], 10.0);
    assert_eq!(r["rollback"]["secondsToUndo"], 3.0);
    assert_eq!(r["restoreCommand"], "restore.sh 7");
    assert_eq!(r["hooks"][0]["seconds"], 3.0);
    assert_eq!(r["hooks"][0]["result"]["verified"], true);
}
