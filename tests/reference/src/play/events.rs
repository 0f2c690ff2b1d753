//! What happens between two looks: people vote, policies are edited, time passes.

use sluice_core::plugin::PluginAnswer;
use sluice_core::rollout::{Effect, Fact, Journal, Observation, PluginQuestion, absorb, decide};
use sluice_core::stop::Stop;

use super::adapt::{instant, load, plan, revision, vote};
use super::cluster::template;
use super::history::History;
use crate::maker::{self, voter};
use crate::meaning::{Ballot, effective, fits_together, holds};

/// Seconds by which a clock is put forward or back.
const STEP: i64 = 7200;

impl History<'_> {
    /// Time goes on, people vote, somebody changes something.
    pub(super) fn something_happens(&mut self) -> Result<(), String> {
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
}
