//! Builders for tests. A [`Case`] is a Rollout in a world in which everything is well; a test changes
//! the one thing that it is about and looks at what is decided. It is past 600 lines because every builder
//! speaks of the same world.

use std::fmt::Write as _;
use std::sync::OnceLock;

use expect_test::Expect;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::approval::{Channel, Decision as Ballot, Vote};
use crate::pipeline::{
    CheckSpec, EnvironmentStatus, OutcomeKind, PluginUse, ReplicasRouter, Revision, RouterSpec,
    StrategySpec, TargetSpec, TriggerKind,
};
use crate::plan::{Plan, PlanLimits, Room};
use crate::plugin::{Outcome, PlanStep, PluginAnswer, PluginInfo, PluginKind, Report};
use crate::policy::{Identity, Policy};
use crate::template::template_hash;

pub(crate) const REPOSITORY: &str = "registry.example.com/shop/storefront";
pub(crate) const UID: &str = "rollout-1";

/// Two roles for production, one required check, at most 10 % in the first step.
pub(crate) const POLICY: &str = "
apiVersion: sluice.dev/v1alpha1
kind: Policy
roles:
  devops-lead: {people: [alice]}
  tech-lead: {people: [bob]}
people:
  - {name: alice, kubernetes: alice@example.com}
  - {name: bob, kubernetes: bob@example.com}
environments:
  production:
    targets: {namespaces: [shop]}
    triggers: [upstream, manual]
    images: {repositories: [registry.example.com/shop/*], tags: ['v*']}
    approvals: {require: [{role: devops-lead}, {role: tech-lead}]}
    strategy: {allow: [canary], firstStepAtMost: 10%}
    checks: {require: [http-smoke]}
";

/// Seconds after nine on a Monday morning.
pub(crate) fn t(seconds: i64) -> Timestamp {
    let monday: Timestamp = "2026-10-12T09:00:00Z".parse().unwrap();
    monday + SignedDuration::from_secs(seconds)
}

pub(crate) fn mk_policy(text: &str) -> Policy {
    // Thousands of cases share the usual one.
    static USUAL: OnceLock<Policy> = OnceLock::new();
    let parse = || Policy::parse(text).unwrap_or_else(|problems| panic!("{problems:?}"));
    if text == POLICY {
        USUAL.get_or_init(parse).clone()
    } else {
        parse()
    }
}

/// [`POLICY`] with more lines in the environment.
pub(crate) fn mk_policy_with(lines: &str) -> Policy {
    mk_policy(&mk_text(lines))
}

/// The same as text.
pub(crate) fn mk_text(lines: &str) -> String {
    let more: String = lines
        .lines()
        .map(|l| format!("    {}\n", l.trim()))
        .collect();
    format!("{POLICY}{more}")
}

pub(crate) fn mk_digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

/// The pod template of a version.
pub(crate) fn mk_template(letter: char) -> Value {
    json!({
        "metadata": {"labels": {"app": "storefront"}},
        "spec": {"containers": [
            {"name": "web", "image": format!("{REPOSITORY}@{}", mk_digest(letter))},
            {"name": "proxy", "image": "registry.example.com/mesh/proxy:v9"},
        ]},
    })
}

pub(crate) fn mk_revision(letter: char, tag: &str) -> Revision {
    let hash = template_hash(&mk_template(letter));
    Revision {
        digest: mk_digest(letter),
        tag: Some(tag.into()),
        name: super::revision_name("storefront", "target-1", &hash),
        template_hash: hash,
        target_uid: "target-1".into(),
        since: t(-86_400),
        promoted_by: Some("storefront-production-earlier".into()),
        ..Revision::default()
    }
}

pub(crate) fn mk_person(name: &str) -> Identity {
    Identity {
        provider: crate::policy::IdentityProvider::Kubernetes,
        username: format!("{name}@example.com"),
        groups: Vec::new(),
    }
}

/// A healthy Deployment.
pub(crate) fn mk_workload(name: &str, uid: &str, letter: char, replicas: u32) -> WorkloadSeen {
    WorkloadSeen {
        kind: ObjectKind::Deployment,
        epoch: 0,
        namespace: "shop".into(),
        name: name.into(),
        uid: uid.into(),
        resource_version: "100".into(),
        generation: 1,
        observed_generation: 1,
        replicas,
        pods: replicas,
        updated: replicas,
        ready: replicas,
        available: replicas,
        max_unavailable: 1,
        update_revision: None,
        spec: json!({
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "storefront"}},
            "template": mk_template(letter),
        }),
        claimed_by: None,
        created_by: None,
    }
}

/// The canary of the case's Rollout, healthy.
pub(crate) fn mk_canary(letter: char, replicas: u32) -> WorkloadSeen {
    let name = canary_name("storefront", UID);
    let mut w = mk_workload(&name, "canary-1", letter, replicas);
    w.created_by = Some(UID.into());
    w
}

pub(crate) fn mk_vote(name: &str, ballot: Ballot, hash: &str, at: Timestamp) -> Vote {
    Vote {
        believed: true,
        id: format!("{name}-{}", at.as_second()),
        approver: mk_person(name),
        channel: Channel::Kubernetes,
        decision: ballot,
        hash: hash.into(),
        at,
        reason: "because".into(),
    }
}

pub(crate) fn mk_request(n: u32, action: Action, name: &str) -> RequestSeen {
    RequestSeen {
        uid: format!("request-{n:04}"),
        action,
        by: mk_person(name),
        reason: Some("I say so".into()),
        at: t(i64::from(n)),
    }
}

pub(crate) fn mk_sibling(name: &str, created: i64, stage: SiblingStage) -> Sibling {
    Sibling {
        name: name.into(),
        uid: format!("uid-of-{name}"),
        pipeline: "storefront".into(),
        created_at: t(created),
        stage,
        returns: false,
        title: format!("what {name} deploys"),
    }
}

pub(crate) fn mk_step(name: &str, weight_bp: u16, hold_s: u64) -> PlanStep {
    PlanStep {
        name: name.into(),
        weight_bp,
        capacity_replicas: None,
        hold_ms: hold_s * 1000,
        checks: true,
        gate: None,
    }
}

/// 10 %, 50 %, 100 %.
pub(crate) fn mk_proposal() -> Vec<PlanStep> {
    vec![
        mk_step("10%", 1000, 120),
        mk_step("50%", 5000, 300),
        mk_step("100%", 10_000, 0),
    ]
}

pub(crate) fn mk_plan(proposal: &[PlanStep], total: u32) -> Plan {
    crate::plan::check(
        "canary",
        proposal,
        Room::Within(total),
        &PlanLimits::default(),
    )
    .unwrap()
}

pub(crate) fn mk_plugins() -> Vec<PluginInfo> {
    let info = |name: &str, kind| PluginInfo {
        name: name.into(),
        kind,
        version: "0.1.0".into(),
        digest: mk_digest('9'),
        problem: None,
    };
    vec![
        info("canary", PluginKind::TrafficStrategy),
        info("http-smoke", PluginKind::SmokeTest),
        info("numbers", PluginKind::MetricProvider),
    ]
}

pub(crate) fn mk_report(outcome: Outcome, summary: &str) -> PluginAnswer {
    PluginAnswer::Report(Report {
        outcome,
        summary: summary.into(),
        checks: Vec::new(),
    })
}

/// `a` serves as v1.0.0; the Rollout brings `b` as v1.1.0. Asked for by upstream.
pub(crate) fn mk_view() -> RolloutView {
    RolloutView {
        namespace: "delivery".into(),
        name: "storefront-production-abcdefgh23".into(),
        uid: UID.into(),
        created_at: t(0),
        spec: RolloutSpec {
            pipeline: "storefront".into(),
            environment: "production".into(),
            target: TargetSpec::of_deployment("shop", "storefront", "storefront"),
            target_uid: "target-1".into(),
            image: CandidateImage::new(REPOSITORY.into(), Some("v1.1.0".into()), mk_digest('b')),
            cause: Cause {
                trigger: TriggerKind::Upstream,
                id: "1".into(),
                requester: None,
                reason: None,
            },
            returns_to: None,
            emergency: None,
            dry_run: false,
            strategy: StrategySpec {
                plugin: "canary".into(),
                router: RouterSpec::Replicas(ReplicasRouter::default()),
                settings: json!({}),
            },
            checks: vec![mk_check("http-smoke")],
            approvals: Vec::new(),
            notify: vec![PluginUse {
                plugin: "notes".into(),
                settings: json!({}),
            }],
            course: crate::pipeline::Course::default(),
            drill: false,
        },
    }
}

pub(crate) fn mk_check(plugin: &str) -> CheckSpec {
    CheckSpec {
        plugin: plugin.into(),
        name: None,
        settings: json!({}),
        optional: false,
        every: None,
    }
}

/// A Rollout at one moment, and everything that is decided on.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) view: RolloutView,
    pub(crate) journal: Journal,
    pub(crate) seen: Observation,
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
}

/// The case of a Rollout that has just been created.
pub(crate) fn mk_queued() -> Case {
    Case {
        view: mk_view(),
        journal: Journal::default(),
        seen: Observation {
            target: Seen::Present(mk_workload("storefront", "target-1", 'a', 10)),
            environment: Seen::Present(EnvironmentStatus {
                stable: Some(mk_revision('a', "v1.0.0")),
                ..EnvironmentStatus::default()
            }),
            plugins: mk_plugins(),
            ..Observation::default()
        },
        policy: mk_policy(POLICY),
        now: t(1),
    }
}

/// A way back from `b` to `a`, just created.
pub(crate) fn mk_return() -> Case {
    let mut c = mk_queued();
    c.view.spec.returns_to = Some(mk_revision('a', "v1.0.0"));
    c.view.spec.image.digest = mk_digest('a');
    c.view.spec.image.tag = Some("v1.0.0".into());
    c.view.spec.cause.trigger = TriggerKind::Manual;
    c.view.spec.cause.requester = Some(mk_person("alice"));
    c.view.spec.cause.reason = Some("v1.1.0 is slow".into());
    c.seen.target = Seen::Present(mk_workload("storefront", "target-1", 'b', 10));
    c.seen.return_template = Seen::Present(mk_template('a'));
    c.environment().stable = Some(mk_revision('b', "v1.1.0"));
    c
}

/// Before the strategy was asked.
pub(crate) fn mk_planning() -> Case {
    let mut c = mk_queued();
    c.set_state(State::Planning {
        attempt: 1,
        not_before: t(1),
    });
    c
}

/// At the gate, with the request for votes open since the instant 0.
pub(crate) fn mk_awaiting() -> Case {
    let mut c = mk_queued();
    c.journal.plan = Some(mk_plan(&mk_proposal(), 10));
    c.journal.candidate_template_hash = Some(template_hash(&mk_template('b')));
    c.set_state(State::AwaitingApproval);
    c.now = t(0);
    c.journal = c.decide().journal;
    c.now = t(10);
    c
}

/// At the gate, with every vote in.
pub(crate) fn mk_approved() -> Case {
    let mut c = mk_awaiting();
    c.vote("alice", Ballot::Approve, 5);
    c.vote("bob", Ballot::Approve, 6);
    c
}

/// In a step of the plan (from 0), with pods as it wants them and the target claimed.
pub(crate) fn mk_in_step(index: u32, stage: Stage) -> Case {
    let mut c = mk_approved();
    let started = c.decide().journal;
    c.journal = started;
    c.journal.timeline.clear();
    c.journal.outbox.clear();
    let stage_shifts = matches!(stage, Stage::Shift);
    let step = StepState {
        index,
        stage,
        since: t(10),
        relapses: 0,
        promoted: false,
    };
    let pods = [(9, 1), (5, 5), (10, 0)][usize::try_from(index).unwrap()];
    let letter = if index == 2 { 'b' } else { 'a' };
    let mut target = mk_workload("storefront", "target-1", letter, pods.0);
    target.claimed_by = Some(UID.into());
    c.journal.claimed = true;
    let from = match stage_shifts {
        true => [10, 9, 5][usize::try_from(index).unwrap()],
        false => pods.0,
    };
    c.journal.scaled = Some(Scaled {
        from,
        to: pods.0,
        other_since: None,
    });
    c.seen.target = Seen::Present(target);
    c.seen.canary = if pods.1 == 0 {
        Seen::Absent
    } else {
        Seen::Present(mk_canary('b', pods.1))
    };
    for passed in 0..index {
        c.journal.checks.push(mk_passed(passed));
    }
    c.set_state(if index == 2 {
        State::Promoting(step)
    } else {
        State::Progressing(step)
    });
    c
}

/// Moving pods.
pub(crate) fn mk_shifting(index: u32) -> Case {
    mk_in_step(index, Stage::Shift)
}

/// With the check asked and not answered.
pub(crate) fn mk_checking(index: u32) -> Case {
    mk_in_step(
        index,
        Stage::Check {
            runs: vec![mk_run("http-smoke")],
            since: t(10),
        },
    )
}

/// Watching after the checks have passed.
pub(crate) fn mk_holding(index: u32) -> Case {
    let mut c = mk_in_step(index, Stage::Hold { until: t(130) });
    c.journal.checks.push(mk_passed(index));
    c
}

/// Asking the strategy.
pub(crate) fn mk_judging(index: u32) -> Case {
    let stage = Stage::Judge {
        attempt: 1,
        not_before: t(10),
        faults: 0,
        proceed: false,
    };
    let mut c = mk_in_step(index, stage);
    c.journal.checks.push(mk_passed(index));
    c
}

/// Rolling back out of a step, before anything was put back.
pub(crate) fn mk_going_back(index: u32) -> Case {
    let mut c = mk_in_step(index, Stage::Shift);
    c.set_state(State::RollingBack(BackReason {
        code: "check-failed".into(),
        message: "http-smoke failed".into(),
        candidate_failed: true,
        step: Some(index),
        since: t(20),
        ends_as: OutcomeKind::RolledBack,
    }));
    c.seen.stable_template = Seen::Present(mk_template('a'));
    c
}

pub(crate) fn mk_run(name: &str) -> CheckRun {
    CheckRun {
        name: name.into(),
        attempt: 1,
        not_before: t(10),
        report: None,
        passed: false,
    }
}

pub(crate) fn mk_passed(step: u32) -> CheckRecord {
    CheckRecord {
        step,
        name: "http-smoke".into(),
        attempt: 1,
        outcome: Outcome::Pass,
        summary: "ok".into(),
        lines: Vec::new(),
        at: t(11),
    }
}

impl Case {
    pub(crate) fn set_state(&mut self, state: State) {
        state.phase().clone_into(&mut self.journal.phase);
        self.journal.state = state;
    }

    pub(crate) fn at(mut self, seconds: i64) -> Self {
        self.now = t(seconds);
        self
    }

    pub(crate) fn target(&mut self) -> &mut WorkloadSeen {
        match &mut self.seen.target {
            Seen::Present(w) => w,
            other => panic!("the target is {other:?}"),
        }
    }

    pub(crate) fn canary(&mut self) -> &mut WorkloadSeen {
        match &mut self.seen.canary {
            Seen::Present(w) => w,
            other => panic!("the canary is {other:?}"),
        }
    }

    pub(crate) fn environment(&mut self) -> &mut EnvironmentStatus {
        match &mut self.seen.environment {
            Seen::Present(e) => e,
            other => panic!("the environment is {other:?}"),
        }
    }

    /// A vote for what is asked for now.
    pub(crate) fn vote(&mut self, name: &str, ballot: Ballot, at: i64) {
        let hash = self
            .journal
            .approval
            .as_ref()
            .map(|a| a.hash.clone())
            .unwrap_or_default();
        self.seen.votes.push(mk_vote(name, ballot, &hash, t(at)));
    }

    pub(crate) fn request(mut self, action: Action, name: &str) -> Self {
        let n = u32::try_from(self.seen.requests.len()).unwrap() + 1;
        self.seen.requests.push(mk_request(n, action, name));
        self
    }

    /// Folds an answer in. `key` is the question's identity within the Rollout.
    pub(crate) fn answer(&mut self, key: &str, answer: PluginAnswer) {
        let fact = Fact::Answered {
            call: CallId(format!("{UID}/{key}")),
            answer,
        };
        self.journal = absorb(&self.view, &self.journal, &fact, self.now);
    }

    /// Decides, and holds the decision to the rules that every decision keeps.
    pub(crate) fn decide(&self) -> Decision {
        let d = decide(
            &self.view,
            &self.journal,
            &self.seen,
            &self.policy,
            self.now,
        );
        let again = decide(
            &self.view,
            &self.journal,
            &self.seen,
            &self.policy,
            self.now,
        );
        assert_eq!(d, again, "the same inputs give the same decision");
        let broken = crate::invariants::broken(&self.view, &self.journal, &self.seen, &d);
        assert!(broken.is_empty(), "{broken:?} in {}", self.show(&d));
        d
    }

    /// Takes the decision's journal over, as after a commit, and lets time pass.
    pub(crate) fn then(mut self, seconds: i64) -> Self {
        self.journal = self.decide().journal;
        self.now = t(seconds);
        self
    }

    /// A decision as text: where and why, what is done, what people are told, when it looks again.
    pub(crate) fn show(&self, d: &Decision) -> String {
        let mut out = String::new();
        let step = match d.journal.state.step() {
            Some(s) => {
                let stage = match &s.stage {
                    Stage::Shift => "shift",
                    Stage::Check { .. } => "check",
                    Stage::Hold { .. } => "hold",
                    Stage::Judge { .. } => "judge",
                };
                format!(" step {} {stage}", s.index + 1)
            }
            None => String::new(),
        };
        let phase = match &d.journal.state {
            State::Recording(e) => format!("Recording {}", e.kind.phase()),
            _ => d.journal.phase.clone(),
        };
        writeln!(out, "{phase}{step}: {}", d.why).unwrap();
        if let State::Recording(e) = &d.journal.state {
            writeln!(out, "  because {}", e.message).unwrap();
        }
        for e in &d.effects {
            let i = e.intent();
            let text = format!("  {} {} {}", i.action, i.object, i.detail);
            writeln!(out, "{}", text.trim_end()).unwrap();
            if let Effect::RecordOutcome {
                promoted,
                quarantine,
                ..
            } = e
            {
                if let Some(r) = promoted {
                    writeln!(
                        out,
                        "    stable is {}",
                        r.tag.as_deref().unwrap_or(&r.digest)
                    )
                    .unwrap();
                }
                if let Some(q) = quarantine {
                    let what = q.tag.as_deref().unwrap_or(&q.digest);
                    writeln!(out, "    quarantines {what}: {}", q.reason).unwrap();
                }
            }
        }
        for m in d.journal.timeline.iter().skip(self.journal.timeline.len()) {
            writeln!(out, "  + {}: {}", m.kind, m.text).unwrap();
        }
        match d.wake_at {
            Some(at) => {
                let s = at.duration_since(self.now).as_secs();
                if s != 30 {
                    writeln!(out, "  looks again in {s} s").unwrap();
                }
            }
            None => writeln!(out, "  never looks again").unwrap(),
        }
        // Hashes of templates are long and say little in a test.
        for letter in ['a', 'b', 'c'] {
            let hash = template_hash(&mk_template(letter));
            out = out.replace(&hash, &format!("template-{letter}"));
        }
        out
    }
}

/// Decides and compares.
#[track_caller]
pub(crate) fn check(case: &Case, expected: Expect) {
    expected.assert_eq(&case.show(&case.decide()));
}
