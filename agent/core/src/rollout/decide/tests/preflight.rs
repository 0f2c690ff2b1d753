//! Whether everything is there, before people are asked and before the first change.

use std::collections::BTreeMap;

use expect_test::expect;
use serde_json::{Value, json};

use crate::pipeline::HookSpec;
use crate::rollout::fixture::*;
use crate::rollout::*;

fn mk_seen(body: Value) -> Seen<ObjectSeen> {
    Seen::Present(ObjectSeen {
        uid: "u".into(),
        resource_version: "1".into(),
        body,
        ..ObjectSeen::default()
    })
}

fn mk_cron_job(suspend: bool, labels: Value) -> Value {
    json!({"spec": {"suspend": suspend, "jobTemplate": {"spec": {"template": {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "tool", "image": "tool:1"}]},
    }}}}})
}

/// The plan is there and nobody was asked yet. Two hooks; everything is as it should be.
fn mk_planned() -> Case {
    let mut c = mk_awaiting();
    let hook = |name: &str, undo: Option<&str>| HookSpec {
        name: name.into(),
        cron_job: format!("shop-{name}"),
        undo: undo.map(Into::into),
        timeout: "5m".parse().unwrap(),
        verified: false,
    };
    c.view.spec.course.before = vec![hook("migrate", Some("shop-undo"))];
    c.view.spec.course.after = vec![hook("tidy", None)];
    c.journal.approval = None;
    let good = || mk_seen(mk_cron_job(true, json!({"job": "data"})));
    let service = mk_seen(json!({"spec": {"selector": {"app": "storefront"}}}));
    c.seen.objects = [
        ("Service shop/storefront", service),
        ("CronJob shop/shop-migrate", good()),
        ("CronJob shop/shop-undo", good()),
        ("CronJob shop/shop-tidy", good()),
    ]
    .map(|(k, v)| (k.to_owned(), v))
    .into();
    c
}

fn put(c: &mut Case, object: &str, body: Value) {
    c.seen.objects.insert(object.into(), mk_seen(body));
}

#[test]
fn what_is_looked_at_is_what_is_needed() {
    let c = mk_planned();
    let looks: Vec<String> = looks_at(&c.view, &c.journal)
        .iter()
        .map(ToString::to_string)
        .collect();
    let known: Vec<&String> = c.seen.objects.keys().collect();
    assert_eq!(looks.iter().collect::<Vec<_>>().len(), known.len());
    assert!(known.iter().all(|k| looks.contains(k)), "{looks:?}");
    assert!(c.decide().journal.approval.is_some(), "nothing is wrong");
}

#[test]
fn all_problems_are_told_at_once_and_nobody_is_asked() {
    let mut c = mk_planned();
    put(
        &mut c,
        "Service shop/storefront",
        json!({"spec": {"selector": {"app": "shop", "tier": "web"}}}),
    );
    put(
        &mut c,
        "CronJob shop/shop-migrate",
        mk_cron_job(false, json!({"app": "shop", "tier": "web"})),
    );
    c.seen
        .objects
        .insert("CronJob shop/shop-undo".into(), Seen::Absent);
    c.seen.objects.insert(
        "CronJob shop/shop-tidy".into(),
        Seen::Unknown("forbidden".into()),
    );
    c.seen.quotas = Seen::Present(vec![QuotaSeen {
        name: "pods".into(),
        hard: BTreeMap::from([("pods".into(), "10".into())]),
        used: BTreeMap::from([("pods".into(), "10".into())]),
    }]);
    // One pod on top of the ten.
    c.journal.plan.as_mut().unwrap().steps[1].candidate_replicas = 6;
    check(
        &c,
        expect![[r#"
        AwaitingApproval: not ready to begin: CronJob shop/shop-migrate: Service storefront would send requests to its pods; give its template other labels; CronJob shop/shop-migrate: is not suspended: it would also run by itself; set spec.suspend to true; CronJob shop/shop-tidy cannot be read: forbidden; CronJob shop/shop-undo does not exist; ResourceQuota pods has no room for 1 more pods: 10 of 10 pods are taken; Service shop/storefront does not select the pods of storefront: they differ in app, tier
    "#]],
    );
    let d = c.decide();
    assert_eq!(d.journal.approval, None);
    assert!(d.effects.is_empty());
}

#[test]
fn once_people_were_asked_they_are_not_hidden_and_the_start_holds() {
    let mut c = mk_planned();
    c.journal = c.decide().journal;
    c.seen
        .objects
        .insert("CronJob shop/shop-undo".into(), Seen::Absent);
    assert!(matches!(c.decide().why, Why::WaitsForVotes { .. }));
    c.vote("alice", crate::approval::Decision::Approve, 5);
    c.vote("bob", crate::approval::Decision::Approve, 6);
    let c = c.at(20);
    check(
        &c,
        expect![[r#"
        AwaitingApproval: not ready to begin: CronJob shop/shop-undo does not exist
    "#]],
    );
}

#[test]
fn a_target_that_is_not_well_is_not_begun() {
    let mut c = mk_approved();
    c.target().ready = 7;
    check(
        &c,
        expect![[r#"
        AwaitingApproval: not ready to begin: Deployment shop/storefront is not well: 7 of 10 pods are ready and of its newest template
    "#]],
    );
    c.target().ready = 10;
    assert_eq!(c.decide().journal.phase, "Progressing");
}

#[test]
fn a_way_back_is_held_by_nothing_of_this() {
    let mut c = mk_return();
    c.target().ready = 0;
    assert!(looks_at(&c.view, &c.journal).is_empty());
    let d = c.decide();
    assert!(!matches!(d.why, Why::NotReady { .. }), "{}", d.why);
}

#[test]
fn a_dry_run_tells_it_and_ends() {
    let mut c = mk_planned();
    c.view.spec.dry_run = true;
    c.seen
        .objects
        .insert("CronJob shop/shop-undo".into(), Seen::Absent);
    c.target().ready = 7;
    check(
        &c,
        expect![[r#"
        Planned: nothing was changed; the plan is migrate, then 10 % for 2m, 50 % for 5m, 100 %, then tidy; at least 7m; devops-lead and tech-lead would have to approve; not ready to begin: CronJob shop/shop-undo does not exist; Deployment shop/storefront is not well: 7 of 10 pods are ready and of its newest template
          + planned: nothing was changed; the plan is migrate, then 10 % for 2m, 50 % for 5m, 100 %, then tidy; at least 7m; devops-lead and tech-lead would have to approve; not ready to begin: CronJob shop/shop-undo does not exist; Deployment shop/storefront is not well: 7 of 10 pods are ready and of its newest template
          never looks again
    "#]],
    );
}
