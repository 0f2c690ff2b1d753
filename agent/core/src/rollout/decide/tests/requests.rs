//! What people ask for while it is under way.

use expect_test::expect;

use crate::policy::{Identity, Policy};
use crate::rollout::fixture::*;
use crate::rollout::{Action, State};

#[test]
fn abort_before_the_start_cancels() {
    for c in [mk_queued(), mk_planning(), mk_awaiting()] {
        let c = c.request(Action::Abort, "carol");
        let d = c.decide();
        assert!(
            c.show(&d).starts_with("Recording Cancelled"),
            "{}",
            c.show(&d)
        );
    }
    check(
        &mk_awaiting().request(Action::Abort, "carol"),
        expect![[r#"
        Recording Cancelled: writes the outcome to the pipeline
          because cancelled by carol@example.com before it began: I say so
          record storefront-production-abcdefgh23 Cancelled
    "#]],
    );
}

#[test]
fn abort_after_the_start_puts_the_stable_version_back_without_blame() {
    let c = mk_holding(0).request(Action::Abort, "carol");
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: aborted by carol@example.com: I say so
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
          + rolling-back: aborted by carol@example.com: I say so
    "#]],
    );
    match c.decide().journal.state {
        State::RollingBack(r) => assert!(!r.candidate_failed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rollback_blames_the_candidate() {
    match mk_holding(1)
        .request(Action::Rollback, "carol")
        .decide()
        .journal
        .state
    {
        State::RollingBack(r) => assert!(r.candidate_failed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn pause_holds_and_resume_goes_on() {
    let c = mk_judging(0).request(Action::Pause, "carol");
    check(
        &c,
        expect![[r#"
        Progressing step 1 judge: asks canary whether to go on
          ask rollout-1/judge-0-0-1
          + paused: paused by carol@example.com: I say so
    "#]],
    );
    let c = c.then(20).request(Action::Resume, "dave");
    check(
        &c,
        expect![[r#"
        Progressing step 1 judge: asks canary whether to go on
          ask rollout-1/judge-0-0-1
          + resumed: resumed by dave@example.com
    "#]],
    );
}

#[test]
fn promote_needs_an_approver() {
    check(
        &mk_holding(0).request(Action::Promote, "carol"),
        expect![[r#"
        Progressing step 1 hold: step 1: all checks passed; watches 10 % of the traffic until 2026-10-12 09:02:10 UTC
          + request-refused: kubernetes:carol@example.com may not promote in production: it needs a role that they do not hold; holders of devops-lead or tech-lead may
    "#]],
    );
    check(
        &mk_holding(0).request(Action::Promote, "alice"),
        expect![[r#"
        Progressing step 1 judge: asks canary whether to go on
          ask rollout-1/judge-0-0-1
          + promoted: alice@example.com goes on: I say so
    "#]],
    );
}

#[test]
fn the_policys_permissions_decide() {
    let only = mk_policy_with("permissions: {abort: [devops-lead]}");
    let mut c = mk_holding(0).request(Action::Abort, "carol");
    c.policy = only.clone();
    check(
        &c,
        expect![[r#"
        Progressing step 1 hold: step 1: all checks passed; watches 10 % of the traffic until 2026-10-12 09:02:10 UTC
          + request-refused: kubernetes:carol@example.com may not abort in production: it needs a role that they do not hold; holders of devops-lead may
    "#]],
    );
    let mut c = mk_holding(0).request(Action::Abort, "alice");
    c.policy = only;
    assert_eq!(c.decide().journal.phase, "RollingBack");
}

#[test]
fn without_a_policy_people_can_still_stop_but_not_go_on() {
    for (action, phase) in [
        (Action::Abort, "RollingBack"),
        (Action::Rollback, "RollingBack"),
        (Action::Pause, "Progressing"),
        (Action::Promote, "Progressing"),
    ] {
        let mut c = mk_holding(0).request(action, "alice");
        c.policy = Policy::absent();
        let d = c.decide();
        assert_eq!(d.journal.phase, phase, "{}", c.show(&d));
        let refused = d.journal.handled[0].refused.is_some();
        assert_eq!(refused, action == Action::Promote, "{action:?}");
    }
    let mut c = mk_holding(0).request(Action::Abort, "alice");
    c.policy = Policy::absent();
    c.seen.requests[0].by = Identity {
        provider: crate::policy::IdentityProvider::Kubernetes,
        username: "system:anonymous".into(),
        groups: Vec::new(),
    };
    assert_eq!(c.decide().journal.phase, "Progressing");
}

#[test]
fn a_wish_without_sense_is_answered() {
    check(
        &mk_awaiting().request(Action::Promote, "alice"),
        expect![[r#"
        AwaitingApproval: waits for a vote of: devops-lead, tech-lead; lapses at 2026-10-13 09:00:00 UTC
          + request-refused: it has not begun: there is no step to promote
    "#]],
    );
    check(
        &mk_holding(0).request(Action::Resume, "alice"),
        expect![[r#"
        Progressing step 1 hold: step 1: all checks passed; watches 10 % of the traffic until 2026-10-12 09:02:10 UTC
          + request-refused: it is not paused
    "#]],
    );
    check(
        &mk_going_back(0).request(Action::Abort, "alice"),
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
          + request-refused: it rolls back already; nothing else can be asked of it
    "#]],
    );
}

#[test]
fn each_wish_is_acted_on_once_in_the_order_in_which_they_were_made() {
    let mut c = mk_holding(0)
        .request(Action::Pause, "carol")
        .request(Action::Resume, "carol")
        .request(Action::Pause, "dave");
    c.seen.requests.reverse();
    let d = c.decide();
    assert_eq!(d.journal.paused.as_ref().unwrap().text, "dave@example.com");
    c.journal = d.journal.clone();
    assert_eq!(c.decide().journal, d.journal);
}

#[test]
fn hundreds_of_wishes_are_all_answered_and_none_twice() {
    let mut c = mk_holding(0);
    for n in 1..=200 {
        let action = if n % 2 == 1 {
            Action::Pause
        } else {
            Action::Resume
        };
        let mut r = mk_request(n, action, "carol");
        // Many in the same second, as the API server's clock has it.
        r.at = t(i64::from(n / 50));
        c.seen.requests.push(r);
    }
    let mut sent = 0;
    for _ in 0..20 {
        let d = c.decide();
        sent += d.journal.next_seq - c.journal.next_seq;
        c.journal = d.journal;
    }
    assert_eq!(sent, 200);
    assert_eq!(c.journal.paused, None, "the last wish was to resume");
    let settled = c.decide();
    assert_eq!(settled.journal, c.journal);
    assert!(settled.journal.handled.len() <= 16);
    // And the next one is still heard.
    c.seen
        .requests
        .push(mk_request(500, Action::Abort, "carol"));
    assert_eq!(c.decide().journal.phase, "RollingBack");
}
