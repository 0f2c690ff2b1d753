//! One history: a policy, a candidate, votes, edits and a clock that is now and then put forward or
//! back.

use serde_json::{Value, json};
use sluice_core::admit::{Admission, Candidate, PipelineView, Proposal, admit, refusals};
use sluice_core::approval::Vote;
use sluice_core::explain::{Question, Verdict, explain};
use sluice_core::pipeline::{EnvironmentStatus, Revision};
use sluice_core::plugin::{Judgement, Outcome, PluginAnswer, Report};
use sluice_core::policy::{EnvironmentVerdict, Policy};
use sluice_core::rollout::{
    CallId, Decision, Effect, Fact, Journal, Observation, Other, PluginQuestion, RolloutView, Seen,
    State, absorb, decide,
};
use sluice_core::stop::Stop;

use super::adapt::{
    candidate, environment, instant, load, pipeline, plan, plugins, revision, vote, word,
};
use super::cluster::{Cluster, template};
use super::subject::Subjects;
use crate::civil::wall;
use crate::maker::{self, Crowd, voter};
use crate::meaning::{
    Around, Ballot, Facts, Request, calendar, effective, fits_together, holds, refused,
};
use crate::rng::Rng;
use crate::tally::Tally;

/// uid of every history's Rollout.
pub(super) const UID: &str = "rollout-1";
/// Looks of the agent in one history. The longest way to the end takes about twenty.
const LOOKS: usize = 32;
/// Seconds by which a clock is put forward or back.
const STEP: i64 = 7200;

/// What is going on.
pub(super) struct History<'t> {
    pub(super) rng: Rng,
    pub(super) tally: &'t mut Tally,
    pub(super) policy: Value,
    pub(super) product: Policy,
    pub(super) facts: Facts,
    crowd: Crowd,
    pub(super) view: RolloutView,
    pub(super) journal: Journal,
    pub(super) cluster: Cluster,
    status: EnvironmentStatus,
    pub(super) shares: Vec<u16>,
    /// How often the pod template was changed by others, and the strategy plugin built anew.
    pub(super) serial: usize,
    pub(super) built: usize,
    votes: Vec<Vote>,
    pub(super) ballots: Vec<Ballot>,
    pub(super) around: Around,
    stop: Option<Stop>,
    /// The time of the API server, and how far the agent's clock is from it.
    pub(super) truth: i64,
    skew: i64,
    pub(super) request: Option<Request>,
    pub(super) subjects: Subjects,
    /// What votes may name beside what is asked for now.
    others: Vec<String>,
    answers: Vec<Fact>,
    wake: i64,
    pub(super) opened: bool,
}

/// Histories that begin with the same policy: reading one takes as long as half a history.
const OF_ONE_POLICY: u64 = 4;

/// A policy, the people of it, and when its histories begin.
#[derive(Clone)]
pub struct Beginning {
    of: u64,
    start: i64,
    policy: Value,
    product: Policy,
    crowd: Crowd,
}

impl Beginning {
    /// That of a seed. One that was made for the seed before is taken if it fits.
    pub fn of(seed: u64, before: Option<Self>) -> Result<Self, String> {
        let of = seed / OF_ONE_POLICY;
        if let Some(same) = before.filter(|before| before.of == of) {
            return Ok(same);
        }
        let mut rng = Rng::new(of.wrapping_mul(0x5851_F42D));
        let start = wall("2026-06-01T00:00") + rng.between(0, 500 * 86_400);
        let policy = maker::policy(&mut rng, start);
        let product = load(&policy).map_err(|why| format!("does not load: {why}"))?;
        let crowd = Crowd::new(&mut rng);
        Ok(Self {
            of,
            start,
            policy,
            product,
            crowd,
        })
    }
}

/// Plays the history of a seed. What the product and the reference do not agree about is an error.
pub fn play(seed: u64, beginning: &Beginning, tally: &mut Tally) -> Result<(), String> {
    tally.histories += 1;
    let mut rng = Rng::new(seed);
    let Beginning {
        start,
        policy,
        product,
        crowd,
        ..
    } = beginning.clone();
    let facts = maker::candidate(&mut rng, &policy, &crowd);
    let serves = template(&format!("{}@{}", facts.repository, maker::digest('a')), 0);
    let stable = revision(&maker::digest('a'), &serves);
    let Some(view) = admission(&policy, &product, &facts, &stable, start, &mut rng, tally)? else {
        return Ok(());
    };
    let shares = rng
        .pick(&[
            &[10, 50, 100][..],
            &[20, 100],
            &[50, 100],
            &[100],
            &[10, 20, 60, 100],
        ])
        .to_vec();
    let mut history = History {
        cluster: Cluster::new(&facts.namespace, &serves),
        status: EnvironmentStatus {
            stable: Some(stable),
            ..EnvironmentStatus::default()
        },
        rng,
        tally,
        policy,
        product,
        facts,
        crowd,
        view,
        journal: Journal::default(),
        shares,
        serial: 0,
        built: 0,
        votes: Vec::new(),
        ballots: Vec::new(),
        around: Around {
            created: start,
            ..Around::default()
        },
        stop: None,
        truth: start,
        skew: 0,
        request: None,
        subjects: Subjects::default(),
        others: vec!["of another time".into()],
        answers: Vec::new(),
        wake: start,
        opened: false,
    };
    for _ in 0..LOOKS {
        history.look()?;
        if history.journal.state.ended() {
            break;
        }
        history.something_happens()?;
    }
    Ok(())
}

/// Whether the candidate is let in, by both, with the same rules against it.
fn admission(
    policy: &Value,
    product: &Policy,
    facts: &Facts,
    stable: &Revision,
    now: i64,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<Option<RolloutView>, String> {
    let expected = refused(policy, facts, now);
    for rule in &expected {
        *tally.refused.entry(*rule).or_default() += 1;
    }
    tally.compared += 1;
    let candidate = candidate(facts);
    let environment = environment(facts);
    let pipeline = pipeline(facts, stable);
    let found = admit(product, &pipeline, &environment, &candidate, instant(now));
    let proposal = Proposal {
        pipeline: &facts.pipeline,
        environment: &facts.environment,
        namespace: &facts.namespace,
        deployment: &facts.deployment,
        trigger: candidate.cause.trigger,
        requester: candidate.cause.requester.as_ref(),
        reason: candidate.cause.reason.as_deref(),
        emergency: candidate.emergency,
        image: &candidate.image,
        strategy: &environment.strategy.plugin,
        checks: &environment.checks,
    };
    if let EnvironmentVerdict::Open(rules) =
        product.environment(&facts.environment, &facts.namespace)
    {
        let mut words: Vec<_> = refusals(product, rules, &proposal, instant(now))
            .iter()
            .map(|r| r.rule)
            .collect();
        let mut wanted: Vec<_> = expected.iter().filter_map(|rule| word(*rule)).collect();
        for list in [&mut words, &mut wanted] {
            list.sort_by_key(|rule| rule.as_str());
            list.dedup();
        }
        if words != wanted {
            return Err(format!("refused by {wanted:?}, and not by {words:?}"));
        }
    }
    if rng.chance(30) {
        explained(
            product,
            &pipeline,
            facts,
            &candidate,
            policy,
            expected.is_empty(),
            now,
        )?;
    }
    match (found, expected.is_empty()) {
        (Admission::Create { name, spec }, true) => Ok(Some(RolloutView {
            namespace: "delivery".into(),
            name,
            uid: UID.into(),
            created_at: instant(now),
            spec: *spec,
        })),
        (Admission::Refused(_) | Admission::Nothing(_), false) => Ok(None),
        (found, _) => Err(format!("let in unless {expected:?}, and not {found:?}")),
    }
}

/// Whether `explain` says of it what admission does, and of the windows what the reference does (T4).
fn explained(
    product: &Policy,
    pipeline: &PipelineView,
    facts: &Facts,
    candidate: &Candidate,
    policy: &Value,
    may_come: bool,
    now: i64,
) -> Result<(), String> {
    let question = Question {
        namespace: Some(facts.namespace.clone()),
        trigger: candidate.cause.trigger,
        requester: candidate.cause.requester.clone(),
        reason: candidate.cause.reason.clone(),
        emergency: candidate.emergency,
        tag: facts.tag.clone(),
        digest: Some(facts.digest.clone()),
        about: Some(candidate.image.about.clone()),
        ..Question::new(&facts.environment, instant(now))
    };
    let explanation = explain(product, Some(pipeline), &question);
    let no = explanation.answer == Verdict::No;
    if no == may_come {
        return Err(format!(
            "explained as {explanation:?}, and may come is {may_come}"
        ));
    }
    let windows = explanation.lines.iter().find(|line| line.rule == "windows");
    if let Some(line) = windows
        && !facts.break_glass
        && (line.verdict == Verdict::Ok) != calendar(policy, facts).open(now)
    {
        return Err(format!("explained as {line:?}"));
    }
    Ok(())
}

impl History<'_> {
    /// What the agent's clock shows.
    pub(super) fn now(&self) -> i64 {
        self.truth + self.skew
    }

    fn observe(&self) -> Observation {
        let stable = match (&self.journal.state, &self.journal.stable) {
            (State::RollingBack(_), Some(stable)) => self.cluster.revision(&stable.template_hash),
            _ => Seen::Absent,
        };
        let (near, far) = self.around.others;
        let other = |n: usize, environment: &str| Other {
            name: format!("other-{environment}-{n}"),
            environment: environment.to_owned(),
            begun: true,
            slot_wanted_at: None,
        };
        let near = (0..near).map(|n| other(n, &self.facts.environment));
        Observation {
            target: self.cluster.target(),
            canary: self.cluster.canary(),
            stable_template: stable,
            votes: self.votes.clone(),
            environment: Seen::Present(self.status.clone()),
            plugins: plugins(self.built),
            others: near.chain((0..far).map(|n| other(n, "staging"))).collect(),
            stop: self.stop.clone(),
            ..Observation::default()
        }
    }

    /// One look of the agent: observe, decide, store, act. It may die before and after storing.
    fn look(&mut self) -> Result<(), String> {
        let now = self.now();
        for fact in std::mem::take(&mut self.answers) {
            self.journal = absorb(&self.view, &self.journal, &fact, instant(now));
        }
        let seen = self.observe();
        let d = decide(
            &self.view,
            &self.journal,
            &seen,
            &self.product,
            instant(now),
        );
        let broken = sluice_core::invariants::broken(&self.view, &self.journal, &seen, &d);
        if !broken.is_empty() {
            return Err(format!("invariants: {broken:?}"));
        }
        let request = self.asked(&d, now)?;
        self.compare(&d, request.as_ref(), now)?;
        if self.rng.chance(4) {
            self.tally.mark("died before storing");
            return Ok(());
        }
        self.request = request;
        self.wake = d.wake_at.map_or(now + 30, |at| at.as_second());
        self.journal = d.journal;
        for effect in &d.effects {
            if self.rng.chance(2) {
                self.tally.mark("died between writes");
                return Ok(());
            }
            self.cluster.apply(effect);
            self.after(effect);
        }
        self.only_known_images()
    }

    /// The request for votes that a decision leaves: the one from before while its hash is the same.
    fn asked(&self, d: &Decision, now: i64) -> Result<Option<Request>, String> {
        let Some(asked) = &d.journal.approval else {
            return Ok(None);
        };
        let request = match &self.request {
            Some(before) if before.subject == asked.hash => before.clone(),
            _ => Request {
                subject: asked.hash.clone(),
                since: now,
            },
        };
        if asked.requested_at != instant(request.since) {
            return Err(format!(
                "asked since {}, and not {}",
                request.since, asked.requested_at
            ));
        }
        Ok(Some(request))
    }

    fn after(&mut self, effect: &Effect) {
        match effect {
            Effect::RecordOutcome {
                outcome,
                promoted,
                quarantine,
            } => {
                let status = std::mem::take(&mut self.status);
                self.status =
                    status.with_outcome(outcome.clone(), promoted.clone(), quarantine.clone());
            }
            Effect::Ask { call, question } => {
                let answer = match &**question {
                    PluginQuestion::Plan { .. } => PluginAnswer::Plan(plan(&self.shares)),
                    PluginQuestion::Check { .. } => PluginAnswer::Report(Report {
                        outcome: Outcome::Pass,
                        summary: "fine".into(),
                        checks: Vec::new(),
                    }),
                    PluginQuestion::Judge { .. } => PluginAnswer::Judgement(Judgement::Proceed),
                };
                self.answers.push(Fact::Answered {
                    call: CallId(call.0.clone()),
                    answer,
                });
            }
            Effect::SaveRevision { .. }
            | Effect::Claim { .. }
            | Effect::CreateDeployment { .. }
            | Effect::Scale { .. }
            | Effect::SetTemplate { .. }
            | Effect::DeleteDeployment { .. } => {}
        }
    }

    /// Time goes on, people vote, somebody changes something.
    fn something_happens(&mut self) -> Result<(), String> {
        let waits = !self.journal.state.begun();
        if self.request.is_some() {
            let votes = if waits {
                self.rng.below(4)
            } else {
                self.rng.below(8) / 7
            };
            for _ in 0..votes {
                self.somebody_votes();
            }
        }
        match self.rng.below(100) {
            0..7 => self.edit()?,
            7..9 => self.another_template(),
            9 => self.built += 1,
            10 => {
                let until = self.rng.chance(50).then(|| instant(self.now() + 3600));
                let by = "alice".to_owned();
                let since = instant(self.now());
                self.stop = Some(Stop {
                    by,
                    reason: "an outage".into(),
                    since,
                    until,
                });
            }
            11..20 => self.stop = None,
            20..24 => self.around.others = (self.rng.below(4), self.rng.below(4)),
            24..30 => self.around.others = (0, 0),
            30 if self.request.is_some() => self.another_digest(),
            31..33 => {
                self.skew = *self.rng.pick(&[-STEP, STEP, 0]);
                self.tally.mark("clock put forward or back");
            }
            33..36 => self.skew = 0,
            _ => {}
        }
        self.time_passes();
        // The shell passes the stop that is in force.
        let lifted = |stop: &Stop| stop.until.is_some_and(|until| until <= instant(self.now()));
        if self.stop.as_ref().is_some_and(lifted) {
            self.stop = None;
        }
        self.around.stopped = self.stop.is_some();
        Ok(())
    }

    fn time_passes(&mut self) {
        let expires = self
            .journal
            .approval
            .as_ref()
            .map_or(0, |a| a.expires_at.as_second());
        let near = self.rng.between(-1, 1);
        let passes = match self.rng.below(20) {
            0..9 => self.rng.between(1, 90),
            9..11 => self.rng.between(60, 3 * 3600),
            11..18 => self.wake + near - self.now(),
            18 => expires + near - self.now(),
            _ => self.rng.between(3600, 30 * 3600),
        };
        self.truth += passes.clamp(1, 40 * 86_400);
    }

    fn somebody_votes(&mut self) {
        let here = effective(&self.policy, &self.facts.environment, &self.facts.namespace)
            .unwrap_or_default();
        let mut wanted: Vec<String> = Vec::new();
        if self.facts.break_glass {
            wanted.extend(here["breakGlass"]["role"].as_str().map(str::to_owned));
        } else {
            let required = here["approvals"]["require"]
                .as_array()
                .into_iter()
                .flatten();
            wanted.extend(required.map(|r| r["role"].as_str().unwrap().to_owned()));
        }
        let (mut who, mut door) = voter(&mut self.rng, &self.crowd);
        for _ in 0..4 {
            if wanted.iter().any(|role| holds(&self.policy, &who, role)) {
                break;
            }
            (who, door) = voter(&mut self.rng, &self.crowd);
        }
        let current = self.request.as_ref().unwrap().subject.clone();
        let hash = if self.rng.chance(92) {
            current
        } else {
            self.rng.pick(&self.others).clone()
        };
        let (yes, believed) = (self.rng.chance(97), self.rng.chance(95));
        let id = format!("vote-{}", self.votes.len());
        self.votes
            .push(vote(id, &who, door, yes, &hash, self.truth, believed));
        self.ballots.push(Ballot {
            who,
            chat: door == "slack",
            yes,
            subject: hash,
            at: self.truth,
            believed: believed && door != "webhook",
        });
    }

    /// Somebody edits the policy. One that does not fit together does not load, and changes nothing.
    fn edit(&mut self) -> Result<(), String> {
        let policy = maker::edit(&self.policy, &mut self.rng, self.truth);
        match (load(&policy), fits_together(&policy)) {
            (Ok(product), true) => {
                self.others
                    .extend(self.request.iter().map(|request| request.subject.clone()));
                (self.policy, self.product) = (policy, product);
                self.tally.mark("policy edited");
                Ok(())
            }
            (Err(_), false) => {
                self.tally.mark("edit that does not load");
                Ok(())
            }
            (Ok(_), false) => Err(format!("loads: {policy}")),
            (Err(why), true) => Err(format!("does not load: {why}")),
        }
    }

    /// Somebody else's release is promoted meanwhile: another template serves, and is the stable one.
    fn another_template(&mut self) {
        if self.journal.state.begun() {
            return;
        }
        self.serial += 1;
        let image = format!("{}@{}", self.facts.repository, maker::digest('a'));
        let serves = template(&image, self.serial);
        self.cluster.put(&serves);
        self.status.stable = Some(revision(&maker::digest('a'), &serves));
        self.tally.mark("template changed");
    }

    /// The tag moves: what people are asked about the other digest is no vote for this one.
    fn another_digest(&mut self) {
        let mut view = self.view.clone();
        view.spec.image.digest = maker::digest('c');
        let seen = Observation {
            stop: None,
            ..self.observe()
        };
        let mut journal = Journal::default();
        for _ in 0..4 {
            let d = decide(&view, &journal, &seen, &self.product, instant(self.now()));
            journal = d.journal;
            for effect in &d.effects {
                if let Effect::Ask { call, question } = effect
                    && matches!(**question, PluginQuestion::Plan { .. })
                {
                    let answer = PluginAnswer::Plan(plan(&self.shares));
                    let fact = Fact::Answered {
                        call: call.clone(),
                        answer,
                    };
                    journal = absorb(&view, &journal, &fact, instant(self.now()));
                }
            }
        }
        if let Some(asked) = journal.approval {
            self.others.push(asked.hash);
            self.tally.mark("another digest asked for");
        }
    }

    /// Nothing but what serves and what was asked for is in any template.
    fn only_known_images(&self) -> Result<(), String> {
        let image = |letter| {
            json!(format!(
                "{}@{}",
                self.facts.repository,
                maker::digest(letter)
            ))
        };
        let known = [image('a'), image('b')];
        let found = &self.cluster.template()["spec"]["containers"][0]["image"];
        if known.contains(found) {
            Ok(())
        } else {
            Err(format!("{found} serves"))
        }
    }
}
