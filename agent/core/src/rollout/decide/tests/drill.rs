//! Drills: the whole way with the version that serves, and back on purpose.

use expect_test::expect;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::pipeline::OutcomeKind;
use crate::rollout::fixture::*;
use crate::rollout::{DRILL_ANNOTATION, Effect, Ending, Seen, Stage, State};
use crate::template::template_hash;

const LEAVE: &str = "drills: {allowedFor: [devops-lead]}";

/// The template that serves, with the mark of the drill.
fn marked() -> Value {
    let mut template = mk_template('a');
    template["metadata"]["annotations"][DRILL_ANNOTATION] = json!(UID);
    template
}

/// The same moment of a drill by alice, with v1.0.0, which serves.
fn drill(mut c: Case) -> Case {
    c.view.spec.drill = true;
    c.view.spec.image.digest = mk_digest('a');
    c.view.spec.image.tag = Some("v1.0.0".into());
    c.view.spec.cause.trigger = crate::pipeline::TriggerKind::Manual;
    c.view.spec.cause.requester = Some(mk_person("alice"));
    c.policy = mk_policy_with(LEAVE);
    if c.journal.candidate_template_hash.is_some() {
        c.journal.candidate_template_hash = Some(template_hash(&marked()));
    }
    c
}

/// At the gate.
fn at_the_gate() -> Case {
    let mut c = drill(mk_queued());
    c.journal.plan = Some(mk_plan(&mk_proposal(), 10));
    c.set_state(State::AwaitingApproval);
    c.now = t(10);
    c
}

#[test]
fn it_waits_for_its_turn_and_is_planned_like_a_release() {
    check(
        &drill(mk_queued()),
        expect![[r#"
            Planning: asks canary for the plan
              ask rollout-1/plan-1
        "#]],
    );
}

#[test]
fn it_needs_nobodys_vote_and_differs_from_what_serves_by_its_mark() {
    let c = at_the_gate();
    let d = c.decide();
    assert!(
        matches!(d.journal.state, State::Progressing(_)),
        "{}",
        c.show(&d)
    );
    assert_eq!(
        d.journal.candidate_template_hash,
        Some(template_hash(&marked()))
    );
    assert_ne!(template_hash(&marked()), template_hash(&mk_template('a')));
}

#[test]
fn whom_the_policy_does_not_name_holds_none() {
    let mut c = at_the_gate();
    c.policy = mk_policy(POLICY);
    let said = c.show(&c.decide());
    assert!(said.contains("Recording Refused"), "{said}");
    assert!(
        said.contains(
            "alice may not hold a drill in production: the policy offers it to nobody there"
        ),
        "{said}"
    );
    let mut c = at_the_gate();
    c.view.spec.cause.requester = Some(mk_person("bob"));
    let said = c.show(&c.decide());
    assert!(said.contains("holders of devops-lead may"), "{said}");
}

#[test]
fn a_closed_window_and_a_pause_hold_it() {
    let mut c = at_the_gate();
    c.policy = mk_policy_with(&format!(
        "{LEAVE}\nwindows: [{{allow: 'TUE 09:00-17:00', timeZone: UTC}}]"
    ));
    let d = c.decide();
    assert_eq!(d.effects, []);
    assert!(matches!(d.journal.state, State::AwaitingApproval));
}

/// All traffic has what the drill brought, and was watched.
fn at_its_end() -> Case {
    let mut c = drill(mk_holding(2));
    c.target().spec["template"] = marked();
    let since = c.now;
    let mut step = c.journal.state.step().unwrap().clone();
    step.stage = Stage::Hold { until: since };
    c.set_state(State::Promoting(step));
    c.seen.stable_template = Seen::Present(mk_template('a'));
    c.now = since + SignedDuration::from_secs(5);
    c
}

#[test]
fn after_the_last_step_it_goes_back_on_purpose() {
    let c = at_its_end();
    let d = c.decide();
    let said = c.show(&d);
    assert!(said.starts_with("RollingBack: "), "{said}");
    assert!(
        said.contains("the drill is over: everything goes back as planned"),
        "{said}"
    );
    assert!(
        d.effects.iter().any(
            |e| matches!(e, Effect::SetTemplate { template_hash: hash, .. }
                if *hash == template_hash(&mk_template('a')))
        ),
        "{said}"
    );
    let report = d.journal.drill_report().unwrap();
    assert!(!report.as_planned, "it is not back yet");
    assert!(report.ready.is_some() && report.switched.is_some() && report.back.is_none());
}

#[test]
fn its_end_says_nothing_about_the_version_that_serves() {
    let mut c = drill(mk_going_back(0));
    c.set_state(State::Recording(Ending {
        kind: OutcomeKind::RolledBack,
        message: "v1.0.0 serves again".into(),
        quarantine: Some("http-smoke failed".into()),
    }));
    let d = c.decide();
    let recorded = d.effects.iter().find_map(|e| match e {
        Effect::RecordOutcome {
            outcome,
            promoted,
            quarantine,
        } => Some((outcome.clone(), promoted.clone(), quarantine.clone())),
        _ => None,
    });
    let (outcome, promoted, quarantine) = recorded.unwrap();
    assert_eq!((promoted, quarantine), (None, None));
    assert!(outcome.drill);
    let after = c.environment().clone().with_outcome(outcome, None, None);
    assert_eq!(after.tried, Vec::<String>::new());
    assert_eq!(after.history.len(), 1);
}

#[test]
fn what_is_found_on_the_way_is_not_as_planned() {
    let mut c = drill(mk_going_back(0));
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.target().claimed_by = Some(UID.into());
    c.seen.canary = Seen::Absent;
    let report = c.decide().journal.drill_report().unwrap();
    assert!(!report.as_planned);
}
