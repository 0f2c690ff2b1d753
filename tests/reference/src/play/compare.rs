//! What the product decided and what the reference says, side by side.

use serde_json::json;
use sluice_core::pipeline::OutcomeKind;
use sluice_core::rollout::{Decision, State, Why};

use super::history::{History, UID};
use super::subject::subject;
use crate::meaning::{
    Answer, Around, Ballot, Request, Rule, before, calendar, during, held_by, steps_fit,
};

/// Where a decision leaves a release, in the words of the reference.
#[derive(Debug, PartialEq)]
enum Place {
    /// As the reference would say it.
    At(Answer),
    /// Refused, whatever the rules.
    Refused,
    /// The plan, the pods, the checks: nothing that a policy holds.
    Busy,
    /// On the way back.
    Back(String),
    /// Ended in another way.
    Over,
}

fn place(d: &Decision) -> Place {
    let ended = |kind: OutcomeKind| match kind {
        OutcomeKind::Refused => Place::Refused,
        OutcomeKind::Rejected => Place::At(Answer::Rejected),
        OutcomeKind::Expired => Place::At(Answer::Expired),
        _ => Place::Over,
    };
    match &d.journal.state {
        State::Recording(ending) => return ended(ending.kind),
        State::Ended(end) => return ended(end.kind),
        State::RollingBack(reason) => return Place::Back(reason.code.clone()),
        _ => {}
    }
    let begun = d.journal.state.begun();
    match &d.why {
        Why::Closed { .. } => Place::At(Answer::Closed),
        Why::TooYoung { until } => Place::At(Answer::Young(until.as_second())),
        Why::WaitsForVotes { expires_at, .. } => Place::At(Answer::Votes(expires_at.as_second())),
        Why::WaitsForTimer { until } => Place::At(Answer::Timer(until.as_second())),
        Why::WindowClosed { .. } => Place::At(Answer::Window),
        Why::Stopped { .. } => Place::At(Answer::Stopped),
        Why::WaitsForSlot { .. } => Place::At(Answer::Slot),
        _ if begun => Place::At(Answer::Open),
        _ => Place::Busy,
    }
}

impl History<'_> {
    /// Holds a decision against the reference.
    pub(super) fn compare(
        &mut self,
        d: &Decision,
        request: Option<&Request>,
        now: i64,
    ) -> Result<(), String> {
        if matches!(
            self.journal.state,
            State::Recording(_) | State::Ended(_) | State::RollingBack(_)
        ) {
            return self.nothing_grows(d);
        }
        let claimed = self.cluster.claimed_by(UID);
        let found = place(d);
        let expected = if claimed {
            let request = request.ok_or("it has begun and nobody was asked")?;
            during(
                &self.policy,
                &self.facts,
                &self.ballots,
                &self.around,
                request,
                now,
            )
        } else {
            self.expected(d, request, now)
        };
        self.tally.compared += 1;
        let wrong = |expected: &Answer| {
            Err(format!(
                "expected {expected:?}, and not {found:?} ({}), claimed {claimed}, at {now}",
                d.why
            ))
        };
        let same = if claimed {
            same_begun(&found, &expected, self.around.stopped)
        } else {
            self.same_before(d, &found, &expected)
        };
        if !same {
            return wrong(&expected);
        }
        self.note(d, &expected, request, now, claimed);
        if !claimed && asked_now(&found) {
            self.signed(request)
                .map_err(|why| format!("{found:?} {:?} {}: {why}", self.journal.state, d.why))?;
        }
        if let Why::WindowClosed { until, .. } = &d.why {
            self.opens_then(until.map(|at| at.as_second()), now)?;
        }
        for effect in d.effects.iter().filter(|e| self.cluster.grows(e, UID)) {
            self.tally.guarded += 1;
            if expected != Answer::Open {
                return Err(format!("expected {expected:?}, and not {effect:?}"));
            }
        }
        Ok(())
    }

    /// What is over, or on its way back, puts nothing new before people.
    fn nothing_grows(&self, d: &Decision) -> Result<(), String> {
        let back = self
            .journal
            .stable
            .as_ref()
            .map(|s| s.template_hash.as_str());
        let grows = |e: &&sluice_core::rollout::Effect| match e {
            sluice_core::rollout::Effect::SetTemplate { template_hash, .. } => {
                Some(template_hash.as_str()) != back
            }
            other => self.cluster.grows(other, UID),
        };
        match d.effects.iter().find(grows) {
            None => Ok(()),
            Some(effect) => Err(format!("it goes back or is over, and not {effect:?}")),
        }
    }

    fn expected(&mut self, d: &Decision, request: Option<&Request>, now: i64) -> Answer {
        // The age is a matter of the queue: who has left it is old enough. Whoever has started has a
        // place under the limit, also before the first write is through.
        let others = if self.journal.state.begun() {
            (0, 0)
        } else {
            self.around.others
        };
        let around = Around {
            old_enough: self.journal.state != State::Queued,
            others,
            ..self.around.clone()
        };
        let answer = before(
            &self.policy,
            &self.facts,
            &self.ballots,
            &around,
            request,
            now,
        );
        // The plan is looked at when it comes, and once more when everything else is open.
        let plan_comes = self.journal.plan.is_none() && self.journal.proposal.is_some();
        let comes = plan_comes && !matches!(answer, Answer::Closed | Answer::Young(_));
        let planned = d.journal.plan.is_some() || plan_comes;
        if planned
            && (comes || answer == Answer::Open)
            && !steps_fit(&self.policy, &self.facts, &self.shares)
        {
            return Answer::Refused([Rule::Steps].into());
        }
        answer
    }

    fn same_before(&mut self, d: &Decision, found: &Place, expected: &Answer) -> bool {
        match (found, expected) {
            (Place::Refused, Answer::Refused(_)) => true,
            // The plan is asked for in between; who is closed or too young does not come so far.
            (Place::Busy, Answer::Closed | Answer::Young(_)) => false,
            (Place::Busy, _) => true,
            // Whoever comes to the line says so before anybody goes.
            (Place::At(Answer::Slot), Answer::Open) => self.comes_to_the_line(d),
            (Place::At(Answer::Slot), Answer::Refused(rules)) => {
                *rules == [Rule::Steps].into() && self.comes_to_the_line(d)
            }
            (Place::At(found), expected) => found == expected,
            (Place::Refused | Place::Back(_) | Place::Over, _) => false,
        }
    }

    fn comes_to_the_line(&self, d: &Decision) -> bool {
        self.journal.slot_wanted_at.is_none() && d.effects.is_empty()
    }

    /// Where the product looked at what would be signed, its hash stands for exactly that.
    fn signed(&mut self, request: Option<&Request>) -> Result<(), String> {
        let Some(request) = request else {
            return Ok(());
        };
        let around =
            json!({"template": self.serial, "plan": self.shares, "plugins": self.built % 3});
        let subject = subject(&self.policy, &self.facts, &around);
        self.subjects.note(&request.subject, &subject)
    }

    /// The instant at which a window is said to open: closed until then, and open at it.
    fn opens_then(&mut self, until: Option<i64>, now: i64) -> Result<(), String> {
        let calendar = calendar(&self.policy, &self.facts);
        let far = until.unwrap_or(now + 400 * 86_400);
        let between = |rng: &mut crate::rng::Rng| now + rng.between(0, far - now - 1);
        let early = (0..12)
            .map(|_| between(&mut self.rng))
            .find(|at| calendar.open(*at));
        let opens = until.is_none_or(|at| calendar.open(at) && !calendar.open(at - 1));
        match early {
            None if opens => Ok(()),
            _ => Err(format!(
                "said to open at {until:?}; open at {early:?}, from {now}"
            )),
        }
    }

    /// Counts what a run must not be without.
    fn note(
        &mut self,
        d: &Decision,
        expected: &Answer,
        request: Option<&Request>,
        now: i64,
        claimed: bool,
    ) {
        let what = match (expected, claimed) {
            (Answer::Closed, false) => "waits: closed",
            (Answer::Closed, true) => "held: closed",
            (Answer::Refused(_), false) => "refused at the gate",
            (Answer::Refused(_), true) => "held: a rule",
            (Answer::Young(_), _) => "waits: minimum age",
            (Answer::Rejected, false) => "rejected",
            (Answer::Rejected, true) => "rejected under way",
            (Answer::Expired, _) => "expired",
            (Answer::Votes(_), false) => "waits: votes",
            (Answer::Votes(_), true) => "held: votes",
            (Answer::Timer(_), _) => "waits: timer",
            (Answer::Stopped, false) => "waits: stop",
            (Answer::Stopped, true) => "held: stop",
            (Answer::Window, false) => "waits: window",
            (Answer::Window, true) => "held: window",
            (Answer::Slot, _) => "waits: slot",
            (Answer::Open, false) => "open",
            (Answer::Open, true) => "goes on",
        };
        self.tally.mark(what);
        if let Answer::Refused(rules) = expected {
            for rule in rules {
                *self.tally.refused.entry(*rule).or_default() += 1;
            }
        }
        if let (Answer::Votes(_) | Answer::Expired, Some(request)) = (expected, request)
            && !self.ballots.is_empty()
        {
            for what in held_by(&self.policy, &self.facts, &self.ballots, request, now) {
                self.tally.mark(what);
            }
        }
        if !self.opened && !claimed && *expected == Answer::Open && d.journal.state.begun() {
            self.opened = true;
            self.tally.opened += 1;
            let counts =
                |vote: &&Ballot| request.is_some_and(|r| r.subject == vote.subject) && vote.yes;
            let votes: Vec<&Ballot> = self.ballots.iter().filter(counts).collect();
            let by = |provider: &str| votes.iter().any(|vote| vote.who.provider == provider);
            let here = &self.policy["environments"][&self.facts.environment]["namespaces"];
            for (seen, what) in [
                (self.facts.break_glass, "opened by breaking the glass"),
                (self.facts.skip_canary, "opened without a canary"),
                (votes.iter().any(|vote| vote.chat), "opened by chat"),
                (
                    votes.iter().any(|vote| !vote.who.groups.is_empty()),
                    "opened by a group",
                ),
                (by("oidc"), "opened by sign-in"),
                (by("plugin"), "opened by a plugin"),
                (
                    here[&self.facts.namespace].is_object(),
                    "namespace with rules of its own",
                ),
            ] {
                if seen {
                    self.tally.mark(what);
                }
            }
        }
    }
}

/// Whether the product came so far as to say what would be signed.
fn asked_now(found: &Place) -> bool {
    match found {
        Place::At(answer) => match answer {
            Answer::Closed | Answer::Young(_) | Answer::Refused(_) => false,
            Answer::Rejected
            | Answer::Expired
            | Answer::Votes(_)
            | Answer::Timer(_)
            | Answer::Stopped
            | Answer::Window
            | Answer::Slot
            | Answer::Open => true,
        },
        Place::Refused | Place::Busy | Place::Back(_) | Place::Over => false,
    }
}

/// Once it has begun the product waits in many ways that no policy asks for. What it says of the policy
/// must be so, and what grows is guarded on its own.
fn same_begun(found: &Place, expected: &Answer, stopped: bool) -> bool {
    match (found, expected) {
        // Of several reasons to hold it says the loudest.
        (Place::At(Answer::Stopped), _) => stopped,
        (Place::At(Answer::Closed), Answer::Closed | Answer::Refused(_))
        | (Place::At(Answer::Votes(_)), Answer::Votes(_))
        | (Place::Busy | Place::Over | Place::Refused, _)
        | (Place::At(Answer::Open), _) => true,
        (Place::Back(code), expected) => code != "rejected" || *expected == Answer::Rejected,
        (Place::At(found), expected) => found == expected,
    }
}
