//! What an approver sees, and that all of it is bounded.

use super::*;
use crate::approval::{Channel, Decision as Ballot};
use crate::image::facts::{REVISION, SOURCE, SignatureProof};
use crate::pipeline::Outcome;
use crate::rollout::fixture::*;
use crate::rollout::{End, Ending, StepState, Why};

fn seen(case: &Case) -> Facts {
    let known = Known {
        votes: &case.seen.votes,
        ..Known::default()
    };
    facts(&case.view, &case.journal, &case.policy, &known, case.now)
}

#[test]
fn an_approver_sees_what_the_signature_is_about() {
    let mut c = mk_awaiting();
    let about = &mut c.view.spec.image.about;
    about.keep(SOURCE, "https://git.example.com/shop/storefront");
    about.keep(REVISION, "4f2c9e1");
    c.view.spec.cause.requester = Some(mk_person("carol"));
    c.view.spec.cause.reason = Some("the fix\nhash       0000".into());
    let mut pipeline = PipelineStatus::default();
    let staging = pipeline.environments.entry("staging".into()).or_default();
    for (n, kind) in [(1, OutcomeKind::Succeeded), (2, OutcomeKind::RolledBack)] {
        staging.history.push(Outcome {
            rollout: format!("storefront-staging-{n}"),
            digest: mk_digest('b'),
            tag: None,
            kind,
            drill: false,
            at: t(-600),
        });
    }
    c.vote("alice", Ballot::Approve, 5);
    let known = Known {
        votes: &c.seen.votes,
        pipeline: Some(&pipeline),
        stop: None,
    };
    let facts = facts(&c.view, &c.journal, &c.policy, &known, c.now);
    let hash = c.journal.approval.as_ref().unwrap().hash.clone();
    assert_eq!(facts.hash.as_ref(), Some(&hash));
    assert_eq!(facts.state, FactsState::Open);
    assert_eq!(facts.missing, ["tech-lead"]);
    assert_eq!(facts.given[0].person, "alice");
    assert!(!facts.changes.is_empty());
    let (was, comes) = (mk_digest('a'), mk_digest('b'));
    let text = facts.lines().join("\n").replace(&hash, "HASH");
    expect_test::expect![[r#"
        storefront v1.1.0 to production
        rollout    storefront-production-abcdefgh23
        workload   shop/storefront
        image      registry.example.com/shop/storefront@B
        replaces   v1.0.0 (A)
        source     https://git.example.com/shop/storefront/commit/4f2c9e1
        revision   4f2c9e1
        changes    spec.containers[web].image: registry.example.com/shop/storefront@A → registry.example.com/shop/storefront@B
        plan       10 % for 2m, 50 % for 5m, 100 %
        takes      at least 7m
        checks     http-smoke
        passed     staging at 2026-10-12 08:50:00 UTC (storefront-staging-1)
        asked by   kubernetes:carol@example.com (upstream)
        reason     the fix hash 0000
        given      devops-lead: alice at 2026-10-12 09:00:05 UTC
        missing    tech-lead
        gate       waits for a vote of tech-lead until 2026-10-13 09:00:00 UTC
        lapses     2026-10-13 09:00:00 UTC
        hash       HASH"#]]
    .assert_eq(&text.replace(&was, "A").replace(&comes, "B"));
}

#[test]
fn an_emergency_is_loud_and_asks_others() {
    let mut c = mk_awaiting();
    let both = POLICY.replace(
        "devops-lead: {people: [alice]}",
        "devops-lead: {people: [alice, bob]}",
    );
    let glass = "    breakGlass: {role: devops-lead, people: 2}";
    c.policy = mk_policy(&format!("{both}{glass}\n"));
    c.view.spec.emergency = Emergency::of(false, true);
    let facts = seen(&c);
    assert!(
        facts.title.starts_with("BREAKS THE GLASS"),
        "{}",
        facts.title
    );
    assert_eq!(facts.missing, ["devops-lead", "devops-lead"]);
    assert_eq!(facts.lines()[0], facts.title);
}

#[test]
fn the_gate_tells_everything_that_holds_it() {
    let mut c = mk_awaiting();
    c.policy =
        mk_policy_with("windows: [{freeze: '2026-10-12T00:00/2026-10-14T00:00', reason: audit}]");
    let stop = Stop {
        by: "alice".into(),
        reason: "fire".into(),
        since: t(0),
        until: None,
    };
    let known = Known {
        stop: Some(&stop),
        ..Known::default()
    };
    let opens = facts(&c.view, &c.journal, &c.policy, &known, c.now).opens;
    for part in ["tech-lead", "opens at 2026-10-14", "audit", "alice: fire"] {
        assert!(opens.contains(part), "{opens}");
    }
    // The engine's reason stands there once, whether or not the stop is known here.
    c.journal.why = Some(Why::Stopped {
        by: "alice".into(),
        reason: "fire".into(),
        until: None,
    });
    for known in [known, Known::default()] {
        let opens = facts(&c.view, &c.journal, &c.policy, &known, c.now).opens;
        assert_eq!(opens.matches("alice: fire").count(), 1, "{opens}");
    }
    c.policy = mk_policy(&POLICY.replace("approvals: {", "approvals: {waitTimer: 5m, "));
    c.journal.why = None;
    assert!(seen(&c).opens.contains("then 5m"), "{}", seen(&c).opens);
    let hash = c.journal.approval.clone().unwrap().hash;
    for name in ["alice", "bob"] {
        c.seen
            .votes
            .push(mk_vote(name, Ballot::Approve, &hash, t(5)));
    }
    let facts = seen(&c);
    assert_eq!(facts.state, FactsState::Approved);
    let opens = facts.opens;
    assert_eq!(opens, "the wait timer runs until 2026-10-12 09:05:05 UTC");
    assert_eq!(seen(&c.clone().at(400)).opens, "nothing stands in the way");
}

#[test]
fn it_says_how_it_ended() {
    let mut c = mk_approved();
    c.policy = mk_policy_with("rollback: {window: 60m}");
    assert_eq!(seen(&c).rollback_window.as_deref(), Some("1h"));
    assert_eq!(seen(&c).rollback_until, None);
    let step = StepState {
        index: 0,
        stage: crate::rollout::Stage::Shift,
        since: t(0),
        relapses: 0,
        promoted: false,
    };
    c.set_state(State::Progressing(step));
    assert_eq!(seen(&c).state, FactsState::Begun);
    c.set_state(State::Recording(Ending {
        kind: OutcomeKind::Rejected,
        message: "rejected by bob".into(),
        quarantine: None,
    }));
    let facts = seen(&c);
    assert_eq!(facts.state, FactsState::Closed);
    assert_eq!(facts.outcome, Some(OutcomeKind::Rejected));
    assert_eq!(facts.opens, "rejected by bob");
    c.set_state(State::Ended(End {
        kind: OutcomeKind::Succeeded,
        message: "done".into(),
        at: t(100),
    }));
    assert_eq!(seen(&c).rollback_until, Some(t(3700)));
}

#[test]
fn a_proof_by_another_definition_is_no_signature() {
    let mut c = mk_awaiting();
    c.policy = mk_policy(&format!(
        "{POLICY}signers:\n  ci: {{keyless: {{issuer: 'https://token.example.com', identity: shop}}}}\n"
    ));
    let definition = c.policy.signers["ci"].definition();
    let mut proof = SignatureProof {
        signer: "ci".into(),
        definition,
    };
    c.view.spec.image.about.signatures = vec![proof.clone()];
    assert_eq!(seen(&c).image.signed_by, ["ci"]);
    proof.definition = "0".repeat(64);
    c.view.spec.image.about.signatures = vec![proof];
    assert!(seen(&c).image.signed_by.is_empty());
}

#[test]
fn the_version_changes_with_what_people_see_and_with_nothing_else() {
    let c = mk_awaiting();
    let before = seen(&c);
    assert_eq!(before.version(), seen(&c.clone().at(60)).version());
    let mut troubled = before.clone();
    troubled.asked.push(AskedShown {
        plugin: "slack-approval".into(),
        text: "could not be reached".into(),
    });
    assert_eq!(before.version(), troubled.version());
    let mut voted = c.clone();
    voted.vote("alice", Ballot::Approve, 5);
    assert_ne!(before.version(), seen(&voted).version());
    assert_ne!(before.version(), before.superseded("x").version());
}

#[test]
fn however_much_is_written_the_facts_stay_small() {
    let flood = "\"\\\u{1}ü".repeat(4000);
    let mut c = mk_awaiting();
    c.view.spec.cause.reason = Some(flood.clone());
    c.view.spec.cause.requester = Some(mk_person(&flood));
    c.view.spec.image.tag = Some("v".repeat(128));
    c.view.spec.image.about.keep(SOURCE, &"\"".repeat(512));
    c.view.spec.image.about.keep(REVISION, &"\"".repeat(512));
    c.view.spec.checks = (0..16)
        .map(|n| {
            let mut check = mk_check("http-smoke");
            check.name = Some(format!("{n:0>63}"));
            check
        })
        .collect();
    let mut steps: Vec<_> = (1..32_u16)
        .map(|n| {
            let mut step = mk_step(&format!("{n:0>63}"), n * 300, 80_001);
            step.gate = (n > 1).then(|| format!("{n:0>63}"));
            step
        })
        .collect();
    steps.push(mk_step("all", 10_000, 0));
    c.journal.plan = Some(mk_plan(&steps, 1000));
    let request = c.journal.approval.as_mut().unwrap();
    request.changes = vec![flood.clone(); crate::template::LINES];
    let hash = request.hash.clone();
    for n in 0..300 {
        let mut vote = mk_vote(&format!("{n}{flood}"), Ballot::Approve, &hash, t(5));
        vote.channel = Channel::Web;
        vote.reason = flood.clone();
        c.seen.votes.push(vote);
    }
    c.journal.why = Some(Why::CannotSee { what: flood });
    let facts = seen(&c);
    let json = serde_json::to_string(&facts).unwrap();
    assert!(json.len() <= FACTS_LIMIT, "{} bytes", json.len());
    assert!(json.len() > FACTS_LIMIT / 2, "not tried: {}", json.len());
    assert_eq!(facts.plan.len(), 32);
    assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
    let control = |line: &String| line.contains(|c: char| c.is_control());
    assert!(!facts.lines().iter().any(control));
}
