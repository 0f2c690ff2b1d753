//! StatefulSets, a number of pods at a time, and DaemonSets, all at once.

use expect_test::expect;
use serde_json::json;

use crate::rollout::fixture::*;
use crate::rollout::{Action, Effect, Guard, ObjectKind, Seen};
use crate::template::template_hash;

/// The case with its target made a StatefulSet of ten pods: so many of them are `b`.
fn mk_set(mut c: Case, letter: char, partition: u32, updated: u32) -> Case {
    c.view.spec.target.stateful_set = Some("storefront".into());
    c.view.spec.target.deployment.clear();
    c.seen.canary = Seen::Absent;
    let mut set = mk_workload("storefront", "target-1", letter, 10);
    set.kind = ObjectKind::StatefulSet;
    set.spec["updateStrategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}});
    set.updated = updated;
    set.claimed_by = Some(UID.into());
    *c.target() = set;
    c.journal.scaled = c.journal.scaled.map(|s| crate::rollout::Scaled {
        from: 10,
        to: 10,
        ..s
    });
    if letter == 'b' {
        c.journal.partition_before = Some(0);
    }
    c
}

fn mk_daemon_set(mut c: Case, letter: char) -> Case {
    c.view.spec.target.daemon_set = Some("storefront".into());
    c.view.spec.target.deployment.clear();
    c.seen.canary = Seen::Absent;
    let mut set = mk_workload("storefront", "target-1", letter, 10);
    set.kind = ObjectKind::DaemonSet;
    set.spec.as_object_mut().unwrap().remove("replicas");
    set.claimed_by = Some(UID.into());
    *c.target() = set;
    c
}

#[test]
fn a_share_is_one_write_of_template_and_partition() {
    let c = mk_set(mk_shifting(0), 'a', 0, 10);
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: step 1: moves pods until the candidate has 10 %
          set-template StatefulSet shop/storefront template-b partition 9
    "#]],
    );
    let d = c.decide();
    let [Effect::SetTemplate { spec_patch, .. }] = d.effects.as_slice() else {
        panic!("{:?}", d.effects);
    };
    assert_eq!(
        spec_patch["updateStrategy"]["rollingUpdate"]["partition"],
        9
    );
    assert!(spec_patch.get("replicas").is_none());
    assert_eq!(d.journal.partition_before, Some(0), "journalled before it");
}

#[test]
fn the_step_is_reached_when_its_pods_are_ready_and_no_sooner() {
    let mut c = mk_set(mk_shifting(0), 'b', 9, 0);
    c.target().ready = 9;
    c.target().available = 9;
    check(
        &c,
        expect![[r#"
        Progressing step 1 shift: waits until storefront has 10 ready pods and no others; rolls back at 2026-10-12 09:10:10 UTC
    "#]],
    );
    check(
        &mk_set(mk_shifting(0), 'b', 9, 1),
        expect![[r#"
        Progressing step 1 check: step 1: runs http-smoke
          ask rollout-1/check-0-0-http-smoke-1
    "#]],
    );
    // The next step lowers the partition and touches nothing else.
    check(
        &mk_set(mk_shifting(1), 'b', 9, 1),
        expect![[r#"
        Progressing step 2 shift: step 2: moves pods until the candidate has 50 %
          set-template StatefulSet shop/storefront template-b partition 5
    "#]],
    );
    check(
        &mk_set(mk_shifting(1), 'b', 5, 4),
        expect![[r#"
        Progressing step 2 shift: waits until storefront has 10 ready pods and no others; rolls back at 2026-10-12 09:10:10 UTC
    "#]],
    );
}

#[test]
fn promotion_takes_every_pod_and_gives_the_partition_back() {
    check(
        &mk_set(mk_shifting(2), 'b', 5, 5),
        expect![[r#"
        Promoting step 3 shift: step 3: moves pods until the candidate has 100 %
          set-template StatefulSet shop/storefront template-b partition 0
    "#]],
    );
    let mut c = mk_set(mk_shifting(2), 'b', 0, 10);
    c.journal.partition_before = Some(3);
    check(
        &c,
        expect![[r#"
        Promoting step 3 shift: step 3: moves pods until the candidate has 100 %
          set-template StatefulSet shop/storefront template-b partition 3
    "#]],
    );
    let mut c = mk_set(mk_shifting(2), 'b', 3, 10);
    c.journal.partition_before = Some(3);
    check(
        &c,
        expect![[r#"
        Promoting step 3 check: step 3: runs http-smoke
          ask rollout-1/check-2-0-http-smoke-1
    "#]],
    );
}

#[test]
fn no_pod_is_moved_while_a_gate_is_closed() {
    let mut c = mk_set(mk_shifting(1), 'b', 9, 1);
    c.seen.votes.clear();
    let d = c.decide();
    assert!(d.effects.is_empty(), "{}", c.show(&d));
}

#[test]
fn a_partition_that_somebody_else_set_is_not_fought_over() {
    let c = mk_set(mk_holding(0), 'b', 2, 8);
    check(
        &c,
        expect![[r#"
        Progressing step 1 hold: holds: somebody else set the partition of shop/storefront to 2; Sluice had set 9, and does not fight over it
    "#]],
    );
}

#[test]
fn back_is_template_and_partition_in_one_write() {
    let c = mk_set(mk_going_back(1), 'b', 5, 5);
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          set-template StatefulSet shop/storefront template-a partition 0
    "#]],
    );
    // Every pod is stable again; what the partition was comes last.
    let mut c = mk_set(mk_going_back(1), 'a', 0, 10);
    c.journal.partition_before = Some(4);
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          set-template StatefulSet shop/storefront template-a partition 4
    "#]],
    );
    let c = mk_set(mk_going_back(1), 'a', 0, 10);
    let d = c.decide();
    assert_eq!(d.journal.phase, "Recording", "{}", c.show(&d));
}

#[test]
fn a_candidate_pod_that_never_gets_ready_is_removed_and_no_other() {
    let mut c = mk_set(mk_going_back(0), 'a', 0, 9);
    c.target().ready = 9;
    c.target().available = 9;
    let pod = Guard {
        kind: ObjectKind::Pod,
        namespace: "shop".into(),
        name: "storefront-9".into(),
        uid: "pod-9".into(),
        resource_version: "7".into(),
    };
    c.seen.pods_in_the_way = Seen::Present(vec![pod]);
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          delete Pod shop/storefront-9 pod-9
    "#]],
    );
    // Old numbers say nothing of which revision is wanted.
    c.target().generation = 2;
    assert!(c.decide().effects.is_empty());
    c.target().generation = 1;
    // This controller goes back by itself.
    c.target().spec["podManagementPolicy"] = json!("Parallel");
    assert!(c.decide().effects.is_empty());
    c.target().spec["podManagementPolicy"] = json!("OrderedReady");
    c.seen.pods_in_the_way = Seen::Unknown("timeout".into());
    check(
        &c,
        expect![[r#"
        RollingBack: holds: the pods of StatefulSet shop/storefront: timeout
    "#]],
    );
}

#[test]
fn a_pod_that_does_not_get_ready_is_the_candidates_fault() {
    let mut c = mk_set(mk_shifting(0), 'b', 9, 1).at(3_000);
    c.target().ready = 9;
    let d = c.decide();
    let crate::rollout::State::RollingBack(reason) = &d.journal.state else {
        panic!("{}", c.show(&d));
    };
    assert!(reason.candidate_failed);
}

#[test]
fn a_person_takes_it_back_whenever_they_want() {
    let c = mk_set(mk_holding(1), 'b', 5, 5).request(Action::Abort, "alice");
    let d = c.decide();
    assert_eq!(d.journal.phase, "RollingBack", "{}", c.show(&d));
}

#[test]
fn a_daemon_set_goes_as_a_whole() {
    let c = mk_daemon_set(mk_shifting(2), 'a');
    check(
        &c,
        expect![[r#"
        Promoting step 3 shift: step 3: moves pods until the candidate has 100 %
          set-template DaemonSet shop/storefront template-b
    "#]],
    );
    // A node went away meanwhile: there is one pod fewer, and nothing to scale.
    let mut c = mk_daemon_set(mk_shifting(2), 'b');
    let target = c.target();
    (target.replicas, target.pods, target.updated) = (9, 9, 9);
    (target.ready, target.available) = (9, 9);
    check(
        &c,
        expect![[r#"
        Promoting step 3 check: step 3: runs http-smoke
          ask rollout-1/check-2-0-http-smoke-1
    "#]],
    );
    let c = mk_daemon_set(mk_going_back(2), 'b');
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          set-template DaemonSet shop/storefront template-a
    "#]],
    );
}

#[test]
fn a_plan_that_the_kind_cannot_hold_is_refused_with_what_to_write() {
    let mut c = mk_daemon_set(mk_planning(), 'a');
    c.target().claimed_by = None;
    c.journal.proposal = Some(mk_proposal());
    check(
        &c,
        expect![[r#"
        Recording Refused: writes the outcome to the pipeline
          because the plan does not fit: DaemonSet shop/storefront cannot hold a release at a share of its nodes: plan one step of 100 %, such as with the strategy `rolling`
          record storefront-production-abcdefgh23 Refused
    "#]],
    );
}

#[test]
fn what_succeeded_is_kept_as_it_is() {
    let c = mk_set(mk_judging(2), 'b', 0, 10);
    let mut c = c.then(200);
    c.answer(
        "judge-2-0-1",
        crate::plugin::PluginAnswer::Judgement(crate::plugin::Judgement::Proceed),
    );
    let d = c.decide();
    let saved = d.effects.iter().find_map(|e| match e {
        Effect::SaveRevision { owner, hash, .. } => Some((owner.kind, hash.clone())),
        _ => None,
    });
    let hash = template_hash(&mk_template('b'));
    assert_eq!(saved, Some((ObjectKind::StatefulSet, hash)));
}
