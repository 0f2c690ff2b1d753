//! What may happen to a world: people, plugins, other controllers, other Rollouts.

use serde_json::json;

use super::deployment::Deployment;
use super::world::World;
use crate::approval::Decision as Ballot;
use crate::plugin::{CheckLine, Judgement, Outcome, PluginAnswer, PluginFault, PluginKind, Report};
use crate::rollout::fixture::*;
use crate::rollout::*;

const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "mallory"];

impl World {
    /// Something happens, or nothing.
    pub(super) fn event(&mut self) {
        match self.rng.below(60) {
            0..6 => self.somebody_votes(),
            6..10 => {
                self.vote("alice", Ballot::Approve);
                self.vote("bob", Ballot::Approve);
            }
            10 => self.in_force = usize::try_from(self.rng.below(7)).unwrap(),
            11..13 => self.in_force = 0,
            13 => self.outage = self.rng.pick(&[0, 20, 60]),
            14 => self.somebody_asks(),
            15 => self.plugin_changes(),
            16 => self.drift(),
            17..20 => self.end_of_drift(),
            20 => self.pods_fall(),
            21 => self.scaled_by_hand(),
            22 => self.canary_by_hand(),
            23 => {
                if let Some(d) = self.target.as_mut().filter(|_| self.siblings.is_empty()) {
                    d.claimed_by = None;
                    d.version += 1;
                }
            }
            24 => self.other_rollout_comes(),
            25..28 => self.other_rollout_goes(),
            28 if self.rng.chance(10) => {
                self.target = None;
                self.canary = None;
            }
            29 if self.rng.chance(10) => {
                // Deleted and made anew; what belonged to the old one is collected.
                let spec = mk_workload("storefront", "", 'a', 10).spec;
                self.canary = None;
                self.target = Some(Deployment::new("storefront", "target-2", spec, 1).healthy());
            }
            30 if self.rng.chance(10) => self.environment = None,
            31 => self.inbox.clear(),
            _ => {}
        }
    }

    /// The storm is over: everything that was broken is mended, and people do their part.
    pub(super) fn calm(&mut self) {
        self.in_force = 0;
        self.outage = 0;
        self.crash = 0;
        self.plugins = mk_plugins();
        self.end_of_drift();
        while !self.siblings.is_empty() {
            self.siblings.retain(|s| s.stage == SiblingStage::Begun);
            self.other_rollout_goes();
        }
        if self.stored.paused.is_some() {
            self.ask(Action::Resume, "bob");
        }
        if matches!(self.stored.why, Some(Why::WaitsForGate { .. })) {
            self.ask(Action::Promote, "alice");
        }
        // Whoever asked for it cannot also approve it: then somebody takes it back.
        let asker = self
            .view
            .spec
            .cause
            .requester
            .as_ref()
            .map(|r| r.username.clone());
        if asker.as_deref() == Some("alice@example.com") && !self.returns() {
            self.ask(Action::Abort, "bob");
        }
        self.vote("alice", Ballot::Approve);
        self.vote("bob", Ballot::Approve);
    }

    fn vote(&mut self, name: &str, ballot: Ballot) {
        let Some(hash) = self.stored.approval.as_ref().map(|a| a.hash.clone()) else {
            return;
        };
        let same = |v: &crate::approval::Vote| {
            v.approver.username == format!("{name}@example.com")
                && v.hash == hash
                && v.decision == ballot
        };
        if !self.votes.iter().any(same) {
            let mut vote = mk_vote(name, ballot, &hash, self.now);
            vote.id = self.uid("vote");
            self.votes.push(vote);
        }
    }

    fn somebody_votes(&mut self) {
        let name = self.rng.pick(&PEOPLE);
        if self.rng.chance(20) {
            let mut stray = mk_vote(name, Ballot::Approve, "of another time", self.now);
            stray.id = self.uid("vote");
            self.votes.push(stray);
        } else {
            let no = self.rng.chance(4);
            self.vote(name, if no { Ballot::Reject } else { Ballot::Approve });
        }
    }

    pub(super) fn ask(&mut self, action: Action, name: &str) {
        let uid = self.uid("request");
        let mut request = mk_request(0, action, name);
        request.uid = uid;
        request.at = self.now;
        let newer = |r: &RequestSeen| r.action == action && !self.stored.is_handled(r);
        if !self.requests.iter().any(newer) {
            self.requests.push(request);
        }
    }

    fn somebody_asks(&mut self) {
        let name = self.rng.pick(&PEOPLE);
        let action = self.rng.pick(&[
            Action::Pause,
            Action::Resume,
            Action::Resume,
            Action::Promote,
            Action::Promote,
            Action::Abort,
            Action::Rollback,
        ]);
        if !matches!(action, Action::Abort | Action::Rollback) || self.rng.chance(20) {
            self.ask(action, name);
        }
    }

    fn plugin_changes(&mut self) {
        self.plugins = mk_plugins();
        match self.rng.below(5) {
            0 => self.plugins.retain(|p| p.kind != PluginKind::SmokeTest),
            1 => self
                .plugins
                .retain(|p| p.kind != PluginKind::TrafficStrategy),
            3 => self
                .plugins
                .retain(|p| p.kind != PluginKind::MetricProvider),
            2 => self.plugins[0].digest = mk_digest(self.rng.pick(&['7', '8'])),
            _ => {}
        }
    }

    /// Somebody changes the template, of a version that nobody knows.
    fn drift(&mut self) {
        if self.oracle.drifted.is_some() {
            return;
        }
        if let Some(d) = self.target.as_mut().filter(|d| d.uid == "target-1") {
            let mut template = d.template().clone();
            template["metadata"]["annotations"] = json!({"restarted": "by hand"});
            self.oracle.drifted = Some(d.template().clone());
            d.set_template(template);
        }
    }

    fn end_of_drift(&mut self) {
        let Some(before) = self.oracle.drifted.take() else {
            return;
        };
        if let Some(d) = self.target.as_mut()
            && d.template()["metadata"].get("annotations").is_some()
        {
            let mut template = d.template().clone();
            template["metadata"] = before["metadata"].clone();
            d.set_template(template);
        }
    }

    fn pods_fall(&mut self) {
        if self.steady {
            return;
        }
        let mut rng = self.rng.clone();
        for d in [&mut self.target, &mut self.canary].into_iter().flatten() {
            for p in &mut d.pods {
                if rng.chance(20) {
                    p.ready = false;
                }
            }
        }
        self.rng = rng;
        self.oracle.floor = self.oracle.floor.min(self.ready());
    }

    fn scaled_by_hand(&mut self) {
        if let Some(d) = &mut self.target {
            let n = u32::try_from(d.wanted()).unwrap() + 1;
            d.set_replicas(n.min(14));
        }
    }

    fn canary_by_hand(&mut self) {
        if self.steady {
            return;
        }
        match (self.rng.below(3), &mut self.canary) {
            (0, _) => self.canary = None,
            (1, Some(d)) => d.set_replicas(0),
            (_, Some(d)) => {
                d.created_by = None;
                d.version += 1;
            }
            (_, None) => {}
        }
        self.oracle.floor = 0;
    }

    /// Another Rollout of the target: behind in the queue, or faster at the target.
    fn other_rollout_comes(&mut self) {
        if !self.siblings.is_empty() {
            return;
        }
        // Whoever sees that this one has begun stays away; two may start at once all the same.
        let ours = self.stored.claimed
            || self
                .target
                .as_ref()
                .is_some_and(|d| d.claimed_by.as_deref() == Some(UID));
        if ours || self.rng.chance(60) {
            let mut s = mk_sibling("newer", 500_000, SiblingStage::Queued);
            s.returns = self.rng.chance(20);
            if self.rng.chance(30) {
                self.siblings.push(s);
            }
            return;
        }
        let mut s = mk_sibling("other", -500, SiblingStage::Begun);
        s.pipeline = "another".into();
        if let Some(d) = &mut self.target {
            d.claimed_by = Some(s.uid.clone());
            d.version += 1;
            self.siblings.push(s);
        }
    }

    /// It ends; it may have promoted something.
    fn other_rollout_goes(&mut self) {
        let Some(s) = self.siblings.pop() else { return };
        let promoted = s.stage == SiblingStage::Begun && self.rng.chance(30);
        if let (true, Some(d), Some(e)) = (promoted, &mut self.target, &mut self.environment)
            && d.claimed_by.as_ref() == Some(&s.uid)
        {
            d.set_template(mk_template('c'));
            e.stable = Some(mk_revision('c', "v1.0.5"));
            self.templates
                .insert(mk_revision('c', "").name, mk_template('c'));
            self.oracle.drifted = None;
        }
    }

    /// Some of the questions under way are answered, in a storm not always well.
    pub(super) fn answer(&mut self, storm: bool) {
        for (call, question) in std::mem::take(&mut self.open) {
            if storm && self.rng.chance(40) {
                self.open.insert(call, question);
                continue;
            }
            let odd = storm && self.rng.chance(15);
            let answer = if odd {
                self.odd_answer()
            } else {
                self.good_answer(&question)
            };
            if let PluginAnswer::Report(r) = &answer
                && r.outcome == Outcome::Pass
                && r.checks.iter().all(|l| l.outcome == Outcome::Pass)
            {
                self.oracle.passes.insert(call.clone());
            }
            let fact = Fact::Answered {
                call: CallId(call),
                answer,
            };
            self.past.push(fact.clone());
            self.inbox.push(fact);
        }
        if storm && self.rng.chance(20) && !self.past.is_empty() {
            let i = self.rng.below(self.past.len() as u64);
            self.inbox
                .push(self.past[usize::try_from(i).unwrap()].clone());
        }
        let stored = self.stored.outbox.clone();
        for d in stored.iter().filter(|_| !storm) {
            let seq = d.seq;
            self.inbox.push(Fact::Delivered {
                seq,
                notifier: 0,
                thread: None,
                given_up: None,
            });
        }
        if self.stored.state.ended() && !self.stored.recorded && !storm {
            self.inbox.push(Fact::Recorded);
        }
    }

    fn good_answer(&mut self, question: &PluginQuestion) -> PluginAnswer {
        match question {
            PluginQuestion::Plan { .. } => PluginAnswer::Plan(self.plan.clone()),
            PluginQuestion::Check { .. } => mk_report(self.verdict(), "asked every pod"),
            PluginQuestion::Measure { .. } => self.measured(),
            PluginQuestion::Judge { .. } => PluginAnswer::Judgement(match self.rng.below(10) {
                0 => Judgement::Hold(15_000),
                _ => Judgement::Proceed,
            }),
        }
    }

    fn odd_answer(&mut self) -> PluginAnswer {
        let fault = |code: &str| {
            let (code, message) = (code.to_owned(), "no answer".to_owned());
            PluginAnswer::Failed(PluginFault {
                code,
                message,
                retryable: true,
            })
        };
        match self.rng.below(9) {
            0 => fault("plugin/deadline"),
            1 => fault("plugin/trap"),
            2 => mk_report(Outcome::Inconclusive, "no pod answered"),
            3 => mk_report(Outcome::Skipped, "nothing to do"),
            4 => PluginAnswer::Judgement(Judgement::Rollback("errors 2 %".into())),
            5 => PluginAnswer::Judgement(Judgement::Hold(u64::MAX)),
            6 => PluginAnswer::Notified(None),
            7 => {
                let line = CheckLine {
                    name: "GET /".into(),
                    outcome: Outcome::Fail,
                    message: "status 500".into(),
                    elapsed_ms: 1,
                };
                let (outcome, summary) = (Outcome::Pass, "fine".to_owned());
                PluginAnswer::Report(Report {
                    outcome,
                    summary,
                    checks: vec![line],
                })
            }
            _ => PluginAnswer::Plan(Vec::new()),
        }
    }
}
