//! Jobs before and after a Rollout. A [`Bed`] is a cluster that knows nothing but Jobs, and an agent that
//! may die at any write.

use std::collections::BTreeMap;

use expect_test::expect;
use serde_json::{Value, json};

use crate::approval::Decision as Ballot;
use crate::hook::{HookState, HookWhen, JobPods};
use crate::pipeline::{HookSpec, OutcomeKind};
use crate::rollout::fixture::*;
use crate::rollout::*;
use crate::template::template_hash;

/// What a Job does once it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// It ends well and says this.
    Says(&'static str),
    /// Its container exits with 3.
    Fails,
    /// It runs until its deadline, and the Job controller ends it then.
    Hangs,
    /// Its image is never there.
    NoImage,
    /// It is complete at once and no pod ran.
    NoPod,
    /// Somebody deletes it.
    Vanishes,
    /// Nobody looks after it: it never ends.
    Forgotten,
}

#[derive(Clone, Debug)]
struct Job {
    cron_job: String,
    body: Value,
    uid: String,
    version: u32,
    started_at: Option<i64>,
}

#[derive(Clone, Debug)]
struct Bed {
    case: Case,
    clock: i64,
    jobs: BTreeMap<String, Job>,
    /// Starts of each Job's name, over all of its lives.
    starts: BTreeMap<String, u32>,
    /// Every start, in order.
    order: Vec<String>,
    does: BTreeMap<&'static str, Does>,
    writes: u32,
    /// The write at which the agent dies.
    dies_at: Option<u32>,
}

const VERIFIED: Does = Does::Says(r#"{"verified": true, "restore": "restore.sh backup-7"}"#);

fn mk_hook(name: &str, undo: Option<&str>) -> HookSpec {
    HookSpec {
        name: name.into(),
        cron_job: format!("shop-{name}"),
        undo: undo.map(Into::into),
        timeout: "5m".parse().unwrap(),
        verified: name == "backup",
    }
}

/// All votes are in; a verified backup, a migration that can be taken back, and something at the end.
fn mk_bed() -> Bed {
    mk_bed_with(None)
}

/// The same with another way to take the backup back.
fn mk_bed_with(undo: Option<&str>) -> Bed {
    let mut c = mk_queued();
    c.view.spec.course.before = vec![
        mk_hook("backup", undo),
        mk_hook("migrate", Some("shop-migrate-down")),
    ];
    c.view.spec.course.after = vec![mk_hook("tidy", None)];
    c.journal.plan = Some(mk_plan(&mk_proposal(), 10));
    c.journal.candidate_template_hash = Some(template_hash(&mk_template('b')));
    c.set_state(State::AwaitingApproval);
    c.now = t(0);
    let mut bed = Bed {
        case: c,
        clock: 0,
        jobs: BTreeMap::new(),
        starts: BTreeMap::new(),
        order: Vec::new(),
        does: [
            ("shop-backup", VERIFIED),
            ("shop-migrate", Does::Says("41 to 42")),
            ("shop-migrate-down", Does::Says("42 to 41")),
            ("shop-tidy", Does::Says("")),
            ("shop-forget", Does::Says("forgotten")),
        ]
        .into(),
        writes: 0,
        dies_at: None,
    };
    bed.look();
    bed.case.journal = bed.case.decide().journal;
    bed.case.vote("alice", Ballot::Approve, 5);
    bed.case.vote("bob", Ballot::Approve, 6);
    bed.clock = 10;
    bed.case.now = t(10);
    bed
}

impl Bed {
    fn does(mut self, cron_job: &'static str, does: Does) -> Self {
        self.does.insert(cron_job, does);
        self
    }

    /// What the controller of this agent would see now.
    fn look(&mut self) {
        let (view, journal) = (&self.case.view, &self.case.journal);
        self.case.seen.objects = looks_at(view, journal)
            .into_iter()
            .map(|object| (object.to_string(), self.object(&object)))
            .collect();
        self.case.seen.hook_pods = hook_pods_wanted(journal)
            .into_iter()
            .map(|job| {
                let pods = self.pods(&job);
                (job, pods)
            })
            .collect();
    }

    fn object(&self, object: &ObjectRef) -> Seen<ObjectSeen> {
        match object.kind {
            ObjectKind::CronJob if self.does.contains_key(object.name.as_str()) => {
                Seen::Present(ObjectSeen {
                    uid: "cron".into(),
                    resource_version: "1".into(),
                    body: mk_cron_job(),
                    ..ObjectSeen::default()
                })
            }
            ObjectKind::Job => self.jobs.get(&object.name).map_or(Seen::Absent, |job| {
                let label = job.body["metadata"]["labels"][ROLLOUT_LABEL].as_str();
                Seen::Present(ObjectSeen {
                    uid: job.uid.clone(),
                    resource_version: job.version.to_string(),
                    created_by: label.map(Into::into),
                    epoch: 0,
                    body: job.body.clone(),
                })
            }),
            ObjectKind::Service => Seen::Present(ObjectSeen {
                body: json!({"spec": {"selector": {"app": "storefront"}}}),
                ..ObjectSeen::default()
            }),
            _ => Seen::Absent,
        }
    }

    fn pods(&self, name: &str) -> Seen<JobPods> {
        let Some(job) = self.jobs.get(name) else {
            return Seen::Absent;
        };
        let over = job.body.pointer("/status/conditions").is_some();
        let pod = JobPods {
            pod: format!("{name}-abcde"),
            ..JobPods::default()
        };
        let ended = |code, reason: &str, message: &str| JobPods {
            exit_code: Some(code),
            reason: reason.into(),
            message: message.into(),
            log: "one line\n".into(),
            ..pod.clone()
        };
        match self.does[job.cron_job.as_str()] {
            Does::Says(what) if over => Seen::Present(ended(0, "Completed", what)),
            Does::Fails if over => Seen::Present(ended(3, "Error", "no such table")),
            Does::NoImage if !over => Seen::Present(JobPods {
                reason: "ErrImagePull: not found".into(),
                ..pod
            }),
            Does::NoPod | Does::NoImage => Seen::Absent,
            Does::Hangs if over => Seen::Absent,
            _ => Seen::Present(pod),
        }
    }

    /// The agent dies at this write.
    fn dies(&mut self) -> bool {
        self.writes += 1;
        self.dies_at == Some(self.writes)
    }

    /// One look of the agent, and a second passes.
    fn turn(&mut self) -> Decision {
        self.look();
        let d = self.case.decide();
        let effects: Vec<_> = d.effects.iter().filter(|e| !e.is_question()).collect();
        'agent: {
            if d.journal != self.case.journal {
                if self.dies() {
                    break 'agent;
                }
                self.case.journal = d.journal.clone();
            }
            for effect in effects {
                if self.dies() {
                    break 'agent;
                }
                self.apply(effect);
            }
        }
        self.pass(1);
        d
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Claim { rollout_uid, .. } => {
                let target = self.case.target();
                target.claimed_by = Some(rollout_uid.clone());
                target.resource_version = "101".into();
            }
            Effect::Create { manifest } if manifest["kind"] == "Job" => {
                let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
                let cron_job = &manifest["metadata"]["annotations"]["sluice.dev/cron-job"];
                let job = Job {
                    cron_job: cron_job.as_str().unwrap().to_owned(),
                    body: manifest.clone(),
                    uid: format!("job-{}", self.writes),
                    version: 1,
                    started_at: None,
                };
                self.jobs.entry(name).or_insert(job);
            }
            Effect::Patch { object, patch, .. } => {
                let job = self.jobs.get_mut(&object.name).unwrap();
                assert_eq!(object.resource_version, job.version.to_string());
                job.version += 1;
                for op in patch.as_array().unwrap() {
                    let field = op["path"].as_str().unwrap().trim_start_matches("/spec/");
                    if op["op"] == "test" {
                        assert_eq!(job.body["spec"][field], op["value"]);
                        continue;
                    }
                    job.body["spec"][field] = op["value"].clone();
                    if field == "suspend" {
                        job.started_at = Some(self.clock);
                        *self.starts.entry(object.name.clone()).or_default() += 1;
                        self.order.push(job.cron_job.clone());
                    }
                }
            }
            Effect::Delete { object } => {
                self.jobs.remove(&object.name).unwrap();
            }
            // What becomes of pods is looked at elsewhere.
            _ => {}
        }
    }

    /// Time passes: the Job controller works.
    fn pass(&mut self, seconds: i64) {
        self.clock += seconds;
        self.case.now = t(self.clock);
        let end = |job: &mut Job, kind: &str, reason: &str, succeeded: u32| {
            job.version += 1;
            job.body["status"] = json!({
                "succeeded": succeeded,
                "conditions": [{"type": kind, "status": "True", "reason": reason}],
            });
        };
        let mut gone = Vec::new();
        for (name, job) in &mut self.jobs {
            let Some(started) = job.started_at else {
                continue;
            };
            if job.body.pointer("/status/conditions").is_some() {
                continue;
            }
            let deadline = job.body["spec"]["activeDeadlineSeconds"].as_i64().unwrap();
            let does = self.does[job.cron_job.as_str()];
            if self.clock - started >= deadline && does != Does::Forgotten {
                end(job, "Failed", "DeadlineExceeded", 0);
            } else if self.clock - started >= 3 {
                match does {
                    Does::Says(_) => end(job, "Complete", "", 1),
                    Does::Fails => end(job, "Failed", "BackoffLimitExceeded", 0),
                    Does::NoPod => end(job, "Complete", "", 0),
                    Does::Vanishes => gone.push(name.clone()),
                    Does::Hangs | Does::NoImage | Does::Forgotten => {}
                }
            }
        }
        for name in gone {
            self.jobs.remove(&name);
        }
    }

    /// Until it is in none of these phases.
    fn through(&mut self, phases: &[&str]) {
        for _ in 0..2000 {
            if !phases.contains(&self.case.journal.phase.as_str()) {
                return;
            }
            self.turn();
        }
        panic!("does not end: {}", self.case.journal.message);
    }

    /// From the gate until the hooks are done or it goes back.
    fn prepare(&mut self) {
        self.through(&["AwaitingApproval", "Preparing"]);
    }

    /// Until the stable version serves again.
    fn go_back(&mut self) {
        self.through(&["AwaitingApproval", "Preparing", "RollingBack"]);
    }

    /// Hooks as they are journalled: name, when, state, message.
    fn hooks(&self) -> Vec<String> {
        let runs = self.case.journal.hooks.iter();
        runs.map(|r| {
            format!(
                "{} {}: {:?}: {}",
                r.when.as_str(),
                r.name,
                r.state,
                r.message
            )
        })
        .collect()
    }

    fn run_of(&self, name: &str, when: HookWhen) -> &crate::hook::HookRun {
        let runs = &self.case.journal.hooks;
        runs.iter().find(|r| r.is(name, when)).unwrap()
    }

    fn ended(&self) -> &Ending {
        match &self.case.journal.state {
            State::Recording(ending) => ending,
            other => panic!("{other:?}"),
        }
    }
}

fn mk_cron_job() -> Value {
    json!({
        "metadata": {"name": "any", "namespace": "shop"},
        "spec": {"suspend": true, "jobTemplate": {
            "metadata": {"labels": {"part": "data"}, "annotations": {"note": "x"}},
            "spec": {"template": {
                "metadata": {"labels": {"job": "data"}},
                "spec": {
                    "restartPolicy": "OnFailure",
                    "initContainers": [{"name": "wait", "image": "registry.example.com/tools/wait:1"}],
                    "containers": [
                        {"name": "tool", "image": format!("{REPOSITORY}:v0"), "env": [
                            {"name": "SLUICE_HOOK", "value": "forged"}, {"name": "A", "value": "b"},
                        ]},
                    ],
                },
            }},
        }},
    })
}

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
