//! The share of the candidate over time: what was done, and what is to come at the earliest.
//!
//! Spans of a step function, on one axis from the start of the Rollout. The terminal and the page
//! draw them; nothing here knows how. Lengths on paper are not proportional to time: next to a watch
//! of an hour, steps of minutes could not be read. [`Curve::places`] gives each span room and shares
//! out the rest by time.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Plan;
use super::outline::{Outline, PartKind, outline, rest};
use crate::pipeline::OutcomeKind;
use crate::rollout::{Journal, Moment, RolloutSpec, State};
use crate::router::ALL_TRAFFIC;

/// The share of the candidate from the start to the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Curve {
    /// In order and without gaps; what was done first.
    pub spans: Vec<Span>,
    /// How many of them were done, whole or up to now.
    pub done: usize,
    /// Where the present is, while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now_ms: Option<u64>,
    /// Whether it went back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back: bool,
}

/// A time with one share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// From so many milliseconds after the start.
    pub from_ms: u64,
    /// Until then.
    pub to_ms: u64,
    /// The candidate's share, in basis points.
    pub share_bp: u16,
    /// The step, from 0; none before the first, after the last and while going back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
}

/// The curve of a Rollout that has a plan. None: there is none, or there is nothing to see in it,
/// because one step does everything.
pub fn curve(spec: &RolloutSpec, journal: &Journal, now: Timestamp) -> Option<Curve> {
    let plan = journal.plan.as_ref()?;
    let way = outline(plan, spec);
    let mut out = Curve {
        spans: Vec::new(),
        done: 0,
        now_ms: None,
        back: false,
    };
    if let Some(start) = journal.started_at {
        out.done_so_far(plan, journal, start, now);
    }
    match (journal.started_at, out.now_ms) {
        (None, _) if may_begin(&journal.state) => out.ahead(&way, None, 0),
        (Some(_), Some(at)) => out.ahead_from(&way, journal, at, now),
        (_, _) => {}
    }
    let mut shares: Vec<u16> = out.spans.iter().map(|span| span.share_bp).collect();
    shares.dedup();
    (shares.len() > 1).then_some(out)
}

impl Curve {
    /// Length of the axis.
    pub fn end_ms(&self) -> u64 {
        self.spans.last().map_or(0, |span| span.to_ms)
    }

    /// Where each span begins and the last one ends on an axis of `width`, each at least `least` wide
    /// if all of them fit so.
    pub fn places(&self, width: u32, least: u32) -> Vec<u32> {
        let count = u32::try_from(self.spans.len()).unwrap_or(u32::MAX).max(1);
        let least = least.min(width / count);
        let free = u64::from(width.saturating_sub(least.saturating_mul(count)));
        let all = self.end_ms().max(1);
        let mut out = Vec::with_capacity(self.spans.len() + 1);
        let mut taken = 0;
        for span in &self.spans {
            out.push(place(taken, free, span.from_ms, all));
            taken += least;
        }
        out.push(width);
        out
    }

    fn push(&mut self, from_ms: u64, to_ms: u64, share_bp: u16, step: Option<u32>) {
        self.spans.push(Span {
            from_ms,
            to_ms: to_ms.max(from_ms),
            share_bp,
            step,
        });
    }

    /// What the journal says was done, up to now or to its end.
    fn done_so_far(&mut self, plan: &Plan, journal: &Journal, start: Timestamp, now: Timestamp) {
        let until = journal.ended_at.unwrap_or(now);
        let since = |at: Timestamp| {
            u64::try_from(at.min(until).duration_since(start).as_millis()).unwrap_or(0)
        };
        let mut changes: Vec<(u64, u16, Option<u32>)> = vec![(0, 0, None)];
        for moment in &journal.timeline {
            if let Some(step) = entered(moment) {
                let planned = usize::try_from(step).ok().and_then(|i| plan.steps.get(i));
                let share = planned.map_or(0, |p| p.achieved_bp);
                changes.push((since(moment.at), share, Some(step)));
            } else if moment.kind == GOES_BACK && moment.at >= start {
                self.back = true;
                changes.push((since(moment.at), 0, None));
            }
        }
        // What happened may have fallen out of the journal; the step under way stands in its state.
        if let Some(step) = journal.state.step()
            && changes.iter().all(|c| c.2 != Some(step.index))
        {
            let planned = usize::try_from(step.index)
                .ok()
                .and_then(|i| plan.steps.get(i));
            let share = planned.map_or(0, |p| p.achieved_bp);
            changes.push((since(step.since), share, Some(step.index)));
        }
        let ends = changes.iter().skip(1).map(|c| c.0).chain([since(until)]);
        let spans: Vec<_> = changes.iter().copied().zip(ends).collect();
        let last = spans.len().saturating_sub(1);
        for (i, ((from, share, step), to)) in spans.into_iter().enumerate() {
            // What took no time was not seen by anybody, but the last one is where it stands.
            if to > from || (i == last && i > 0) {
                self.push(from, to, share, step);
            }
        }
        self.done = self.spans.len();
        self.now_ms = journal.ended_at.is_none().then(|| since(now));
    }

    /// The rest of a Rollout under way: what is left of the present part, and all after it.
    fn ahead_from(&mut self, way: &Outline, journal: &Journal, at: u64, now: Timestamp) {
        match &journal.state {
            State::Progressing(step) | State::Promoting(step) => {
                let part = way.parts.iter().find(|p| p.step == Some(step.index));
                let Some(part) = part else { return };
                let rest = rest(&step.stage, part.least_ms, now);
                if rest > 0 {
                    let share = part.share_bp.unwrap_or(0);
                    self.push(at, at.saturating_add(rest), share, Some(step.index));
                }
                self.ahead(way, Some(step.index), at.saturating_add(rest));
            }
            State::Watching(step) => {
                let rest = rest(&step.stage, watched(way), now);
                if rest > 0 {
                    self.push(at, at.saturating_add(rest), ALL_TRAFFIC, Some(step.index));
                }
            }
            State::Preparing(_) => self.ahead(way, None, at),
            State::Queued
            | State::Planning { .. }
            | State::AwaitingApproval
            | State::Finishing(_)
            | State::RollingBack(_)
            | State::Recording(_)
            | State::Ended(_) => {}
        }
    }

    /// The steps after one, or all of them, from an instant on, and the time after the last.
    fn ahead(&mut self, way: &Outline, after: Option<u32>, from: u64) {
        let mut at = from;
        let mut last = None;
        for part in &way.parts {
            let Some(step) = part.step.filter(|step| after.is_none_or(|a| *step > a)) else {
                continue;
            };
            let to = at.saturating_add(part.least_ms);
            self.push(at, to, part.share_bp.unwrap_or(0), Some(step));
            (at, last) = (to, Some(step));
        }
        let watched = watched(way);
        // The watch is no step of its own: the share stays.
        if watched > 0
            && let Some(span) = self.spans.last_mut().filter(|_| last.is_some())
        {
            span.to_ms = at.saturating_add(watched);
        } else if watched > 0 {
            self.push(at, at.saturating_add(watched), ALL_TRAFFIC, after);
        }
        if way.parts.iter().any(|part| part.kind == PartKind::Return) {
            self.push(at, at, 0, None);
        }
    }
}

/// The kind of the moment in which a Rollout begins to go back.
const GOES_BACK: &str = "rolling-back";
/// The kind of the moment in which a step begins. Its text begins with [`STEP`] and a number from 1.
const ENTERED: &str = "step-started";
const STEP: &str = "step ";

/// The step that this moment begins, from 0.
fn entered(moment: &Moment) -> Option<u32> {
    let text = moment
        .text
        .strip_prefix(STEP)
        .filter(|_| moment.kind == ENTERED)?;
    let number: u32 = text.split(' ').next()?.parse().ok()?;
    number.checked_sub(1)
}

/// How long it is watched after the last step, or the old version is kept: whichever is longer.
fn watched(way: &Outline) -> u64 {
    let after = |kind| matches!(kind, PartKind::Watch | PartKind::Kept);
    let parts = way.parts.iter().filter(|part| after(part.kind));
    parts.map(|part| part.least_ms).max().unwrap_or(0)
}

/// Whether what has not begun may begin, or was only to be planned.
fn may_begin(state: &State) -> bool {
    state
        .outcome()
        .is_none_or(|kind| kind == OutcomeKind::Planned)
}

fn place(taken: u32, free: u64, at: u64, all: u64) -> u32 {
    let more = u128::from(free) * u128::from(at) / u128::from(all);
    taken.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
