use serde_json::json;
use sluice_core::plugin::{ApprovalDecision, Invocation, Outcome, Series, SeriesRole};

use super::*;

fn invocation() -> Invocation {
    serde_json::from_value(json!({
        "release": {
            "id": "r", "from_revision": null, "to_revision": "sha256:2", "images": [],
            "subject_digest": "sha256:3",
            "workload": {"cluster": "c", "namespace": "n", "kind": "Deployment", "name": "d", "uid": "u"},
        },
        "settings": {}, "idempotency_key": "k", "attributes": [],
        "targets": {"candidate": [], "stable": [], "service": null},
    }))
    .unwrap()
}

/// Every question there is.
fn questions() -> Vec<PluginCall> {
    let (plugin, ticket) = ("p".to_owned(), "t".to_owned());
    let invocation = invocation();
    let step = step(1);
    let event =
        json!({"id": "e", "kind": "k", "severity": "info", "title": "t", "body": "b", "links": []});
    let of = |call: &str, more: serde_json::Value| {
        let mut value =
            json!({"call": call, "plugin": &plugin, "invocation": &invocation, "ticket": &ticket});
        value
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value::<PluginCall>(value).unwrap()
    };
    vec![
        of("run-smoke-test", json!({})),
        of(
            "evaluate-metrics",
            json!({"from_unix_ms": 0, "to_unix_ms": 1}),
        ),
        of("plan", json!({})),
        of("judge", json!({"step": step, "observations": []})),
        of("notify", json!({"event": event})),
        of("ask-approval", json!({})),
        of("poll-approval", json!({})),
        of("withdraw-approval", json!({})),
        of("approval-callback", json!({"headers": [], "body": []})),
        of("validate-settings", json!({"settings": {}})),
    ]
}

fn step(weight_bp: u16) -> PlanStep {
    PlanStep {
        name: "s".to_owned(),
        weight_bp,
        capacity_replicas: None,
        hold_ms: 0,
        checks: true,
        gate: None,
    }
}

fn report_of(outcome: Outcome, lines: usize) -> Report {
    let check = CheckLine {
        name: "n\u{1b}[2K".to_owned(),
        outcome,
        message: "m".repeat(100_000),
        elapsed_ms: 1,
    };
    Report {
        outcome: Outcome::Pass,
        summary: "all\nwell".to_owned(),
        checks: vec![check; lines],
    }
}

/// The answers that fit, in the order of the questions; asking and polling share one.
fn answers() -> Vec<PluginAnswer> {
    vec![
        PluginAnswer::Report(Report {
            outcome: Outcome::Pass,
            summary: "ok".into(),
            checks: vec![],
        }),
        PluginAnswer::Measurement(Measurement {
            series: vec![],
            summary: "ok".into(),
        }),
        PluginAnswer::Plan(vec![step(10_000)]),
        PluginAnswer::Judgement(Judgement::Proceed),
        PluginAnswer::Notified(Some("thread".into())),
        PluginAnswer::Approval(ApprovalStatus::Expired),
        PluginAnswer::Approval(ApprovalStatus::Pending("t".repeat(4096))),
        PluginAnswer::Withdrawn,
        PluginAnswer::ApprovalCallback(None),
        PluginAnswer::Settings(vec![]),
    ]
}

#[test]
fn every_question_takes_its_own_answer_and_no_other() {
    for (asked, question) in questions().iter().enumerate() {
        for (said, of_another) in answers().into_iter().enumerate() {
            let fits = asked == said || [asked, said] == [5, 6] || [asked, said] == [6, 5];
            let checked = answer(question, of_another.clone());
            match fits {
                true => assert_eq!(checked, Ok(of_another)),
                false => assert_eq!(checked, Err("it answered another question".to_owned())),
            }
        }
    }
}

#[test]
fn a_report_that_lies_or_forges_is_none() {
    let smoke = &questions()[0];
    let checked = |report| match answer(smoke, PluginAnswer::Report(report)) {
        Ok(PluginAnswer::Report(report)) => Ok(report),
        Ok(other) => panic!("{other:?}"),
        Err(why) => Err(why),
    };
    assert!(checked(report_of(Outcome::Pass, 129)).is_err());
    let lying = checked(report_of(Outcome::Fail, 2)).unwrap();
    assert_eq!(lying.outcome, Outcome::Fail);
    let clean = checked(report_of(Outcome::Pass, 1)).unwrap();
    assert_eq!(
        (clean.summary.as_str(), clean.checks[0].name.as_str()),
        ("all well", "n[2K")
    );
    assert!(clean.checks[0].message.len() <= MAX_MESSAGE_BYTES);
}

#[test]
fn what_is_counted_or_compared_is_refused_rather_than_cut() {
    let decided = |subject: String| {
        ApprovalStatus::Decided(ApprovalDecision {
            approved: true,
            approver: "a\u{202e}".repeat(1000),
            reason: "r".repeat(10_000),
            subject_digest: subject,
        })
    };
    let series = |events, value| Measurement {
        series: vec![Series {
            role: SeriesRole::Candidate,
            events,
            total: 1,
            value,
        }],
        summary: String::new(),
    };
    let all = questions();
    for (question, bad) in [
        (&all[1], PluginAnswer::Measurement(series(2, None))),
        (
            &all[1],
            PluginAnswer::Measurement(series(0, Some(f64::NAN))),
        ),
        (&all[2], PluginAnswer::Plan(vec![step(10_001)])),
        (&all[2], PluginAnswer::Plan(vec![step(1); 257])),
        (&all[4], PluginAnswer::Notified(Some("t".repeat(1025)))),
        (&all[4], PluginAnswer::Notified(Some("t\u{7}".into()))),
        (
            &all[5],
            PluginAnswer::Approval(ApprovalStatus::Pending("t".repeat(4097))),
        ),
        (
            &all[6],
            PluginAnswer::Approval(ApprovalStatus::Pending("t\n".into())),
        ),
        (&all[6], PluginAnswer::Approval(decided("x".repeat(129)))),
        (
            &all[8],
            PluginAnswer::ApprovalCallback(Some(decided("a b".into()))),
        ),
        (
            &all[9],
            PluginAnswer::Settings(vec![
                SettingsIssue {
                    pointer: String::new(),
                    message: String::new(),
                    hint: None
                };
                65
            ]),
        ),
    ] {
        assert!(answer(question, bad.clone()).is_err(), "{bad:?}");
    }
    match answer(&all[6], PluginAnswer::Approval(decided("sha256:3".into()))) {
        Ok(PluginAnswer::Approval(ApprovalStatus::Decided(decision))) => {
            assert!(decision.approver.len() <= 256 && !decision.approver.contains('\u{202e}'));
            assert!(decision.reason.len() <= LINE);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fault_cannot_forge_a_code_or_flood() {
    for code in [
        "",
        "plugin/",
        "other/x",
        "plugin/X",
        "plugin/a\nb",
        &format!("plugin/{}", "a".repeat(64)),
    ] {
        let said = PluginFault {
            code: code.to_owned(),
            message: "m\u{1b}".repeat(10_000),
            retryable: false,
        };
        match answer(&questions()[0], PluginAnswer::Failed(said)) {
            Ok(PluginAnswer::Failed(fault)) => {
                assert_eq!(fault.code, "plugin/bad-answer");
                assert!(
                    fault.message.len() <= MAX_MESSAGE_BYTES && !fault.message.contains('\u{1b}')
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

fn info(name: &str) -> PluginInfo {
    PluginInfo {
        name: name.to_owned(),
        kind: sluice_core::plugin::PluginKind::SmokeTest,
        version: "1".repeat(100),
        digest: format!("sha256:{}", "a".repeat(64)),
        problem: Some("p".repeat(100_000)),
    }
}

fn of(plugins: Vec<PluginInfo>) -> State {
    State {
        version: "0".repeat(64),
        plugins,
        problems: Vec::new(),
    }
}

#[test]
fn a_state_out_of_shape_is_refused_as_a_whole() {
    let broken = |change: fn(&mut PluginInfo)| {
        let mut plugin = info("good");
        change(&mut plugin);
        of(vec![plugin])
    };
    for bad in [
        State {
            version: "x".repeat(64),
            ..of(vec![])
        },
        State {
            version: String::new(),
            ..of(vec![])
        },
        of(vec![info("twice"), info("twice")]),
        of((0..65).map(|n| info(&format!("p{n}"))).collect()),
        broken(|p| p.name = "No Name".into()),
        broken(|p| p.digest = "sha256:x".into()),
        broken(|p| p.digest = "a".repeat(64)),
    ] {
        assert!(state(bad.clone()).is_err(), "{bad:?}");
    }
}

/// The bound on the bytes of a state holds whatever the host has to say, so that an honest host is
/// never turned away for its size.
#[test]
fn the_largest_state_fits_and_cutting_again_changes_nothing() {
    let long = "\"".repeat(100_000);
    let card = Card {
        code: format!("plugin/{}", "c".repeat(57)),
        subject: long.clone(),
        effect: long.clone(),
        place: long.clone(),
        why: vec![long.clone(); 100],
        change: long.clone(),
    };
    let mut largest = of((0..64).map(|n| info(&format!("p{n}"))).collect());
    for plugin in &mut largest.plugins {
        plugin.problem = Some(long.clone());
    }
    largest.problems = vec![card; 200];
    let once = state(largest).unwrap();
    let bytes = serde_json::to_vec(&once).unwrap().len();
    assert!(bytes <= super::super::STATE_BYTES, "{bytes}");
    assert_eq!(once.problems.len(), MAX_CARDS);
    assert_eq!(state(once.clone()), Ok(once));
}
