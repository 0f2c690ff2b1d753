//! How many may be under way at once, and whose turn is next (requirement G13).

use expect_test::expect;

use crate::approval::Decision as Ballot;
use crate::rollout::Other;
use crate::rollout::fixture::*;

fn other(name: &str, environment: &str, begun: bool, wanted: Option<i64>) -> Other {
    Other {
        name: name.into(),
        environment: environment.into(),
        begun,
        slot_wanted_at: wanted.map(t),
    }
}

/// Approved, under a limit.
fn limited(limit: u32, others: Vec<Other>) -> Case {
    let mut c = mk_approved();
    c.policy = mk_policy_with(&format!("limits: {{concurrentRollouts: {limit}}}"));
    c.journal = mk_awaiting().journal;
    c.journal.approval = None;
    c.seen.votes.clear();
    let mut c = c.at(0).then(5);
    c.vote("alice", Ballot::Approve, 1);
    c.vote("bob", Ballot::Approve, 2);
    c.seen.others = others;
    // The place in the line is journalled first.
    let c = c.then(11);
    assert!(c.journal.slot_wanted_at.is_some());
    assert_eq!(c.journal.phase, "AwaitingApproval");
    c
}

#[test]
fn it_begins_when_there_is_room() {
    let busy = vec![
        other("a", "production", true, None),
        other("b", "staging", true, None),
    ];
    assert_eq!(limited(2, busy).decide().journal.phase, "Progressing");
}

#[test]
fn it_waits_for_those_under_way_and_for_those_before_it() {
    let full = vec![
        other("a", "production", true, None),
        other("b", "production", false, Some(4)),
    ];
    check(
        &limited(2, full),
        expect![[r#"
        AwaitingApproval: waits for its turn: the policy lets 2 be under way in production; first come a, b
    "#]],
    );
    let later = vec![
        other("a", "production", true, None),
        other("b", "production", false, Some(15)),
    ];
    assert_eq!(limited(2, later).decide().journal.phase, "Progressing");
    let voting = vec![
        other("a", "production", true, None),
        other("b", "production", false, None),
    ];
    assert_eq!(limited(2, voting).decide().journal.phase, "Progressing");
}

#[test]
fn a_limit_over_all_environments_counts_all() {
    let busy = vec![
        other("a", "staging", true, None),
        other("b", "staging", true, None),
    ];
    let mut c = limited(9, busy);
    c.policy.limits.concurrent_rollouts = Some(2);
    check(
        &c,
        expect![[r#"
        AwaitingApproval: waits for its turn: the policy lets 2 be under way in all environments; first come a, b
    "#]],
    );
}

#[test]
fn whoever_has_to_wait_for_people_again_leaves_the_line() {
    let mut c = limited(1, vec![other("a", "production", true, None)]);
    c.seen.votes.clear();
    assert_eq!(c.decide().journal.slot_wanted_at, None);
}
