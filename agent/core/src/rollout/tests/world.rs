//! A world with one Rollout: the cluster, the people, the plugins, and an agent that dies anywhere.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::deployment::Deployment;
use super::oracle::Oracle;
use super::reference::{Rules, rules};
use super::rng::Rng;
use crate::approval::Vote;
use crate::pipeline::EnvironmentStatus;
use crate::plugin::{Outcome, PlanStep, PluginInfo};
use crate::rollout::fixture::*;
use crate::rollout::*;
use crate::template::template_hash;

/// What the candidate is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidate {
    Good,
    /// Its check fails.
    Bad,
    /// Its pods never become ready.
    NeverReady,
    /// Its check passes, and its numbers are bad.
    Failing,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) rng: Rng,
    pub(super) now: Timestamp,
    pub(super) view: RolloutView,
    /// The journal as the API server has it.
    pub(super) stored: Journal,
    pub(super) target: Option<Deployment>,
    pub(super) canary: Option<Deployment>,
    pub(super) templates: BTreeMap<String, Value>,
    pub(super) environment: Option<EnvironmentStatus>,
    pub(super) votes: Vec<Vote>,
    pub(super) requests: Vec<RequestSeen>,
    pub(super) siblings: Vec<Sibling>,
    pub(super) plugins: Vec<PluginInfo>,
    pub(super) rules: &'static [Rules],
    /// Which of `rules` is in force.
    pub(super) in_force: usize,
    pub(super) candidate: Candidate,
    pub(super) plan: Vec<PlanStep>,
    /// Questions under way.
    pub(super) open: BTreeMap<String, PluginQuestion>,
    /// Answers that the agent has not looked at.
    pub(super) inbox: Vec<Fact>,
    /// Answers of the past; any may come once more.
    pub(super) past: Vec<Fact>,
    /// Percent of reads that fail.
    pub(super) outage: u64,
    /// Percent at which the agent dies, at each place where it can.
    pub(super) crash: u64,
    /// Whether pods only fall by the engine's doing: then the floor is exact.
    pub(super) steady: bool,
    pub(super) next_uid: u32,
    pub(super) wake: Timestamp,
    pub(super) oracle: Oracle,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let returns = rng.chance(15);
        let case = if returns { mk_return() } else { mk_queued() };
        let mut view = case.view;
        if rng.chance(30) {
            let mut second = mk_check("http-smoke");
            second.name = Some("http-smoke-1".into());
            second.optional = rng.chance(50);
            view.spec.checks.push(second);
        }
        if rng.chance(20) && !returns {
            view.spec.cause.requester = Some(mk_person(rng.pick(&["alice", "carol"])));
            view.spec.cause.trigger = crate::policy::TriggerKind::Manual;
        }
        let serves = if returns { 'b' } else { 'a' };
        let replicas = rng.pick(&[10, 10, 10, 4, 3, 1]);
        let target = Deployment::new(
            "storefront",
            "target-1",
            mk_workload("storefront", "target-1", serves, replicas).spec,
            // Where all pods may be unavailable, there is no floor to keep.
            rng.pick(&[0, 0, 1, 2]).min(replicas - 1),
        )
        .healthy();
        let templates = ['a', 'b']
            .map(|l| (mk_revision(l, "").name, mk_template(l)))
            .into_iter()
            .collect();
        let mut plan = mk_proposal();
        for step in &mut plan {
            step.hold_ms = rng.pick(&[0, 20_000, 60_000]);
        }
        match rng.below(10) {
            0 => drop(plan.drain(..2)),
            1 => plan[1].gate = Some("half".into()),
            2 => plan[0].checks = false,
            3 => plan[0].capacity_replicas = Some(2),
            4 => drop(plan.remove(1)),
            _ => {}
        }
        let mut candidate = match rng.below(10) {
            0..6 => Candidate::Good,
            6..8 => Candidate::Bad,
            _ => Candidate::NeverReady,
        };
        if rng.chance(40) && !returns {
            super::measures::measured(&mut rng, &mut view.spec);
            if rng.chance(30) {
                candidate = Candidate::Failing;
            }
        }
        Self {
            seed,
            now: t(1),
            oracle: Oracle::new(usize::try_from(replicas).unwrap()),
            stored: Journal::default(),
            target: Some(target),
            canary: None,
            templates,
            environment: case.seen.environment.present().cloned(),
            votes: Vec::new(),
            requests: Vec::new(),
            siblings: Vec::new(),
            plugins: mk_plugins(),
            rules: rules(),
            in_force: 0,
            candidate,
            plan,
            open: BTreeMap::new(),
            inbox: Vec::new(),
            past: Vec::new(),
            outage: 0,
            crash: 0,
            steady: rng.chance(50),
            next_uid: 1,
            wake: t(1),
            view,
            rng,
        }
    }

    pub(super) fn returns(&self) -> bool {
        self.view.spec.returns_to.is_some()
    }

    pub(super) fn uid(&mut self, of: &str) -> String {
        self.next_uid += 1;
        format!("{of}-{}", self.next_uid)
    }

    /// Hash of the template that the Rollout brings.
    pub(super) fn candidate_hash(&self) -> String {
        template_hash(&mk_template(if self.returns() { 'a' } else { 'b' }))
    }

    /// Hash of the template that serves when nothing happens.
    pub(super) fn stable_hash(&self) -> String {
        template_hash(&mk_template(if self.returns() { 'b' } else { 'a' }))
    }

    /// Ready pods behind the Service.
    pub(super) fn ready(&self) -> usize {
        self.target.as_ref().map_or(0, Deployment::ready)
            + self.canary.as_ref().map_or(0, Deployment::ready)
    }

    fn see<T>(&mut self, what: Option<T>) -> Seen<T> {
        if self.rng.chance(self.outage) {
            return Seen::Unknown("timeout".into());
        }
        what.map_or(Seen::Absent, Seen::Present)
    }

    /// As the controller looks: some things only while they matter.
    pub(super) fn observe(&mut self, journal: &Journal) -> Observation {
        if journal.state.ended() {
            return Observation::default();
        }
        let target = self.target.as_ref().map(Deployment::seen);
        let canary = self
            .canary
            .as_ref()
            .filter(|_| journal.state.begun())
            .map(Deployment::seen);
        let stable = match (&journal.state, &journal.stable) {
            (State::RollingBack(_), Some(r)) => self.templates.get(&r.name).cloned(),
            _ => None,
        };
        let back = self.view.spec.returns_to.as_ref();
        let back = back.and_then(|r| self.templates.get(&r.name).cloned());
        let environment = self.environment.clone();
        Observation {
            autoscaler: Seen::Absent,
            pods_in_the_way: Seen::Absent,
            members: Vec::new(),
            target: self.see(target),
            canary: self.see(canary),
            stable_template: self.see(stable),
            return_template: self.see(back),
            environment: self.see(environment),
            votes: self.votes.clone(),
            requests: self.requests.clone(),
            siblings: self.siblings.clone(),
            others: Vec::new(),
            stop: None,
            objects: std::collections::BTreeMap::new(),
            hook_pods: std::collections::BTreeMap::new(),
            quotas: Seen::Absent,
            plugins: self.plugins.clone(),
        }
    }

    /// One look of the agent: observe, decide, commit, act. It may die at every arrow.
    pub(super) fn turn(&mut self) {
        let mut journal = self.stored.clone();
        for fact in std::mem::take(&mut self.inbox) {
            journal = absorb(&self.view, &journal, &fact, self.now);
        }
        let seen = self.observe(&journal);
        let policy = self.rules[self.in_force].policy.clone();
        let d = decide(&self.view, &journal, &seen, &policy, self.now);
        if self.rng.chance(10) {
            let again = decide(&self.view, &journal, &seen, &policy, self.now);
            assert_eq!(
                d, again,
                "seed {}: the same inputs, another decision",
                self.seed
            );
        }
        let broken = crate::invariants::broken(&self.view, &journal, &seen, &d);
        assert!(broken.is_empty(), "seed {}: {broken:?}\n{d:#?}", self.seed);
        self.judge(&journal, &seen, &d);
        self.wake = d.wake_at.unwrap_or(Timestamp::MAX);
        if self.rng.chance(self.crash) {
            return self.die();
        }
        self.stored = d.journal;
        if self.rng.chance(self.crash) {
            return self.die();
        }
        for effect in &d.effects {
            let applied = self.apply(effect);
            self.count_ready();
            // The answer was lost, or the same write went out twice.
            if self.rng.chance(self.crash) {
                self.apply(effect);
                self.count_ready();
            }
            if !applied {
                return;
            }
            if self.rng.chance(self.crash) {
                return self.die();
            }
        }
    }

    /// What is only in memory is lost; questions under way with it.
    fn die(&mut self) {
        self.open.clear();
        self.inbox.clear();
    }

    /// Carries an effect out as the executor does. False: its guard did not hold.
    fn apply(&mut self, effect: &Effect) -> bool {
        let deployment = match effect {
            Effect::Claim { target, .. } => Some(target),
            Effect::Scale { deployment, .. }
            | Effect::SetTemplate { deployment, .. }
            | Effect::Delete { object: deployment } => Some(deployment),
            Effect::SaveRevision { .. }
            | Effect::Create { .. }
            | Effect::Patch { .. }
            | Effect::CopyConfig { .. }
            | Effect::RecordOutcome { .. }
            | Effect::Ask { .. } => None,
        };
        let guarded = deployment.map(|g| {
            [&mut self.target, &mut self.canary]
                .into_iter()
                .flatten()
                .find(|d| {
                    d.uid == g.uid
                        && d.name == g.name
                        && d.version.to_string() == g.resource_version
                })
        });
        match (effect, guarded) {
            (_, Some(None)) => return false,
            (Effect::Claim { rollout_uid, .. }, Some(Some(d))) => {
                d.claimed_by = Some(rollout_uid.clone());
                d.version += 1;
            }
            (Effect::Scale { replicas, .. }, Some(Some(d))) => d.set_replicas(*replicas),
            (
                Effect::SetTemplate {
                    spec_patch,
                    template_hash,
                    ..
                },
                Some(Some(d)),
            ) => {
                d.patch(spec_patch);
                assert_eq!(
                    d.hash, *template_hash,
                    "seed {}: the patch gives what it says",
                    self.seed
                );
            }
            (Effect::Delete { .. }, Some(Some(_))) => self.canary = None,
            (Effect::Create { manifest }, _) => {
                if self.canary.is_none() {
                    let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
                    let uid = self.uid("canary");
                    let mut d = Deployment::new(&name, &uid, manifest["spec"].clone(), 0);
                    let label = &manifest["metadata"]["labels"][ROLLOUT_LABEL];
                    d.created_by = label.as_str().map(str::to_owned);
                    self.canary = Some(d);
                }
            }
            (Effect::SaveRevision { name, template, .. }, _) => {
                self.templates.insert(name.clone(), template.clone());
            }
            (
                Effect::RecordOutcome {
                    outcome,
                    promoted,
                    quarantine,
                },
                _,
            ) => {
                self.environment = self
                    .environment
                    .take()
                    .map(|e| e.with_outcome(outcome.clone(), promoted.clone(), quarantine.clone()));
            }
            (Effect::Ask { call, question }, _) => {
                self.open.insert(call.0.clone(), (**question).clone());
            }
            (
                Effect::Claim { .. }
                | Effect::Scale { .. }
                | Effect::SetTemplate { .. }
                | Effect::Delete { .. },
                None,
            ) => unreachable!("guarded above"),
            (Effect::Patch { .. } | Effect::CopyConfig { .. }, _) => {
                unreachable!("the replica router alone writes no such object")
            }
        }
        true
    }

    /// Time passes: pods come and go, plugins answer.
    pub(super) fn pass(&mut self, storm: bool) {
        let latest = self.now + SignedDuration::from_secs(30);
        let soon =
            self.now + SignedDuration::from_secs(1 + i64::try_from(self.rng.below(20)).unwrap());
        let before = self.now;
        self.now = if storm {
            soon
        } else {
            self.wake.clamp(soon, latest)
        };
        // The controller of Deployments looks every few seconds.
        let rounds = 1 + self.now.duration_since(before).as_secs() / 5;
        let candidate = self.candidate_hash();
        let never = self.candidate == Candidate::NeverReady;
        let lag = if storm { 30 } else { 0 };
        let mut rng = self.rng.clone();
        for d in [&mut self.target, &mut self.canary].into_iter().flatten() {
            if rng.chance(lag) {
                continue;
            }
            let is_canary = d.created_by.is_some();
            for _ in 0..rounds {
                d.round(&mut rng, |hash| {
                    if never && (is_canary || hash == candidate) {
                        0
                    } else {
                        70
                    }
                });
            }
        }
        self.rng = rng;
        self.count_ready();
        self.answer(storm);
    }

    /// What a good check says of this candidate.
    pub(super) fn verdict(&self) -> Outcome {
        if self.candidate == Candidate::Bad {
            Outcome::Fail
        } else {
            Outcome::Pass
        }
    }

    /// Calls of the checks that passed, for the oracle.
    pub(super) fn passes(&self) -> &BTreeSet<String> {
        &self.oracle.passes
    }
}
