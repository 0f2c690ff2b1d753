//! The global stop, as the Requests say it (requirement G24): which wishes count, and which do not.
//!
//! A stop counts from the moment that a watch shows it, answered or not, if it is one that is taken up:
//! nothing begins between the wish and its answer. A start counts once it is answered.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use sluice_cluster::crd::{Request, RequestAction, RequestState};
use sluice_core::authorize::{Action, authorize_global};
use sluice_core::policy::Policy;
use sluice_core::stop::{Stop, Wish, in_force};

use crate::world::World;

/// Stops that may be in force at the same time. One is enough; some more are people who act at once.
const AT_ONCE: usize = 16;
/// Characters of a reason that are shown: a status holds it once for each Rollout.
const REASON_SHOWN: usize = 300;

/// Whether a Request is about everything and not about one Pipeline or Rollout.
pub(crate) fn is_global(request: &Request) -> bool {
    let spec = &request.spec;
    let asked = matches!(spec.action, RequestAction::Stop | RequestAction::Start);
    asked || (spec.pipeline.is_none() && spec.rollout.is_none())
}

impl World {
    /// The stop in force: nothing but a way back goes on.
    pub fn stop(&self, policy: &Policy, now: Timestamp) -> Option<Stop> {
        in_force(&self.wishes(policy, now), now)
    }

    /// Requests about everything, oldest first.
    pub(crate) fn global_requests(&self) -> Vec<Arc<Request>> {
        let mut found = self.requests.state_filter(is_global);
        found.sort_by_key(|r| (r.made(), r.namespace(), r.name_any()));
        found
    }

    /// Answered Requests about everything that have no effect any more, oldest first.
    pub(crate) fn spent_requests(&self, policy: &Policy, now: Timestamp) -> Vec<Arc<Request>> {
        let mut all = self.global_requests();
        let starts = |r: &Request| wish(r, policy).filter(|w| matches!(w, Wish::Start(_)));
        let accepted = |r: &Request| r.state() == RequestState::Accepted;
        let started: Vec<Wish> = all
            .iter()
            .filter(|r| accepted(r))
            .filter_map(|r| starts(r))
            .collect();
        // It lifts what is older, for as long as that is there.
        let newest = all
            .iter()
            .rfind(|r| accepted(r) && starts(r).is_some())
            .and_then(|r| r.uid());
        all.retain(|r| match (r.state(), wish(r, policy)) {
            (RequestState::Pending, _) => false,
            (RequestState::Refused, _) | (RequestState::Accepted, None) => true,
            (RequestState::Accepted, Some(Wish::Start(_))) => r.uid() != newest,
            (RequestState::Accepted, Some(stop)) => !holds(&stop, &started, now),
        });
        all
    }

    /// Every wish that counts now.
    fn wishes(&self, policy: &Policy, now: Timestamp) -> Vec<Wish> {
        let counts = |r: &Request| match r.state() {
            RequestState::Accepted => true,
            RequestState::Refused => false,
            RequestState::Pending => {
                r.spec.action == RequestAction::Stop && allowed(r, policy, now).is_ok()
            }
        };
        let all = self.requests.state_filter(|r| is_global(r) && counts(r));
        all.iter().filter_map(|r| wish(r, policy)).collect()
    }
}

/// Whether this stop is neither lifted by one of these starts nor past its time.
fn holds(stop: &Wish, starts: &[Wish], now: Timestamp) -> bool {
    let alone: Vec<Wish> = starts.iter().chain([stop]).cloned().collect();
    in_force(&alone, now).is_some()
}

/// What a Request wishes of everything.
fn wish(request: &Request, policy: &Policy) -> Option<Wish> {
    let by = policy.person(&request.spec.asker()).name;
    let mut wish = request.about_everything(by)?;
    if let Wish::Stop(stop) = &mut wish {
        stop.reason = shown(&stop.reason);
    }
    Some(wish)
}

fn shown(text: &str) -> String {
    let mut cut: String = text.trim().chars().take(REASON_SHOWN).collect();
    if cut.len() < text.trim().len() {
        cut.push('…');
    }
    cut
}

/// Whether a Request about everything may be taken up, whatever else is in force.
pub(crate) fn allowed(request: &Request, policy: &Policy, now: Timestamp) -> Result<(), String> {
    let spec = &request.spec;
    let action = match request.about_everything(String::new()) {
        Some(Wish::Stop(_)) => Action::Stop,
        Some(Wish::Start(_)) => Action::Start,
        None => return Err("the Request names neither a Pipeline nor a Rollout".into()),
    };
    if spec.pipeline.is_some() || spec.environment.is_some() || spec.rollout.is_some() {
        return Err(format!(
            "`{action}` is about everything: leave out pipeline, environment and rollout. For one \
             Rollout there is `pause`"
        ));
    }
    authorize_global(action, &spec.asker(), policy).map_err(|denied| denied.to_string())?;
    match (action, spec.until) {
        (Action::Start, Some(_)) => Err("`until` goes with a stop, not with a start".into()),
        (Action::Stop, Some(until)) if until <= now => Err(format!(
            "`until` ({until}) has passed already, now is {now}: name a later instant, or none"
        )),
        (Action::Stop, _) if spec.reason.as_deref().is_none_or(|r| r.trim().is_empty()) => {
            Err("a stop needs a reason: everybody who is held up will read it".into())
        }
        _ => Ok(()),
    }
}

/// The answer to a Request about everything: a sentence for yes or for no.
pub(crate) fn answer(
    world: &World,
    request: &Request,
    policy: &Policy,
    now: Timestamp,
) -> Result<String, String> {
    allowed(request, policy, now)?;
    let wishes = world.wishes(policy, now);
    let (stops, starts): (Vec<Wish>, Vec<Wish>) = wishes
        .into_iter()
        .partition(|wish| matches!(wish, Wish::Stop(_)));
    let mut open: Vec<Stop> = stops
        .into_iter()
        .filter(|stop| holds(stop, &starts, now))
        .filter_map(|wish| match wish {
            Wish::Stop(stop) => Some(stop),
            Wish::Start(_) => None,
        })
        .collect();
    open.sort_by_key(|stop| stop.since);
    let made = request.made();
    if request.spec.action == RequestAction::Stop {
        // This one is among them.
        let before = open.iter().filter(|stop| stop.since <= made).count();
        if before > AT_ONCE {
            return Err(format!(
                "{AT_ONCE} stops are in force already, which is the limit: everything is held"
            ));
        }
        return Ok(match request.spec.until {
            Some(until) => format!("everything but ways back is held until {until}"),
            None => "everything but ways back is held until somebody starts it again".into(),
        });
    }
    // Of two made in the same second the stop counts.
    let (lifted, left): (Vec<Stop>, Vec<Stop>) =
        open.into_iter().partition(|stop| stop.since < made);
    match (lifted.last(), left.last()) {
        (Some(lifted), None) => Ok(format!("the stop by {} is lifted", lifted.by)),
        (Some(lifted), Some(left)) => Ok(format!(
            "the stop by {} is lifted; that by {} of {} holds on",
            lifted.by, left.by, left.since
        )),
        (None, Some(left)) => Err(format!(
            "{} stopped everything at {}, which is no earlier than this wish: start it again with \
             another one",
            left.by, left.since
        )),
        (None, None) => Err("nothing is stopped".into()),
    }
}

#[cfg(test)]
mod tests;
