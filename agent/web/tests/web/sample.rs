//! A site with constructed objects: a storefront with two environments and one rollout in every
//! state. Used by the tests and by the gallery example. It is past 600 lines because it is one list of objects,
//! not logic.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use sluice_cluster::crd::{Approval, Pipeline, Request, Rollout};
use sluice_controller::World;
use sluice_core::pipeline::OutcomeKind;
use sluice_core::plan::{Plan, PlanLimits, Room, check};
use sluice_core::plugin::{CheckLine, Outcome, PlanStep, Report};
use sluice_core::policy::Policy;
use sluice_core::port::Clock;
use sluice_core::rollout::{
    ApprovalRequest, BackReason, CheckRecord, CheckRun, End, Ending, Handled, Journal, Moment,
    Replaced, Stage, State, StepState, Why,
};
use sluice_sim::Cluster;
use sluice_web::{Doors, Web, WebConfig, WebState};
use tokio::sync::watch;

pub(crate) const NAMESPACE: &str = "delivery";
pub(crate) const AUDIENCE: &str = "sluice";
pub(crate) const HASH: &str = "5f1d7a84db00d2fce00b31a7fc73224f5f1d7a84db00d2fce00b31a7fc73224f";

pub(crate) const POLICY: &str = r#"
apiVersion: sluice.dev/v1alpha1
kind: Policy
people:
  - {name: alice, kubernetes: alice@example.com}
  - {name: bob, kubernetes: bob@example.com}
  - {name: carol, kubernetes: carol@example.com}
roles:
  devops-lead: {people: [alice]}
  tech-lead: {people: [carol], groups: [tech-leads]}
defaults:
  images: {repositories: ["registry.example.com/shop/*"]}
environments:
  staging:
    targets: {namespaces: [staging]}
    triggers: [registry, manual]
  production:
    targets: {namespaces: [shop]}
    triggers: [upstream, manual]
    after: [staging]
    approvals: {require: [{role: devops-lead}, {role: tech-lead}]}
    permissions: {abort: [devops-lead, tech-lead], pause: [devops-lead]}
"#;

/// A clock that a test sets.
pub(crate) struct Dial(Mutex<Timestamp>);

impl Dial {
    pub(crate) fn turn(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Default for Dial {
    fn default() -> Self {
        Self(Mutex::new(now()))
    }
}

impl Clock for Dial {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Monday, 5 January 2026, 10:00 UTC.
pub(crate) fn now() -> Timestamp {
    "2026-01-05T10:00:00Z".parse().unwrap()
}

pub(crate) fn before(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(crate) fn after(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// The web door before a simulated cluster, with caches that a test fills.
pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    pub(crate) web: Web,
    pub(crate) dial: Arc<Dial>,
    pub(crate) policy: watch::Sender<Arc<Policy>>,
    pipelines: Writer<Pipeline>,
    rollouts: Writer<Rollout>,
    approvals: Writer<Approval>,
    requests: Writer<Request>,
}

impl Site {
    pub(crate) fn new(config: WebConfig) -> Self {
        Self::parts(config, Arc::new(Dial::default())).0
    }

    /// The site and the state to serve it with.
    pub(crate) fn parts(config: WebConfig, dial: Arc<Dial>) -> (Self, WebState) {
        let cluster = Cluster::fast(1);
        cluster.user("alice@example.com", &[]);
        cluster.user("bob@example.com", &[]);
        cluster.user("carol@example.com", &["tech-leads"]);
        let (pipelines_seen, mut pipelines) = reflector::store();
        let (rollouts_seen, mut rollouts) = reflector::store();
        let (approvals_seen, mut approvals) = reflector::store();
        let (requests_seen, mut requests) = reflector::store();
        for done in [Event::Init, Event::InitDone] {
            pipelines.apply_watcher_event(&done);
        }
        for done in [Event::Init, Event::InitDone] {
            rollouts.apply_watcher_event(&done);
        }
        for done in [Event::Init, Event::InitDone] {
            approvals.apply_watcher_event(&done);
        }
        for done in [Event::Init, Event::InitDone] {
            requests.apply_watcher_event(&done);
        }
        let world = World {
            pipelines: pipelines_seen,
            rollouts: rollouts_seen,
            approvals: approvals_seen,
            requests: requests_seen,
        };
        let (policy, policy_seen) = watch::channel(Arc::new(Policy::parse(POLICY).unwrap()));
        let state = || WebState {
            world: world.clone(),
            client: cluster.client(&cluster.agent()),
            policy: policy_seen.clone(),
            clock: dial.clone(),
            doors: Doors::default(),
            config: config.clone(),
        };
        let web = Web::new(state());
        let state = state();
        let site = Self {
            web,
            dial,
            policy,
            pipelines,
            rollouts,
            approvals,
            requests,
            cluster,
        };
        (site, state)
    }

    /// A token of this user for our page.
    pub(crate) fn token(&self, user: &str) -> String {
        self.cluster.mint_token(user, &[AUDIENCE])
    }

    /// Puts a Rollout into cluster and cache. It was created ten minutes ago.
    pub(crate) fn rollout(&mut self, name: &str, spec: Value, journal: &Journal) -> Rollout {
        let stored = self
            .cluster
            .apply(json!({
                "apiVersion": "sluice.dev/v1alpha1",
                "kind": "Rollout",
                "metadata": { "name": name, "namespace": NAMESPACE },
                "spec": spec,
                "status": journal,
            }))
            .unwrap();
        let mut object: Rollout = serde_json::from_value(stored).unwrap();
        let created = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(before(600));
        object.metadata.creation_timestamp = Some(created);
        self.rollouts
            .apply_watcher_event(&Event::Apply(object.clone()));
        object
    }

    pub(crate) fn pipeline(&mut self, name: &str, spec: Value, status: Value) {
        let stored = self
            .cluster
            .apply(json!({
                "apiVersion": "sluice.dev/v1alpha1",
                "kind": "Pipeline",
                "metadata": { "name": name, "namespace": NAMESPACE },
                "spec": spec,
                "status": status,
            }))
            .unwrap();
        let object: Pipeline = serde_json::from_value(stored).unwrap();
        self.pipelines.apply_watcher_event(&Event::Apply(object));
    }

    /// Shows the cache what the page has written: votes and wishes.
    pub(crate) fn catch_up(&mut self) {
        for value in self
            .cluster
            .objects(sluice_sim::Resource::Approvals, NAMESPACE)
        {
            let object: Approval = serde_json::from_value((*value).clone()).unwrap();
            self.approvals.apply_watcher_event(&Event::Apply(object));
        }
        for value in self
            .cluster
            .objects(sluice_sim::Resource::Requests, NAMESPACE)
        {
            let object: Request = serde_json::from_value((*value).clone()).unwrap();
            self.requests.apply_watcher_event(&Event::Apply(object));
        }
    }

    /// A wish from outside the page, with what became of it.
    pub(crate) fn request(&mut self, name: &str, spec: Value, status: Value) {
        let object: Request = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1",
            "kind": "Request",
            "metadata": {
                "name": name, "namespace": NAMESPACE, "uid": name,
                "creationTimestamp": before(60),
            },
            "spec": spec,
            "status": status,
        }))
        .unwrap();
        self.requests.apply_watcher_event(&Event::Apply(object));
    }

    /// A vote from outside the page.
    pub(crate) fn vote(&mut self, name: &str, rollout: &Rollout, who: &str, hash: &str) {
        let object: Approval = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1",
            "kind": "Approval",
            "metadata": {
                "name": name, "namespace": NAMESPACE, "uid": name,
                "creationTimestamp": before(60),
            },
            "spec": {
                "rollout": rollout.metadata.name, "rolloutUid": rollout.metadata.uid,
                "hash": hash, "approver": who, "decision": "approve",
            },
        }))
        .unwrap();
        self.approvals.apply_watcher_event(&Event::Apply(object));
    }
}

pub(crate) fn config() -> WebConfig {
    WebConfig {
        audience: AUDIENCE.to_owned(),
        ..WebConfig::default()
    }
}

pub(crate) fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

pub(crate) fn spec(tag: &str, letter: char) -> Value {
    json!({
        "pipeline": "storefront",
        "environment": "production",
        "target": { "namespace": "shop", "deployment": "storefront", "service": "storefront" },
        "targetUid": "uid-storefront",
        "image": {
            "repository": "registry.example.com/shop/storefront", "tag": tag,
            "digest": digest(letter),
        },
        "cause": { "trigger": "upstream", "id": "1" },
        "strategy": { "plugin": "canary", "router": { "replicas": {} }, "settings": {} },
        "checks": [{ "plugin": "http-smoke", "settings": { "requests": [{ "path": "/health" }] } }],
    })
}

fn revision(tag: &str, letter: char, since: i64) -> Value {
    json!({
        "digest": digest(letter), "tag": tag, "templateHash": "t", "name": format!("storefront-{tag}"),
        "targetUid": "uid-storefront", "since": before(since), "promotedBy": format!("done-{tag}"),
    })
}

pub(crate) fn pipeline_spec() -> Value {
    let environment = |name: &str, namespace: &str, after: &[&str], trigger: Value| {
        json!({
            "name": name, "after": after,
            "target": {
                "namespace": namespace, "deployment": "storefront", "service": "storefront",
            },
            "triggers": [trigger],
            "strategy": { "plugin": "canary", "settings": {} },
            "checks": [{ "plugin": "http-smoke", "settings": {} }],
        })
    };
    json!({
        "image": {
            "repository": "registry.example.com/shop/storefront", "tags": { "semver": ">=1.0.0" },
        },
        "environments": [
            environment("staging", "staging", &[], json!({ "registry": { "every": "1m" } })),
            environment("production", "shop", &["staging"], json!({ "upstream": {} })),
        ],
    })
}

pub(crate) fn pipeline_status() -> Value {
    json!({ "environments": {
        "staging": {
            "stable": revision("v1.1.0", 'b', 1_200),
            "history": [{
                "rollout": "storefront-staging-1", "digest": digest('b'), "tag": "v1.1.0",
                "kind": "Succeeded", "at": before(1_200),
            }],
            "attempt": 0,
        },
        "production": {
            "stable": revision("v1.0.0", 'a', 86_400 * 9),
            "earlier": [revision("v0.9.0", '9', 86_400 * 30)],
            "quarantined": [{
                "digest": digest('e'), "tag": "v1.0.9", "rollout": "storefront-production-0",
                "reason": "GET /health answered 500, expected 200", "at": before(86_400),
            }],
            "refused": {
                "digest": digest('f'), "tag": "v2.0.0",
                "reasons": ["the tag v2.0.0 fits none of v1.*"], "at": before(4_000),
            },
            "waiting": "the registry registry.example.com did not answer for 3 minutes",
            "attempt": 0,
        },
    }})
}

pub(crate) fn plan() -> Plan {
    let step = |name: &str, weight_bp: u16, hold_ms: u64, gate: Option<&str>| PlanStep {
        name: name.to_owned(),
        weight_bp,
        capacity_replicas: None,
        hold_ms,
        checks: true,
        gate: gate.map(str::to_owned),
    };
    let steps = [
        step("first", 1_000, 120_000, None),
        step("half", 5_000, 300_000, Some("half-open")),
        step("all", 10_000, 0, None),
    ];
    check("canary", &steps, Room::Within(10), &PlanLimits::default()).unwrap()
}

fn step(index: u32, stage: Stage) -> StepState {
    StepState {
        index,
        stage,
        since: before(90),
        relapses: 0,
        promoted: false,
    }
}

fn moment(ago: i64, kind: &str, text: &str) -> Moment {
    Moment {
        at: before(ago),
        kind: kind.to_owned(),
        text: text.to_owned(),
    }
}

fn planned(state: State, why: Why) -> Journal {
    Journal {
        phase: state.phase().to_owned(),
        message: why.to_string(),
        since: Some(before(90)),
        plan: Some(plan()),
        approval: Some(ApprovalRequest {
            hash: HASH.to_owned(),
            policy_hash: "77aa".repeat(16),
            plugins: [("canary", 'c'), ("http-smoke", 'd')]
                .map(|(name, letter)| (name.to_owned(), digest(letter)))
                .into(),
            replaces: Some(Replaced {
                tag: Some("v1.0.0".to_owned()),
                digest: digest('a'),
            }),
            changes: vec![
                "- containers[storefront].image: registry.example.com/shop/storefront@sha256:aaa"
                    .to_owned(),
                "+ containers[storefront].image: registry.example.com/shop/storefront@sha256:bbb"
                    .to_owned(),
            ],
            requested_at: before(300),
            expires_at: after(86_100),
        }),
        timeline: vec![
            moment(
                600,
                "created",
                "proposed by upstream: v1.1.0 succeeded in staging",
            ),
            moment(
                300,
                "approval-requested",
                "waits for devops-lead and tech-lead",
            ),
        ],
        total_replicas: Some(10),
        state,
        why: Some(why),
        ..Journal::default()
    }
}

fn begun(state: State, why: Why) -> Journal {
    let mut journal = planned(state, why);
    journal.started_at = Some(before(120));
    journal.stable = serde_json::from_value(revision("v1.0.0", 'a', 86_400 * 9)).unwrap();
    journal.timeline.push(moment(
        120,
        "started",
        "approved by alice and carol: begins",
    ));
    journal
}

fn ended(kind: OutcomeKind, message: &str, mut journal: Journal) -> Journal {
    let end = End {
        kind,
        message: message.to_owned(),
        at: before(30),
    };
    journal.state = State::Ended(end);
    journal.phase = kind.phase().to_owned();
    journal.why = Some(Why::Ended {
        message: message.to_owned(),
    });
    journal.message = message.to_owned();
    journal.ended_at = Some(before(30));
    journal.since = Some(before(30));
    journal.timeline.push(moment(30, "ended", message));
    journal
}

fn check_record(step: u32, outcome: Outcome, summary: &str, lines: Vec<CheckLine>) -> CheckRecord {
    CheckRecord {
        step,
        name: "http-smoke".to_owned(),
        attempt: 1,
        outcome,
        summary: summary.to_owned(),
        lines,
        at: before(60),
    }
}

pub(crate) fn failing_line() -> CheckLine {
    CheckLine {
        name: "GET /health".to_owned(),
        outcome: Outcome::Fail,
        message: "expected status 200 and status=ok, got 500 and status=down".to_owned(),
        elapsed_ms: 41,
    }
}

pub(crate) fn awaiting() -> Journal {
    let why = Why::WaitsForVotes {
        missing: vec!["devops-lead".to_owned(), "tech-lead".to_owned()],
        given: Vec::new(),
        ignored: Vec::new(),
        expires_at: after(86_100),
    };
    planned(State::AwaitingApproval, why)
}

pub(crate) fn holding() -> Journal {
    let stage = Stage::Hold { until: after(45) };
    let why = Why::Holds {
        step: 1,
        share_bp: 1_000,
        until: after(45),
    };
    let mut journal = begun(State::Progressing(step(0, stage)), why);
    journal.checks = vec![check_record(
        0,
        Outcome::Pass,
        "1 request, 1 as expected",
        Vec::new(),
    )];
    journal
        .timeline
        .push(moment(60, "checks-passed", "step 1: http-smoke passed"));
    journal
}

pub(crate) fn paused() -> Journal {
    let mut journal = holding();
    journal.why = Some(Why::Paused {
        by: "alice@example.com".to_owned(),
    });
    journal.paused = Some(moment(20, "paused", "alice@example.com"));
    journal.handled = vec![Handled {
        uid: "request-1".to_owned(),
        refused: None,
    }];
    journal
}

/// One journal per state that a person can meet, with the name of the Rollout that has it.
pub(crate) fn every_state() -> Vec<(&'static str, Journal)> {
    let bare = |state: State, why: Why| Journal {
        phase: state.phase().to_owned(),
        message: why.to_string(),
        since: Some(before(90)),
        state,
        why: Some(why),
        ..Journal::default()
    };
    let report = Report {
        outcome: Outcome::Inconclusive,
        summary: "no connection to 10.0.0.7:8080".to_owned(),
        checks: Vec::new(),
    };
    let run = CheckRun {
        name: "http-smoke".to_owned(),
        attempt: 2,
        not_before: before(1),
        report: Some(report),
        passed: false,
    };
    let back = BackReason {
        code: "check-failed".to_owned(),
        message: "http-smoke failed at 10 %: GET /health answered 500".to_owned(),
        candidate_failed: true,
        step: Some(0),
        since: before(20),
        ends_as: OutcomeKind::RolledBack,
    };
    let failed = || {
        let why = Why::RollsBack {
            reason: back.message.clone(),
        };
        let mut journal = begun(State::RollingBack(back.clone()), why);
        let summary = "1 request, 1 not as expected";
        journal.checks = vec![check_record(
            0,
            Outcome::Fail,
            summary,
            vec![failing_line()],
        )];
        journal
    };
    let plan_at = before(5);
    vec![
        (
            "queued",
            bare(
                State::Queued,
                Why::WaitsForRollout {
                    name: "holding".to_owned(),
                    title: "storefront v1.1.0 to production".to_owned(),
                },
            ),
        ),
        (
            "planning",
            bare(
                State::Planning {
                    attempt: 1,
                    not_before: plan_at,
                },
                Why::AskingForPlan {
                    plugin: "canary".to_owned(),
                },
            ),
        ),
        ("awaiting", awaiting()),
        (
            "shifting",
            begun(
                State::Progressing(step(1, Stage::Shift)),
                Why::MovesPods {
                    step: Some(2),
                    share_bp: 5_000,
                },
            ),
        ),
        (
            "checking",
            begun(
                State::Progressing(step(
                    0,
                    Stage::Check {
                        runs: vec![run],
                        since: before(30),
                    },
                )),
                Why::CheckInconclusive {
                    step: 1,
                    check: "http-smoke".to_owned(),
                    outcome: Outcome::Inconclusive,
                    message: "no connection to 10.0.0.7:8080".to_owned(),
                    until: after(400),
                },
            ),
        ),
        ("holding", holding()),
        ("paused", paused()),
        (
            "promoting",
            begun(
                State::Promoting(step(2, Stage::Shift)),
                Why::WaitsForPods {
                    deployment: "shop/storefront".to_owned(),
                    replicas: 10,
                    until: Some(after(500)),
                },
            ),
        ),
        ("rolling-back", failed()),
        (
            "recording",
            begun(
                State::Recording(Ending {
                    kind: OutcomeKind::Succeeded,
                    message: "v1.1.0 serves".to_owned(),
                    quarantine: None,
                }),
                Why::Records,
            ),
        ),
        (
            "succeeded",
            ended(
                OutcomeKind::Succeeded,
                "v1.1.0 serves all of production",
                holding(),
            ),
        ),
        (
            "rolled-back",
            ended(
                OutcomeKind::RolledBack,
                "http-smoke failed at 10 %: GET /health answered 500; v1.0.0 serves again",
                failed(),
            ),
        ),
        (
            "refused",
            ended(
                OutcomeKind::Refused,
                "the first step would give the candidate 33.33 % with 3 replicas; the policy \
                 allows at most 10 %: 10 replicas are needed",
                bare(State::Queued, Why::Records),
            ),
        ),
        (
            "rejected",
            ended(
                OutcomeKind::Rejected,
                "rejected by carol (tech-lead): not today",
                awaiting(),
            ),
        ),
        (
            "expired",
            ended(OutcomeKind::Expired, "nobody decided in time", awaiting()),
        ),
        (
            "superseded",
            ended(OutcomeKind::Superseded, "v1.2.0 took its place", awaiting()),
        ),
        (
            "cancelled",
            ended(
                OutcomeKind::Cancelled,
                "cancelled by alice before it began",
                awaiting(),
            ),
        ),
        (
            "failed",
            ended(
                OutcomeKind::Failed,
                "Deployment shop/storefront is gone",
                holding(),
            ),
        ),
    ]
}
