//! Putting the stable revision back, from every place.

use expect_test::expect;

use crate::rollout::fixture::*;
use crate::rollout::{Action, Effect, Seen};

#[test]
fn from_ten_percent() {
    check(
        &mk_going_back(0),
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 0
    "#]],
    );
    let mut c = mk_going_back(0);
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.target().claimed_by = Some(UID.into());
    c.seen.canary = Seen::Present(mk_canary('b', 0));
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          delete shop/storefront-canary-lcdy32sopw canary-1
    "#]],
    );
    c.seen.canary = Seen::Absent;
    check(
        &c,
        expect![[r#"
        Recording RolledBack: writes the outcome to the pipeline
          because v1.0.0 serves again: http-smoke failed
          record storefront-production-abcdefgh23 RolledBack
            quarantines v1.1.0: http-smoke failed
    "#]],
    );
}

#[test]
fn from_half_the_canary_goes_as_fast_as_the_service_can_spare_it() {
    check(
        &mk_going_back(1),
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          scale shop/storefront 10
          scale shop/storefront-canary-lcdy32sopw 4
    "#]],
    );
    let mut c = mk_going_back(1);
    c.target().replicas = 10;
    c.target().pods = 10;
    c.target().ready = 8;
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          scale shop/storefront-canary-lcdy32sopw 1
    "#]],
    );
}

#[test]
fn from_the_promotion_the_template_comes_back_first() {
    check(
        &mk_going_back(2),
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          set-template shop/storefront template-a
    "#]],
    );
    let c = mk_going_back(2);
    let d = c.decide();
    let [Effect::SetTemplate { spec_patch, .. }] = d.effects.as_slice() else {
        panic!("{:?}", d.effects);
    };
    let image = &spec_patch["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, format!("{REPOSITORY}@{}", mk_digest('a')));
}

#[test]
fn nine_of_ten_are_not_whole() {
    let mut c = mk_going_back(0);
    c.seen.canary = Seen::Absent;
    // Settled at nine, which is where the step left it.
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          scale shop/storefront 10
    "#]],
    );
}

#[test]
fn more_pods_than_before_are_no_obstacle() {
    let mut c = mk_going_back(0);
    *c.target() = mk_workload("storefront", "target-1", 'a', 12);
    c.target().claimed_by = Some(UID.into());
    c.seen.canary = Seen::Absent;
    assert!(c.show(&c.decide()).starts_with("Recording RolledBack"));
}

#[test]
fn needs_no_policy_no_plugin_no_vote_and_no_window() {
    for index in 0..3 {
        let c = mk_going_back(index);
        let mut bare = c.clone();
        bare.policy = crate::policy::Policy::absent();
        bare.seen.plugins.clear();
        bare.seen.votes.clear();
        bare.seen.environment = Seen::Unknown("etcd is full".into());
        assert_eq!(bare.decide().effects, c.decide().effects);
    }
}

#[test]
fn turning_round_asks_for_the_stable_template_before_it_says_it_is_gone() {
    let mut c = mk_holding(2).request(Action::Abort, "alice");
    c.seen.stable_template = Seen::Absent;
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: aborted by alice@example.com: I say so
          + rolling-back: aborted by alice@example.com: I say so
          looks again in 0 s
    "#]],
    );
    check(
        &c.then(20),
        expect![[r#"
        RollingBack: holds: storefront-m6wqmbxf33: the ControllerRevision is gone
    "#]],
    );
}

#[test]
fn a_revision_that_holds_something_else_is_not_put_back() {
    let mut c = mk_going_back(2);
    c.seen.stable_template = Seen::Present(mk_template('c'));
    check(
        &c,
        expect![[r#"
        RollingBack: holds: storefront-m6wqmbxf33: it does not hold the template it is named for
    "#]],
    );
}

#[test]
fn what_it_never_claimed_is_not_its_to_put_back() {
    let mut c = mk_going_back(0);
    c.journal.claimed = false;
    *c.target() = mk_workload("storefront", "target-1", 'c', 10);
    c.target().claimed_by = Some("uid-of-another".into());
    c.seen.canary = Seen::Absent;
    check(
        &c,
        expect![[r#"
        Recording RolledBack: writes the outcome to the pipeline
          because nothing had been changed: http-smoke failed
          record storefront-production-abcdefgh23 RolledBack
            quarantines v1.1.0: http-smoke failed
    "#]],
    );
    // A claim that somebody took off later is another matter.
    c.journal.claimed = true;
    c.target().claimed_by = None;
    assert_eq!(c.decide().effects.len(), 1);
}

#[test]
fn a_deployment_that_only_has_the_canarys_name_stays() {
    let mut c = mk_going_back(0);
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.canary().created_by = None;
    assert!(c.show(&c.decide()).starts_with("Recording RolledBack"));
}

#[test]
fn ends_as_it_began_to() {
    let mut c = mk_going_back(0);
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.seen.canary = Seen::Absent;
    if let crate::rollout::State::RollingBack(r) = &mut c.journal.state {
        r.ends_as = crate::pipeline::OutcomeKind::Superseded;
        r.candidate_failed = false;
    }
    check(
        &c,
        expect![[r#"
        Recording Superseded: writes the outcome to the pipeline
          because v1.0.0 serves again: http-smoke failed
          record storefront-production-abcdefgh23 Superseded
    "#]],
    );
}
