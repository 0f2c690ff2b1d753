//! What an emergency leaves out, and what it never does (requirement A7, reliability.md A11, attack 43).

use expect_test::expect;

use crate::approval::Decision as Ballot;
use crate::pipeline::TriggerKind;
use crate::plugin::PluginAnswer;
use crate::rollout::fixture::*;
use crate::rollout::{Emergency, State};

const OFFERS: &str = "skipCanary: {allowedFor: [devops-lead]}
    breakGlass: {role: devops-lead}
    windows: [{allow: 'SAT 09:00-10:00', timeZone: UTC}]";

/// Somebody asks for it, and it stands in the queue.
fn asked(by: &str, skip: bool, glass: bool) -> Case {
    let mut c = mk_queued();
    c.policy = mk_policy(
        &mk_text(OFFERS)
            .replace(
                "devops-lead: {people: [alice]}",
                "devops-lead: {people: [alice, carol]}",
            )
            .replace(
                "people:\n  - {name: alice",
                "people:\n  - {name: carol, kubernetes: carol@example.com}\n  - {name: alice",
            ),
    );
    c.view.spec.cause.trigger = TriggerKind::Manual;
    c.view.spec.cause.requester = Some(mk_person(by));
    c.view.spec.cause.reason = Some("checkout is down".into());
    c.view.spec.emergency = Emergency::of(skip, glass);
    c
}

/// Goes on until it waits for people.
fn until_people(c: Case) -> Case {
    let mut c = c.then(2);
    if c.journal.phase == "Planning" {
        c.answer("plan-1", PluginAnswer::Plan(mk_proposal()));
    }
    c.then(10)
}

#[test]
fn without_a_canary_one_step_takes_all_traffic_and_is_still_checked() {
    let mut c = until_people(asked("alice", true, false));
    let plan = c.journal.plan.clone().unwrap();
    assert_eq!(plan.strategy, "skip-canary");
    assert_eq!(plan.steps.len(), 1);
    assert!(plan.steps[0].step.checks);
    // The window and both roles still hold it, and whoever asked is none of them.
    c.vote("alice", Ballot::Approve, 5);
    c.vote("bob", Ballot::Approve, 6);
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead; given: tech-lead: bob; not counted: alice (the voter asked for this rollout); lapses at 2026-10-13 09:00:01 UTC
    "#]],
    );
}

#[test]
fn breaking_the_glass_asks_two_holders_and_no_calendar() {
    let mut c = until_people(asked("alice", false, true));
    c.vote("alice", Ballot::Approve, 5);
    c.vote("bob", Ballot::Approve, 6);
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead; given: devops-lead: alice; not counted: bob (the voter holds none of the required roles); lapses at 2026-10-13 09:00:02 UTC
    "#]],
    );
    c.vote("carol", Ballot::Approve, 12);
    check(
        &c.at(13),
        expect![[r#"
        Progressing step 1 shift: step 1: moves pods until the candidate has 10 %
          claim shop/storefront target-1
          + started: replaces v1.0.0 in shop/storefront
          + step-started: step 1 of 3: 10% (10 %)
    "#]],
    );
}

#[test]
fn what_the_policy_does_not_offer_is_refused_even_under_way() {
    let mut c = until_people(asked("alice", false, true));
    c.policy = mk_policy(POLICY);
    check(
        &c.at(10),
        expect![[r#"
            Recording Refused: writes the outcome to the pipeline
              because alice may not break the glass in production: the policy offers it to nobody there
              record storefront-production-abcdefgh23 Refused
        "#]],
    );
}

#[test]
fn whoever_asks_needs_the_role_and_a_reason() {
    for (by, reason) in [
        ("bob", Some("because")),
        ("alice", None),
        ("alice", Some(" ")),
    ] {
        let mut c = asked(by, true, true);
        c.view.spec.cause.reason = reason.map(str::to_owned);
        let c = until_people(c);
        let state = c.decide().journal.state;
        assert!(
            matches!(state, State::Recording(_)),
            "{by} {reason:?}: {state:?}"
        );
    }
}
