//! A cluster that knows nothing but Jobs, and an agent that may die at any write.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::approval::Decision as Ballot;
use crate::hook::{HookRun, HookWhen, JobPods};
use crate::pipeline::HookSpec;
use crate::rollout::fixture::*;
use crate::rollout::*;
use crate::template::template_hash;

/// What a Job does once it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
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
pub(super) struct Job {
    pub(super) cron_job: String,
    pub(super) body: Value,
    pub(super) uid: String,
    pub(super) version: u32,
    pub(super) started_at: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Bed {
    pub(super) case: Case,
    pub(super) clock: i64,
    pub(super) jobs: BTreeMap<String, Job>,
    /// Starts of each Job's name, over all of its lives.
    pub(super) starts: BTreeMap<String, u32>,
    /// Every start, in order.
    pub(super) order: Vec<String>,
    pub(super) does: BTreeMap<&'static str, Does>,
    pub(super) writes: u32,
    /// The write at which the agent dies.
    pub(super) dies_at: Option<u32>,
}

pub(super) const VERIFIED: Does =
    Does::Says(r#"{"verified": true, "restore": "restore.sh backup-7"}"#);

pub(super) fn mk_hook(name: &str, undo: Option<&str>) -> HookSpec {
    HookSpec {
        name: name.into(),
        cron_job: format!("shop-{name}"),
        undo: undo.map(Into::into),
        timeout: "5m".parse().unwrap(),
        verified: name == "backup",
    }
}

/// All votes are in; a verified backup, a migration that can be taken back, and something at the end.
pub(super) fn mk_bed() -> Bed {
    mk_bed_with(None)
}

/// The same with another way to take the backup back.
pub(super) fn mk_bed_with(undo: Option<&str>) -> Bed {
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
    pub(super) fn does(mut self, cron_job: &'static str, does: Does) -> Self {
        self.does.insert(cron_job, does);
        self
    }

    /// What the controller of this agent would see now.
    pub(super) fn look(&mut self) {
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

    pub(super) fn object(&self, object: &ObjectRef) -> Seen<ObjectSeen> {
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

    pub(super) fn pods(&self, name: &str) -> Seen<JobPods> {
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
    pub(super) fn dies(&mut self) -> bool {
        self.writes += 1;
        self.dies_at == Some(self.writes)
    }

    /// One look of the agent, and a second passes.
    pub(super) fn turn(&mut self) -> Decision {
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

    pub(super) fn apply(&mut self, effect: &Effect) {
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
    pub(super) fn pass(&mut self, seconds: i64) {
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
    pub(super) fn through(&mut self, phases: &[&str]) {
        for _ in 0..2000 {
            if !phases.contains(&self.case.journal.phase.as_str()) {
                return;
            }
            self.turn();
        }
        panic!("does not end: {}", self.case.journal.message);
    }

    /// From the gate until the hooks are done or it goes back.
    pub(super) fn prepare(&mut self) {
        self.through(&["AwaitingApproval", "Preparing"]);
    }

    /// Until the stable version serves again.
    pub(super) fn go_back(&mut self) {
        self.through(&["AwaitingApproval", "Preparing", "RollingBack"]);
    }

    /// Hooks as they are journalled: name, when, state, message.
    pub(super) fn hooks(&self) -> Vec<String> {
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

    pub(super) fn run_of(&self, name: &str, when: HookWhen) -> &HookRun {
        let runs = &self.case.journal.hooks;
        runs.iter().find(|r| r.is(name, when)).unwrap()
    }

    pub(super) fn ended(&self) -> &Ending {
        match &self.case.journal.state {
            State::Recording(ending) => ending,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn mk_cron_job() -> Value {
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
