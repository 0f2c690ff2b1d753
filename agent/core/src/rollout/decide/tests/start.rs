//! The moment before the first change.

use expect_test::expect;

use crate::approval::Decision as Ballot;
use crate::rollout::fixture::*;
use crate::rollout::{Seen, SiblingStage, State};

#[test]
fn the_way_back_is_journalled_before_the_first_write() {
    let d = mk_approved().decide();
    assert_eq!(d.journal.stable, Some(mk_revision('a', "v1.0.0")));
    assert_eq!(d.journal.total_replicas, Some(10));
    let first: Vec<_> = d.effects.iter().map(|e| e.intent().action).collect();
    assert_eq!(
        first,
        ["claim"],
        "the claim is the first write and the only one"
    );
}

#[test]
fn a_target_that_is_not_the_stable_revision_is_drift() {
    let mut c = mk_awaiting();
    c.environment().stable = Some(mk_revision('c', "v0.9.0"));
    let mut c = c.then(20);
    c.vote("alice", Ballot::Approve, 12);
    c.vote("bob", Ballot::Approve, 13);
    check(
        &c,
        expect![[r#"
        AwaitingApproval: holds: the pod template of shop/storefront is not the one that was last promoted or adopted (storefront-7dn3evvlla): somebody else changed it
    "#]],
    );
}

#[test]
fn a_target_that_another_holds_is_waited_for() {
    let mut c = mk_approved();
    let other = mk_sibling("other", -50, SiblingStage::Begun);
    c.target().claimed_by = Some(other.uid.clone());
    c.seen.siblings = vec![other];
    check(
        &c,
        expect![[r#"
        AwaitingApproval: the target is claimed by other, which is not over
    "#]],
    );
    // The claim of one that is over holds nobody.
    c.seen.siblings.clear();
    assert_eq!(c.decide().journal.phase, "Progressing");
}

#[test]
fn one_that_has_begun_goes_first_even_before_its_claim_is_seen() {
    let mut c = mk_approved();
    c.seen.siblings = vec![mk_sibling("other", 50, SiblingStage::Begun)];
    c.seen.siblings[0].pipeline = "another".into();
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for other (what other deploys), which has the target now
    "#]],
    );
}

#[test]
fn shares_are_placed_by_the_pods_of_now() {
    let mut c = mk_approved();
    *c.target() = mk_workload("storefront", "target-1", 'a', 20);
    let plan = c.decide().journal.plan.unwrap();
    assert_eq!(
        (
            plan.steps[0].stable_replicas,
            plan.steps[0].candidate_replicas
        ),
        (18, 2)
    );

    let mut c = mk_approved();
    *c.target() = mk_workload("storefront", "target-1", 'a', 4);
    check(
        &c,
        expect![[r#"
        Recording Refused: writes the outcome to the pipeline
          because with 4 replicas now: the first step would give the candidate 25 % with 4 replicas; the policy allows at most 10 %: 10 replicas are needed
          record storefront-production-abcdefgh23 Refused
    "#]],
    );
}

#[test]
fn no_start_is_remembered_from_before_a_crash() {
    // The start was stored; the agent died before the claim; meanwhile the world changed.
    let started = mk_approved().then(3600);
    let first = started.journal.state.step().unwrap().clone();
    assert!(matches!(started.journal.state, State::Progressing(_)));
    check(
        &started,
        expect![[r#"
        Progressing step 1 shift: step 1: moves pods until the candidate has 10 %
          claim shop/storefront target-1
    "#]],
    );

    let step = started.decide().journal.state.step().unwrap().clone();
    assert_eq!(
        (first.since, step.since),
        (t(10), t(3600)),
        "it gets its time anew"
    );

    let mut frozen = started.clone();
    frozen.policy =
        mk_policy_with("windows: [{freeze: '2026-10-12T00:00/2026-10-14T00:00', reason: audit}]");
    check(
        &frozen,
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead, tech-lead; not counted: alice (superseded: what was to be approved has changed since), bob (superseded: what was to be approved has changed since); lapses at 2026-10-13 10:00:00 UTC
          + approval-requested: what would change is not what was signed: asks again (devops-lead, tech-lead)
          + start-put-off: nothing was changed yet: back to the gate
    "#]],
    );

    let mut rejected = started.clone();
    rejected.vote("bob", Ballot::Reject, 600);
    check(
        &rejected,
        expect![[r#"
        Recording Rejected: writes the outcome to the pipeline
          because rejected by bob (tech-lead): because
          record storefront-production-abcdefgh23 Rejected
          + start-put-off: nothing was changed yet: back to the gate
    "#]],
    );

    let mut taken = started.clone();
    let other = mk_sibling("other", -50, SiblingStage::Begun);
    taken.target().claimed_by = Some(other.uid.clone());
    taken.seen.siblings = vec![other];
    check(
        &taken,
        expect![[r#"
        AwaitingApproval: the target is claimed by other, which is not over
          + start-put-off: nothing was changed yet: back to the gate
    "#]],
    );

    // Somebody else promoted something in between: not ours to claim and to put back.
    let mut late = started.clone();
    late.target().claimed_by = Some("uid-of-one-that-is-over".into());
    late.target().spec["template"] = mk_template('c');
    late.environment().stable = Some(mk_revision('c', "v1.0.5"));
    check(
        &late,
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead, tech-lead; not counted: alice (superseded: what was to be approved has changed since), bob (superseded: what was to be approved has changed since); lapses at 2026-10-13 10:00:00 UTC
          + approval-requested: what would change is not what was signed: asks again (devops-lead, tech-lead)
          + start-put-off: nothing was changed yet: back to the gate
    "#]],
    );

    // What cannot be seen now is not a reason to ask people again.
    let mut blind = started;
    blind.seen.environment = Seen::Unknown("timeout".into());
    let d = blind.decide();
    assert!(
        matches!(d.journal.state, State::Progressing(_)),
        "{}",
        blind.show(&d)
    );
    assert!(d.effects.is_empty());
}

#[test]
fn a_paused_one_does_not_start() {
    let c = mk_approved().request(crate::rollout::Action::Pause, "carol");
    check(
        &c,
        expect![[r#"
        AwaitingApproval: paused by carol@example.com
          + paused: paused by carol@example.com: I say so
    "#]],
    );
}
