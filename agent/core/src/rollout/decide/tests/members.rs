//! Workloads that go in lockstep: the same share in every step, in order; back together.

use expect_test::expect;

use crate::pipeline::MemberSpec;
use crate::rollout::fixture::*;
use crate::rollout::{Action, Effect, Scaled, Seen, Stage, WorkloadSeen, canary_name};
use crate::template::template_hash;
use crate::workload::{MemberJournal, MemberRevision, MemberSeen};

fn mk_member(letter: char, replicas: u32) -> WorkloadSeen {
    mk_workload("worker", "worker-1", letter, replicas)
}

fn mk_member_revision(letter: char) -> MemberRevision {
    let hash = template_hash(&mk_template(letter));
    MemberRevision {
        deployment: "worker".into(),
        uid: "worker-1".into(),
        name: crate::rollout::revision_name("worker", "worker-1", &hash),
        template_hash: hash,
    }
}

/// The case with a worker of four pods in its group, before the first change.
fn with_worker(mut c: Case) -> Case {
    c.view.spec.target.with = vec![MemberSpec {
        deployment: "worker".into(),
        container: None,
    }];
    c.seen.members = vec![MemberSeen {
        target: Seen::Present(mk_member('a', 4)),
        ..MemberSeen::default()
    }];
    if let Some(stable) = &mut c.environment().stable {
        stable.members = vec![mk_member_revision('a')];
    }
    c
}

/// The same once it is under way: the worker has so many stable pods and so many of its canary.
fn with_worker_at(c: Case, letter: char, pods: (u32, u32)) -> Case {
    let mut c = with_worker(c);
    c.journal.members = vec![MemberJournal {
        stable: mk_member_revision('a'),
        candidate_template_hash: template_hash(&mk_template('b')),
        total_replicas: 4,
        scaled: Some(Scaled {
            from: 4,
            to: pods.0,
            other_since: None,
        }),
        autoscaler: None,
        claimed: true,
    }];
    worker(&mut c, letter, pods.0);
    if pods.1 > 0 {
        let mut canary = mk_workload(&canary_name("worker", UID), "canary-2", 'b', pods.1);
        canary.created_by = Some(UID.into());
        c.seen.members[0].canary = Seen::Present(canary);
    }
    c
}

fn worker(c: &mut Case, letter: char, replicas: u32) {
    let mut member = mk_member(letter, replicas);
    member.claimed_by = Some(UID.into());
    c.seen.members[0].target = Seen::Present(member);
}

#[test]
fn a_member_comes_after_the_one_before_it_and_with_the_same_share() {
    let mut c = with_worker_at(mk_shifting(1), 'a', (4, 0));
    if let Seen::Present(w) = &mut c.seen.members[0].target {
        w.claimed_by = None;
    }
    check(
        &c,
        expect![[r#"
        Progressing step 2 shift: step 2: moves pods until the candidate has 50 %
          claim shop/worker worker-1
    "#]],
    );
    let c = with_worker_at(mk_shifting(1), 'a', (4, 0));
    check(
        &c,
        expect![[r#"
        Progressing step 2 shift: step 2: moves pods until the candidate has 50 %
          create shop/worker-canary-lcdy32sopw
    "#]],
    );
    let c = with_worker_at(mk_shifting(1), 'a', (4, 2));
    check(
        &c,
        expect![[r#"
        Progressing step 2 shift: step 2: moves pods until the candidate has 50 %
          scale shop/worker 2
    "#]],
    );
    let c = with_worker_at(mk_shifting(1), 'a', (2, 2));
    check(
        &c,
        expect![[r#"
        Progressing step 2 check: step 2: runs http-smoke
          ask rollout-1/check-1-0-http-smoke-1
    "#]],
    );
    // The target is not where it should be yet: the member waits.
    let mut c = with_worker_at(mk_shifting(1), 'a', (4, 0));
    c.canary().ready = 4;
    assert!(c.decide().effects.is_empty());
}

#[test]
fn promotion_is_in_order_too() {
    let c = with_worker_at(mk_shifting(2), 'a', (2, 2));
    check(
        &c,
        expect![[r#"
        Promoting step 3 shift: step 3: moves pods until the candidate has 100 %
          set-template shop/worker template-b
    "#]],
    );
    let c = with_worker_at(mk_shifting(2), 'b', (4, 2));
    check(
        &c,
        expect![[r#"
        Promoting step 3 shift: step 3: moves pods until the candidate has 100 %
          scale shop/worker-canary-lcdy32sopw 0
    "#]],
    );
    let c = with_worker_at(mk_shifting(2), 'b', (4, 0));
    let d = c.decide();
    assert!(matches!(
        d.journal.state.step().map(|s| &s.stage),
        Some(Stage::Check { .. })
    ));
}

#[test]
fn what_each_goes_back_to_is_kept_before_the_first_change() {
    let mut c = with_worker(mk_planning());
    c.journal.proposal = Some(mk_proposal());
    c.journal = c.decide().journal;
    assert!(
        c.journal
            .approval
            .as_ref()
            .unwrap()
            .changes
            .iter()
            .any(|l| l.starts_with("worker: ")),
        "{:?}",
        c.journal.approval
    );
    c.vote("alice", crate::approval::Decision::Approve, 2);
    c.vote("bob", crate::approval::Decision::Approve, 3);
    c.now = t(10);
    let d = c.decide();
    let kept = &d.journal.members;
    assert_eq!(kept.len(), 1, "{}", c.show(&d));
    assert_eq!(kept[0].stable, mk_member_revision('a'));
    assert_eq!(kept[0].total_replicas, 4);
    // Not one of the group may be other than what was kept.
    c.seen.members[0].target = Seen::Present(mk_member('c', 4));
    let d = c.decide();
    assert!(
        d.effects.is_empty() && !d.journal.state.begun(),
        "{}",
        c.show(&d)
    );
    c.seen.members[0].target = Seen::Unknown("timeout".into());
    assert!(!c.decide().journal.state.begun());
    c.seen.members[0].target = Seen::Absent;
    check(
        &c,
        expect![[r#"
        AwaitingApproval: not ready to begin: Deployment shop/worker does not exist
    "#]],
    );
}

#[test]
fn a_person_who_changes_a_member_is_not_fought() {
    let mut c = with_worker_at(mk_holding(1), 'a', (2, 2));
    worker(&mut c, 'c', 2);
    check(
        &c,
        expect![[r#"
        Progressing step 2 hold: holds: somebody else changed the pod template of shop/worker; Sluice does not fight over it
    "#]],
    );
    worker(&mut c, 'a', 7);
    let d = c.decide();
    assert!(d.effects.is_empty());
    assert!(
        d.journal.message.contains("set shop/worker to 7 replicas"),
        "{}",
        c.show(&d)
    );
    assert!(d.journal.members[0].scaled.unwrap().other_since.is_some());
    assert!(d.journal.scaled.unwrap().other_since.is_none());
    let late = c.then(100_000).decide();
    assert_eq!(late.journal.phase, "RollingBack");
}

#[test]
fn all_of_them_go_back_at_the_same_time() {
    let mut c = with_worker_at(mk_going_back(2), 'b', (4, 0));
    c.seen.members[0].stable_template = Seen::Present(mk_template('a'));
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          set-template shop/storefront template-a
          set-template shop/worker template-a
    "#]],
    );
    // The target is back, the member is not: it is not over.
    let mut c = with_worker_at(mk_going_back(1), 'a', (2, 2));
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.target().claimed_by = Some(UID.into());
    c.seen.canary = Seen::Absent;
    check(
        &c,
        expect![[r#"
        RollingBack: rolls back: http-smoke failed
          scale shop/worker 4
          scale shop/worker-canary-lcdy32sopw 1
    "#]],
    );
    worker(&mut c, 'a', 4);
    c.seen.members[0].canary = Seen::Absent;
    let d = c.decide();
    assert_eq!(d.journal.phase, "Recording", "{}", c.show(&d));
}

#[test]
fn a_member_that_was_never_touched_or_is_gone_holds_up_nothing() {
    let mut c = with_worker_at(mk_going_back(1), 'a', (4, 0));
    *c.target() = mk_workload("storefront", "target-1", 'a', 10);
    c.target().claimed_by = Some(UID.into());
    c.seen.canary = Seen::Absent;
    c.journal.members[0].claimed = false;
    if let Seen::Present(w) = &mut c.seen.members[0].target {
        (w.claimed_by, w.ready) = (None, 0);
    }
    assert_eq!(c.decide().journal.phase, "Recording");
    c.journal.members[0].claimed = true;
    c.seen.members[0].target = Seen::Absent;
    assert_eq!(c.decide().journal.phase, "Recording");
    c.seen.members[0].target = Seen::Unknown("timeout".into());
    assert_eq!(c.decide().journal.phase, "RollingBack");
}

#[test]
fn without_the_target_the_others_still_go_back() {
    let mut c = with_worker_at(mk_shifting(2), 'b', (4, 0));
    c.seen.target = Seen::Absent;
    c.seen.members[0].stable_template = Seen::Present(mk_template('a'));
    let d = c.decide();
    assert_eq!(d.journal.phase, "RollingBack", "{}", c.show(&d));
    let [Effect::SetTemplate { deployment, .. }] = d.effects.as_slice() else {
        panic!("{}", c.show(&d));
    };
    assert_eq!(deployment.name, "worker");
}

#[test]
fn a_deleted_member_takes_all_of_them_back() {
    let mut c = with_worker_at(mk_holding(1), 'a', (2, 2));
    c.seen.members[0].target = Seen::Absent;
    let d = c.decide();
    assert_eq!(d.journal.phase, "RollingBack", "{}", c.show(&d));
}

#[test]
fn a_worker_of_the_candidate_that_never_gets_ready_is_its_fault() {
    let mut c = with_worker_at(mk_shifting(1), 'a', (4, 2)).at(3_000);
    if let Seen::Present(canary) = &mut c.seen.members[0].canary {
        (canary.ready, canary.available) = (0, 0);
    }
    let d = c.decide();
    let crate::rollout::State::RollingBack(reason) = &d.journal.state else {
        panic!("{}", c.show(&d));
    };
    assert!(reason.candidate_failed);
}

#[test]
fn nothing_of_a_worker_without_pods_is_moved_before_the_end() {
    let mut c = with_worker_at(mk_shifting(1), 'a', (0, 0));
    c.journal.members[0].total_replicas = 0;
    c.journal.members[0].scaled = None;
    let d = c.decide();
    assert!(
        !d.effects
            .iter()
            .any(|e| e.intent().object.contains("worker")),
        "{}",
        c.show(&d)
    );
}

#[test]
fn under_a_router_that_keeps_the_candidate_apart_it_follows_in_the_last_step() {
    let c = with_worker_at(mk_shifting(1), 'a', (4, 0));
    let mut view = c.view.clone();
    view.spec.strategy.router = crate::pipeline::RouterSpec::Service(Default::default());
    let member = crate::workload::member::view_of(&view, 0, "worker-1");
    assert!(!member.spec.strategy.router.isolates());
    assert_eq!(member.spec.target.name(), "worker");
}

#[test]
fn a_success_keeps_every_template() {
    let mut c = with_worker_at(mk_judging(2), 'b', (4, 0));
    c.answer(
        "judge-2-0-1",
        crate::plugin::PluginAnswer::Judgement(crate::plugin::Judgement::Proceed),
    );
    let c = c.then(20);
    let d = c.decide();
    let promoted = d.effects.iter().find_map(|e| match e {
        Effect::RecordOutcome { promoted, .. } => promoted.clone(),
        _ => None,
    });
    let Some(promoted) = promoted else {
        panic!("{}", c.show(&d));
    };
    assert_eq!(promoted.members, [mk_member_revision('b')]);
    let saved = d
        .effects
        .iter()
        .filter(|e| matches!(e, Effect::SaveRevision { .. }));
    assert_eq!(saved.count(), 2);
}

#[test]
fn a_way_back_is_one_for_all_of_them() {
    let mut c = with_worker(mk_return());
    c.seen.members[0].target = Seen::Present(mk_member('b', 4));
    c.seen.members[0].return_template = Seen::Present(mk_template('a'));
    c.environment().stable.as_mut().unwrap().members = vec![mk_member_revision('b')];
    let to = c.view.spec.returns_to.as_mut().unwrap();
    to.members = vec![mk_member_revision('a')];
    let d = c.decide();
    assert!(d.journal.state.begun(), "{}", c.show(&d));
    let hash = template_hash(&mk_template('a'));
    assert_eq!(d.journal.members[0].candidate_template_hash, hash);
    // A revision from before it was in the group says nothing of it.
    c.view.spec.returns_to.as_mut().unwrap().members.clear();
    let d = c.decide();
    assert!(
        d.journal.message.contains("Refused") || d.journal.phase == "Recording",
        "{}",
        c.show(&d)
    );
}

#[test]
fn a_person_takes_all_of_it_back() {
    let c = with_worker_at(mk_holding(1), 'a', (2, 2)).request(Action::Abort, "alice");
    assert_eq!(c.decide().journal.phase, "RollingBack");
}
