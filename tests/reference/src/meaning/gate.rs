//! Whether the gate is open, and when it opens.

use std::collections::BTreeSet;

use serde_json::Value;

use super::effective::effective;
use super::facts::Facts;
use super::people::{authors, holds, human};
use super::refusal::{Rule, refused};
use super::spans::seconds;
use super::votes::{Ballot, Needed, enough};
use super::windows::Calendar;

/// What people are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What a vote must name.
    pub subject: String,
    /// Since when, in seconds.
    pub since: i64,
}

/// Where a release that has changed nothing stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The environment is closed.
    Closed,
    /// These rules say no: it is over.
    Refused(BTreeSet<Rule>),
    /// The image has to be known until then.
    Young(i64),
    /// Somebody said no: it is over.
    Rejected,
    /// Nobody decided in time: it is over.
    Expired,
    /// Votes are missing, at the latest until then.
    Votes(i64),
    /// The votes are in; it waits until then.
    Timer(i64),
    /// Everything is stopped.
    Stopped,
    /// It may not change now.
    Window,
    /// As many are under way as may be.
    Slot,
    /// It may start.
    Open,
}

/// What the world beside the candidate is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// When the release was created, in seconds.
    pub created: i64,
    /// Whether it has been in the queue for as long as the image must have been known.
    pub old_enough: bool,
    /// Whether a person stopped everything.
    pub stopped: bool,
    /// Other releases under way in the same environment, and elsewhere.
    pub others: (usize, usize),
}

/// The votes that are needed for this release.
fn needed(policy: &Value, here: &Value, facts: &Facts) -> Needed {
    let times =
        |count: &Value, otherwise| usize::try_from(count.as_u64().unwrap_or(otherwise)).unwrap();
    if facts.break_glass {
        let glass = &here["breakGlass"];
        let role = glass["role"].as_str().unwrap_or_default().to_owned();
        let slots = vec![role; times(&glass["people"], 2)];
        return Needed {
            chat_at_most: slots.len() - 1,
            slots,
            barred: Vec::new(),
            distinct: true,
        };
    }
    let approvals = &here["approvals"];
    let mut slots = Vec::new();
    for required in approvals["require"].as_array().into_iter().flatten() {
        let role = required["role"].as_str().unwrap().to_owned();
        slots.extend(vec![role; times(&required["count"], 1)]);
    }
    let mut behind: Vec<String> = facts
        .requester
        .iter()
        .map(|who| human(policy, who))
        .collect();
    behind.extend(authors(policy, facts));
    let own = approvals["selfApproval"] == true;
    let default = slots.len().saturating_sub(1) as u64;
    Needed {
        chat_at_most: times(&approvals["chatVotesAtMost"], default),
        slots,
        barred: if own { Vec::new() } else { behind },
        distinct: true,
    }
}

/// The votes that speak of this request by now.
fn counting<'b>(votes: &'b [Ballot], request: &Request, now: i64) -> Vec<&'b Ballot> {
    let counts =
        |vote: &&Ballot| vote.believed && vote.subject == request.subject && vote.at <= now;
    votes.iter().filter(counts).collect()
}

/// Whether a holder of a role that is needed said no.
fn somebody_said_no(policy: &Value, needed: &Needed, votes: &[&Ballot]) -> bool {
    let decides = |vote: &&&Ballot| {
        needed
            .slots
            .iter()
            .any(|role| holds(policy, &vote.who, role))
    };
    votes.iter().filter(decides).any(|vote| !vote.yes)
}

/// The instant of the vote with which there are enough, if there are.
fn complete_at(policy: &Value, needed: &Needed, votes: &[&Ballot]) -> Option<i64> {
    let mut yes: Vec<&Ballot> = votes.iter().copied().filter(|vote| vote.yes).collect();
    yes.sort_by_key(|vote| vote.at);
    let by_then = |at: i64| {
        yes.iter()
            .copied()
            .filter(|vote| vote.at <= at)
            .collect::<Vec<_>>()
    };
    let instants = yes.iter().map(|vote| vote.at);
    instants
        .into_iter()
        .find(|at| enough(policy, needed, &by_then(*at)))
}

/// Before anything has changed: may it start?
pub fn before(
    policy: &Value,
    facts: &Facts,
    votes: &[Ballot],
    around: &Around,
    request: Option<&Request>,
    now: i64,
) -> Answer {
    let Some(here) = effective(policy, &facts.environment, &facts.namespace) else {
        return Answer::Closed;
    };
    let calm = !facts.break_glass;
    let age = &here["images"]["minimumAge"];
    let old = around.created + seconds(age, 0);
    if calm && !age.is_null() && !around.old_enough && now < old {
        return Answer::Young(old);
    }
    let no = refused(policy, facts, now);
    if !no.is_empty() {
        return Answer::Refused(no);
    }
    let Some(request) = request else {
        return Answer::Votes(i64::MAX);
    };
    let needed = needed(policy, &here, facts);
    let votes = counting(votes, request, now);
    if somebody_said_no(policy, &needed, &votes) {
        return Answer::Rejected;
    }
    let expires = request.since + seconds(&here["approvals"]["expireAfter"], 86_400);
    let complete = if needed.slots.is_empty() {
        Some(request.since)
    } else {
        complete_at(policy, &needed, &votes).filter(|at| *at <= expires)
    };
    let Some(complete) = complete else {
        let over = now >= expires;
        return if over {
            Answer::Expired
        } else {
            Answer::Votes(expires)
        };
    };
    let wait = complete.max(request.since) + seconds(&here["approvals"]["waitTimer"], 0);
    if calm && now < wait {
        return Answer::Timer(wait);
    }
    if around.stopped {
        return Answer::Stopped;
    }
    if calm && !calendar(policy, facts).open(now) {
        return Answer::Window;
    }
    let (near, far) = around.others;
    let full = |limits: &Value, taken: usize| {
        let limit = limits["concurrentRollouts"].as_u64();
        limit.is_some_and(|limit| taken as u64 >= limit)
    };
    if calm && (full(&here["limits"], near) || full(&policy["limits"], near + far)) {
        return Answer::Slot;
    }
    Answer::Open
}

/// Once it has begun: may the new version get more? A later policy may hold it, never loosen it.
pub fn during(
    policy: &Value,
    facts: &Facts,
    votes: &[Ballot],
    around: &Around,
    request: &Request,
    now: i64,
) -> Answer {
    let Some(here) = effective(policy, &facts.environment, &facts.namespace) else {
        return Answer::Closed;
    };
    let needed = needed(policy, &here, facts);
    let votes = counting(votes, request, now);
    if somebody_said_no(policy, &needed, &votes) {
        return Answer::Rejected;
    }
    let no = refused(policy, facts, now);
    if !no.is_empty() {
        return Answer::Refused(no);
    }
    if !needed.slots.is_empty() && complete_at(policy, &needed, &votes).is_none() {
        return Answer::Votes(i64::MAX);
    }
    if around.stopped {
        return Answer::Stopped;
    }
    if !facts.break_glass && !calendar(policy, facts).open(now) {
        return Answer::Window;
    }
    Answer::Open
}

/// The windows that hold for a release.
pub fn calendar(policy: &Value, facts: &Facts) -> Calendar {
    let here = effective(policy, &facts.environment, &facts.namespace);
    let windows = here.map(|here| here["windows"].clone()).unwrap_or_default();
    Calendar::read(windows.as_array().map(Vec::as_slice).unwrap_or_default())
}

/// What of the votes that do not count would have opened the gate: so that a run can show that each such
/// rule made a difference.
pub fn held_by(
    policy: &Value,
    facts: &Facts,
    votes: &[Ballot],
    request: &Request,
    now: i64,
) -> Vec<&'static str> {
    let Some(here) = effective(policy, &facts.environment, &facts.namespace) else {
        return Vec::new();
    };
    let needed = needed(policy, &here, facts);
    let counting = counting(votes, request, now);
    let would = |needed: Needed, votes: Vec<&Ballot>| {
        let yes: Vec<&Ballot> = votes.into_iter().filter(|vote| vote.yes).collect();
        enough(policy, &needed, &yes)
    };
    let all = |which: &dyn Fn(&Ballot) -> bool| {
        votes.iter().filter(|vote| which(vote)).collect::<Vec<_>>()
    };
    let mut held = Vec::new();
    for (what, opens) in [
        (
            "self approval",
            would(
                Needed {
                    barred: Vec::new(),
                    ..needed.clone()
                },
                counting.clone(),
            ),
        ),
        (
            "chat votes",
            would(
                Needed {
                    chat_at_most: needed.slots.len(),
                    ..needed.clone()
                },
                counting.clone(),
            ),
        ),
        (
            "distinct people",
            would(
                Needed {
                    distinct: false,
                    ..needed.clone()
                },
                counting.clone(),
            ),
        ),
        (
            "superseded votes",
            would(needed.clone(), all(&|vote| vote.believed && vote.at <= now)),
        ),
        (
            "votes not believed",
            would(
                needed.clone(),
                all(&|vote| vote.subject == request.subject && vote.at <= now),
            ),
        ),
        (
            "votes from later",
            would(
                needed.clone(),
                all(&|vote| vote.subject == request.subject && vote.believed),
            ),
        ),
    ] {
        if opens {
            held.push(what);
        }
    }
    held
}
