//! Jobs before and after a Rollout.

use expect_test::expect;
use serde_json::json;

use crate::hook::{HookState, HookWhen, JobPods};
use crate::pipeline::OutcomeKind;
use crate::rollout::fixture::*;
use crate::rollout::*;

mod bed;

use bed::{Bed, Does, Job, mk_bed, mk_bed_with, mk_cron_job, mk_hook};

#[test]
fn hooks_come_before_traffic_and_in_order() {
    let mut bed = mk_bed();
    bed.prepare();
    assert_eq!(bed.case.journal.phase, "Progressing");
    assert_eq!(bed.order, ["shop-backup", "shop-migrate"]);
    assert_eq!(
        bed.hooks(),
        [
            "before backup: Succeeded: done",
            "before migrate: Succeeded: done"
        ]
    );
    let backup = bed.run_of("backup", HookWhen::Before);
    assert_eq!(backup.restore.as_deref(), Some("restore.sh backup-7"));
    assert!(backup.verified);
    assert_eq!(backup.log, "one line\n");
    assert_eq!(bed.run_of("migrate", HookWhen::Before).result, "41 to 42");
}

#[test]
fn each_hook_is_started_once_wherever_the_agent_dies() {
    let mut whole = mk_bed();
    whole.prepare();
    let writes = whole.writes;
    assert!(writes > 10, "{writes}");
    for at in 1..=writes {
        let mut bed = mk_bed();
        bed.dies_at = Some(at);
        bed.prepare();
        assert_eq!(bed.case.journal.phase, "Progressing", "dies at write {at}");
        assert_eq!(
            bed.order,
            ["shop-backup", "shop-migrate"],
            "dies at write {at}"
        );
        assert!(bed.starts.values().all(|n| *n == 1), "dies at write {at}");
        assert_eq!(bed.jobs.len(), 2, "dies at write {at}");
    }
}

#[test]
fn the_way_of_a_hook() {
    let mut bed = mk_bed();
    let mut said = String::new();
    for _ in 0..7 {
        bed.look();
        let d = bed.case.decide();
        said.push_str(&bed.case.show(&d));
        bed.turn();
    }
    expect![[r#"
        Preparing: takes the target, before anything is changed
          claim shop/storefront target-1
          + started: replaces v1.0.0 in shop/storefront
        Preparing: runs the hook backup (Job storefront-backup-ahzyopwax5); it may take until 2026-10-12 09:10:11 UTC
          create shop/storefront-backup-ahzyopwax5
        Preparing: runs the hook backup (Job storefront-backup-ahzyopwax5); it may take until 2026-10-12 09:06:12 UTC
          patch Job shop/storefront-backup-ahzyopwax5 start
          + hook-started: hook backup (before): started as Job storefront-backup-ahzyopwax5
          looks again in 1 s
        Preparing: runs the hook backup (Job storefront-backup-ahzyopwax5); it may take until 2026-10-12 09:06:12 UTC
          looks again in 1 s
        Preparing: runs the hook backup (Job storefront-backup-ahzyopwax5); it may take until 2026-10-12 09:06:12 UTC
          looks again in 1 s
        Preparing: runs the hook migrate (Job storefront-migrate-fhqpxtux7z); it may take until 2026-10-12 09:10:15 UTC
          + hook-succeeded: hook backup (before): done; verified; to restore: `restore.sh backup-7`
          looks again in 0 s
        Preparing: runs the hook migrate (Job storefront-migrate-fhqpxtux7z); it may take until 2026-10-12 09:10:16 UTC
          create shop/storefront-migrate-fhqpxtux7z
    "#]]
    .assert_eq(&said);
}

#[test]
fn the_job_is_the_cron_jobs_template_with_the_marks_of_the_rollout() {
    let mut bed = mk_bed();
    let manifest = loop {
        let d = bed.turn();
        if let Some(Effect::Create { manifest }) = d.effects.first() {
            break manifest.clone();
        }
    };
    let text = serde_json::to_string_pretty(&manifest).unwrap();
    expect![[r#"
        {
          "apiVersion": "batch/v1",
          "kind": "Job",
          "metadata": {
            "annotations": {
              "note": "x",
              "sluice.dev/cron-job": "shop-backup"
            },
            "labels": {
              "app.kubernetes.io/managed-by": "sluice",
              "part": "data",
              "sluice.dev/role": "hook",
              "sluice.dev/rollout-uid": "rollout-1"
            },
            "name": "storefront-backup-ahzyopwax5",
            "namespace": "shop",
            "ownerReferences": [
              {
                "apiVersion": "apps/v1",
                "blockOwnerDeletion": false,
                "controller": false,
                "kind": "Deployment",
                "name": "storefront",
                "uid": "target-1"
              }
            ]
          },
          "spec": {
            "activeDeadlineSeconds": 300,
            "backoffLimit": 0,
            "suspend": true,
            "template": {
              "metadata": {
                "labels": {
                  "job": "data"
                }
              },
              "spec": {
                "containers": [
                  {
                    "env": [
                      {
                        "name": "A",
                        "value": "b"
                      },
                      {
                        "name": "SLUICE_ROLLOUT_ID",
                        "value": "storefront-production-abcdefgh23"
                      },
                      {
                        "name": "SLUICE_HOOK",
                        "value": "backup"
                      },
                      {
                        "name": "SLUICE_IDEMPOTENCY_KEY",
                        "value": "rollout-1/before/backup"
                      }
                    ],
                    "image": "registry.example.com/shop/storefront@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                    "name": "tool"
                  }
                ],
                "initContainers": [
                  {
                    "env": [
                      {
                        "name": "SLUICE_ROLLOUT_ID",
                        "value": "storefront-production-abcdefgh23"
                      },
                      {
                        "name": "SLUICE_HOOK",
                        "value": "backup"
                      },
                      {
                        "name": "SLUICE_IDEMPOTENCY_KEY",
                        "value": "rollout-1/before/backup"
                      }
                    ],
                    "image": "registry.example.com/tools/wait:1",
                    "name": "wait"
                  }
                ],
                "restartPolicy": "OnFailure"
              }
            },
            "ttlSecondsAfterFinished": 86400
          }
        }"#]]
    .assert_eq(&text);
    // Lists and limits of the template's own stay.
    let mut own = mk_cron_job();
    own["spec"]["jobTemplate"]["spec"]["backoffLimit"] = json!(2);
    own["spec"]["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] = json!(604_800);
    let hook = mk_hook("backup", None);
    let job = crate::hook::HookJob {
        name: &hook.name,
        when: HookWhen::Before,
        cron_job: &hook.cron_job,
        timeout: hook.timeout,
        verified: true,
    };
    let owner = OwnerRef {
        kind: ObjectKind::Deployment,
        name: "storefront".into(),
        uid: "target-1".into(),
    };
    let made = crate::hook::manifest(&bed.case.view, &job, &own, &owner).unwrap();
    assert_eq!(made["spec"]["backoffLimit"], 2);
    assert_eq!(made["spec"]["ttlSecondsAfterFinished"], 604_800);
    let bare =
        json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}});
    assert!(crate::hook::manifest(&bed.case.view, &job, &bare, &owner).is_err());
}

/// Whatever happens to a Job, only one that is seen to be complete is a success.
#[test]
fn what_is_no_success() {
    let mut told = String::new();
    for does in [
        Does::Fails,
        Does::Hangs,
        Does::NoImage,
        Does::NoPod,
        Does::Vanishes,
        Does::Forgotten,
        Does::Says("all good"),
        Does::Says(r#"{"verified": "true"}"#),
    ] {
        let mut bed = mk_bed().does("shop-backup", does);
        bed.go_back();
        told.push_str(&format!("{does:?}\n  {}\n", bed.hooks().join("\n  ")));
        let ending = bed.ended();
        assert_eq!(ending.kind, OutcomeKind::RolledBack);
        assert_eq!(ending.quarantine, None, "the image is not at fault");
        told.push_str(&format!("  {}\n", ending.message));
        assert_eq!(
            bed.order,
            ["shop-backup"],
            "{does:?}: nothing comes after it"
        );
    }
    expect![[r#"
        Fails
          before backup: Failed: BackoffLimitExceeded; exit code 3 (Error)
          v1.0.0 serves again: the hook backup failed: BackoffLimitExceeded; exit code 3 (Error)
        Hangs
          before backup: Failed: DeadlineExceeded
          v1.0.0 serves again: the hook backup failed: DeadlineExceeded
        NoImage
          before backup: Failed: DeadlineExceeded; before: ErrImagePull: not found
          v1.0.0 serves again: the hook backup failed: DeadlineExceeded; before: ErrImagePull: not found
        NoPod
          before backup: Failed: it is complete, but no pod of it ran
          v1.0.0 serves again: the hook backup failed: it is complete, but no pod of it ran
        Vanishes
          before backup: Failed: its Job was deleted while it ran
          v1.0.0 serves again: the hook backup failed: its Job was deleted while it ran
        Forgotten
          before backup: Failed: it did not end in time; its Job may still run
          v1.0.0 serves again: the hook backup failed: it did not end in time; its Job may still run
        Says("all good")
          before backup: Failed: it ended well, but did not say `"verified": true` in its termination message
          v1.0.0 serves again: the hook backup failed: it ended well, but did not say `"verified": true` in its termination message
        Says("{\"verified\": \"true\"}")
          before backup: Failed: it ended well, but did not say `"verified": true` in its termination message
          v1.0.0 serves again: the hook backup failed: it ended well, but did not say `"verified": true` in its termination message
    "#]]
    .assert_eq(&told);
}

#[test]
fn what_was_started_is_taken_back_the_last_first() {
    let mut bed = mk_bed_with(Some("shop-forget")).does("shop-migrate", Does::Fails);
    bed.go_back();
    assert_eq!(
        bed.order,
        [
            "shop-backup",
            "shop-migrate",
            "shop-migrate-down",
            "shop-forget"
        ]
    );
    expect!["v1.0.0 serves again: the hook migrate failed: BackoffLimitExceeded; exit code 3 (Error); where data has to go back: `restore.sh backup-7`"]
    .assert_eq(&bed.ended().message);
}

#[test]
fn an_undo_that_fails_is_told_and_holds_up_nothing() {
    let mut bed = mk_bed()
        .does("shop-migrate", Does::Fails)
        .does("shop-migrate-down", Does::Fails);
    bed.go_back();
    expect!["v1.0.0 serves again: the hook migrate failed: BackoffLimitExceeded; exit code 3 (Error); the undo of the hook migrate FAILED: BackoffLimitExceeded; exit code 3 (Error); where data has to go back: `restore.sh backup-7`"]
    .assert_eq(&bed.ended().message);
    let loud = bed
        .case
        .journal
        .timeline
        .iter()
        .any(|m| m.kind == "hook-failed");
    assert!(loud);
}

#[test]
fn undoing_survives_a_death_at_every_write() {
    let run = |dies_at: Option<u32>| {
        let mut bed = mk_bed().does("shop-migrate", Does::Fails);
        bed.dies_at = dies_at;
        bed.go_back();
        bed
    };
    let writes = run(None).writes;
    for at in 1..=writes {
        let bed = run(Some(at));
        assert_eq!(
            bed.order,
            ["shop-backup", "shop-migrate", "shop-migrate-down"],
            "dies at write {at}"
        );
        assert_eq!(bed.ended().kind, OutcomeKind::RolledBack);
    }
}

#[test]
fn an_abort_stops_what_runs_and_removes_what_never_ran() {
    // Right after the creation: the Job never ran.
    let mut bed = mk_bed();
    while bed.jobs.is_empty() {
        bed.turn();
    }
    bed.case = bed.case.clone().request(Action::Abort, "bob");
    bed.go_back();
    assert!(bed.jobs.is_empty() && bed.order.is_empty());
    assert_eq!(
        bed.run_of("backup", HookWhen::Before).state,
        HookState::NeverStarted
    );

    // While it runs: its deadline comes now, and then it is taken back.
    let mut bed = mk_bed().does("shop-migrate", Does::Hangs);
    while !bed.order.contains(&"shop-migrate".to_owned()) {
        bed.turn();
    }
    bed.turn();
    bed.case = bed.case.clone().request(Action::Abort, "bob");
    bed.go_back();
    assert_eq!(bed.order.last().unwrap(), "shop-migrate-down");
    assert_eq!(
        bed.run_of("migrate", HookWhen::Before).message,
        "DeadlineExceeded"
    );
    assert_eq!(bed.ended().kind, OutcomeKind::RolledBack);
}

#[test]
fn gates_are_looked_at_anew_before_each_hook() {
    let mut bed = mk_bed();
    while !bed.order.contains(&"shop-backup".to_owned()) {
        bed.turn();
    }
    bed.case = bed.case.clone().request(Action::Pause, "bob");
    for _ in 0..20 {
        bed.turn();
    }
    assert_eq!(bed.order, ["shop-backup"], "the one that runs runs on");
    assert!(matches!(bed.case.journal.why, Some(Why::Paused { .. })));
    bed.case = bed.case.clone().request(Action::Resume, "bob");
    bed.prepare();
    assert_eq!(bed.order, ["shop-backup", "shop-migrate"]);
}

#[test]
fn a_job_of_that_name_that_is_not_ours_is_not_touched() {
    let mut bed = mk_bed();
    let name = crate::hook::job_name("storefront", UID, "backup", HookWhen::Before);
    let job = Job {
        cron_job: "shop-backup".into(),
        body: json!({"metadata": {"labels": {}}, "spec": {"suspend": true}}),
        uid: "foreign".into(),
        version: 7,
        started_at: None,
    };
    bed.jobs.insert(name.clone(), job);
    for _ in 0..10 {
        bed.turn();
    }
    expect!["holds: Job shop/storefront-backup-ahzyopwax5: it has the name of a hook's Job, but Sluice did not create it"]
        .assert_eq(&bed.case.journal.message);
    bed.go_back();
    assert_eq!(bed.jobs[&name].version, 7);
    assert_eq!(bed.ended().kind, OutcomeKind::RolledBack);
}

/// Everything has been promoted.
fn mk_finishing(mut bed: Bed) -> Bed {
    let promoted = mk_holding(2);
    bed.case.seen.target = promoted.seen.target;
    bed.case.seen.canary = Seen::Absent;
    let journal = promoted.journal;
    bed.case.journal.claimed = true;
    bed.case.journal.stable = journal.stable;
    bed.case.journal.checks = journal.checks;
    bed.case.journal.scaled = journal.scaled;
    bed.case.journal.total_replicas = journal.total_replicas;
    bed.case
        .set_state(State::Finishing(Finishing { since: t(10) }));
    bed
}

#[test]
fn a_hook_at_the_end_that_fails_is_told_and_takes_nothing_back() {
    let mut bed = mk_finishing(mk_bed());
    bed.through(&["Finishing"]);
    assert_eq!(bed.order, ["shop-tidy"]);
    assert_eq!(bed.ended().message, "v1.1.0 serves");

    let mut bed = mk_finishing(mk_bed().does("shop-tidy", Does::Fails));
    bed.through(&["Finishing"]);
    assert_eq!(bed.ended().kind, OutcomeKind::Succeeded);
    expect!["v1.1.0 serves; the hook tidy FAILED: BackoffLimitExceeded; exit code 3 (Error)"]
        .assert_eq(&bed.ended().message);
}

#[test]
fn ways_back_and_exercises_run_none() {
    let mut bed = mk_bed();
    bed.case.view.spec.returns_to = Some(mk_revision('a', "v1.0.0"));
    bed.case
        .set_state(State::Preparing(Preparing { since: t(0) }));
    bed.case.journal.claimed = true;
    assert!(looks_at(&bed.case.view, &bed.case.journal).is_empty());
    bed.case.view.spec.returns_to = None;
    bed.case.view.spec.drill = true;
    assert!(looks_at(&bed.case.view, &bed.case.journal).is_empty());
    bed.case.view.spec.drill = false;
    assert_eq!(looks_at(&bed.case.view, &bed.case.journal).len(), 2);
}

#[test]
fn many_words_do_not_fill_the_journal() {
    let long = "x".repeat(4000);
    let mut list: Vec<crate::hook::HookRun> = (0..16)
        .map(|n| {
            let mut run = crate::hook::HookRun {
                name: format!("hook-{n:0>58}"),
                job: format!("job-{n:0>59}"),
                ..crate::hook::HookRun::default()
            };
            let pods = JobPods {
                message: format!(
                    "{{\"restore\": \"{}\", \"x\": \"{long}\"}}",
                    "r".repeat(300)
                ),
                log: long.clone(),
                ..JobPods::default()
            };
            run.end(HookState::Failed, &long, Some(&pods), t(0));
            run
        })
        .collect();
    crate::hook::trim(&mut list);
    let size = serde_json::to_vec(&list).unwrap().len();
    assert!(size < 16 * 1024, "{size}");
    assert!(list.iter().all(|r| r.restore.is_some()));
}
