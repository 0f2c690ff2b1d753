//! One history: a policy, a candidate, votes, edits and a clock that is now and then put forward or
//! back.

use serde_json::{Value, json};
use sluice_core::approval::Vote;
use sluice_core::pipeline::{EnvironmentStatus, Revision};
use sluice_core::plugin::{Judgement, Measurement, Outcome, PluginAnswer, Report};
use sluice_core::policy::Policy;
use sluice_core::rollout::{
    CallId, Decision, Effect, Fact, Journal, Observation, Other, PluginQuestion, RolloutView, Seen,
    State, absorb, decide,
};
use sluice_core::stop::Stop;

use super::adapt::{instant, plan, plugins, revision};
use super::beginning::{Beginning, admission};
use super::cluster::{Cluster, template};
use super::subject::Subjects;
use crate::maker::{self, Crowd};
use crate::meaning::{Around, Ballot, Facts, Request};
use crate::rng::Rng;
use crate::tally::Tally;

/// uid of every history's Rollout.
pub(super) const UID: &str = "rollout-1";
/// Looks of the agent in one history. The longest way to the end takes about twenty.
const LOOKS: usize = 32;
/// What is going on.
pub(super) struct History<'t> {
    pub(super) rng: Rng,
    pub(super) tally: &'t mut Tally,
    pub(super) policy: Value,
    pub(super) product: Policy,
    pub(super) facts: Facts,
    pub(super) crowd: Crowd,
    pub(super) view: RolloutView,
    pub(super) journal: Journal,
    pub(super) cluster: Cluster,
    pub(super) status: EnvironmentStatus,
    pub(super) shares: Vec<u16>,
    /// How often the pod template was changed by others, and the strategy plugin built anew.
    pub(super) serial: usize,
    pub(super) built: usize,
    pub(super) votes: Vec<Vote>,
    pub(super) ballots: Vec<Ballot>,
    pub(super) around: Around,
    pub(super) stop: Option<Stop>,
    /// The time of the API server, and how far the agent's clock is from it.
    pub(super) truth: i64,
    pub(super) skew: i64,
    pub(super) request: Option<Request>,
    pub(super) subjects: Subjects,
    /// What votes may name beside what is asked for now.
    pub(super) others: Vec<String>,
    answers: Vec<Fact>,
    pub(super) wake: i64,
    pub(super) opened: bool,
}
impl<'t> History<'t> {
    /// Nothing has happened yet.
    pub(super) fn new(
        beginning: Beginning,
        facts: Facts,
        view: RolloutView,
        (serves, stable): (&Value, Revision),
        rng: Rng,
        tally: &'t mut Tally,
    ) -> Self {
        let Beginning {
            start,
            policy,
            product,
            crowd,
            ..
        } = beginning;
        Self {
            cluster: Cluster::new(&facts.namespace, serves),
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
            shares: vec![100],
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
        }
    }
}

/// Plays the history of a seed. What the product and the reference do not agree about is an error.
pub fn play(seed: u64, beginning: &Beginning, tally: &mut Tally) -> Result<(), String> {
    tally.histories += 1;
    let mut rng = Rng::new(seed);
    let facts = maker::candidate(&mut rng, &beginning.policy, &beginning.crowd);
    let serves = template(&format!("{}@{}", facts.repository, maker::digest('a')), 0);
    let stable = revision(&maker::digest('a'), &serves);
    let Some(view) = admission(beginning, &facts, &stable, &mut rng, tally)? else {
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
    let mut history = History::new(
        beginning.clone(),
        facts,
        view,
        (&serves, stable),
        rng,
        tally,
    );
    history.shares = shares;
    for _ in 0..LOOKS {
        history.look()?;
        if history.journal.state.ended() {
            break;
        }
        history.something_happens()?;
    }
    Ok(())
}
impl History<'_> {
    /// What the agent's clock shows.
    pub(super) fn now(&self) -> i64 {
        self.truth + self.skew
    }

    pub(super) fn observe(&self) -> Observation {
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
    pub(super) fn look(&mut self) -> Result<(), String> {
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
                    PluginQuestion::Measure { .. } => PluginAnswer::Measurement(Measurement {
                        series: Vec::new(),
                        summary: "nothing is measured here".into(),
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
            | Effect::Create { .. }
            | Effect::Scale { .. }
            | Effect::SetTemplate { .. }
            | Effect::Delete { .. }
            | Effect::Patch { .. }
            | Effect::CopyConfig { .. } => {}
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
