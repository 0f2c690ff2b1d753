//! The whole way of a Rollout before it begins: every part, in order, with the earliest instant at
//! which it can begin.
//!
//! Nobody knows how long pods need to become ready or a Job to end. What is certain is a lower bound:
//! the times that people wrote down themselves. So each part says "not before", the whole "at least",
//! and a hook "at most". One function makes it for the terminal, the page, approvers and programs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Plan;
use crate::analysis::AnalysisSpec;
use crate::duration::HumanDuration;
use crate::pipeline::{HookSpec, OnFailure};
use crate::rollout::RolloutSpec;
use crate::router::ALL_TRAFFIC;

mod stand;
mod words;

pub(in crate::plan) use stand::rest;
pub use stand::{Place, Stand};

/// A Rollout's way, part by part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outline {
    /// Its parts, in the order in which they begin.
    pub parts: Vec<Part>,
    /// The candidate has all the traffic after so many milliseconds at the earliest.
    pub all_traffic_ms: u64,
    /// It is over after so many milliseconds at the earliest.
    pub least_ms: u64,
    /// For so many milliseconds at the least it goes back by itself when it is found bad.
    pub guarded_ms: u64,
    /// For so many milliseconds at the least the old version stands beside the new one, so that going
    /// back is instant. None: no router of this kind keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instant_ms: Option<u64>,
    /// Whether a bad candidate stays where it is for a person to decide.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holds_when_bad: bool,
}

/// One part of the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// The name that people gave it.
    pub name: String,
    /// The step, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The share that the candidate has in it, in basis points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_bp: Option<u16>,
    /// Not before so many milliseconds after the start.
    pub from_ms: u64,
    /// It takes so many milliseconds at the least.
    pub least_ms: u64,
    /// It may take so many milliseconds; longer, and it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_ms: Option<u64>,
    /// What happens in it, in one sentence without instants.
    pub text: String,
}

/// What a part of the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PartKind {
    /// Copies of configuration.
    Config,
    /// A Job before traffic moves.
    Before,
    /// A step that gives the candidate a share.
    Step,
    /// The step that gives it everything.
    Promotion,
    /// It serves and is watched.
    Watch,
    /// The old version is kept beside it.
    Kept,
    /// A drill goes back on purpose.
    Return,
    /// A Job when nothing goes back any more.
    After,
}

impl Part {
    fn new(kind: PartKind, name: &str, text: String) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            step: None,
            share_bp: None,
            from_ms: 0,
            least_ms: 0,
            most_ms: None,
            text,
        }
    }
}

impl PartKind {
    /// In one word, for columns.
    pub fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Before => "before",
            Self::Step => "step",
            Self::Promotion => "promotion",
            Self::Watch => "watch",
            Self::Kept => "way back",
            Self::Return => "return",
            Self::After => "after",
        }
    }
}

/// The way that this plan takes under this spec.
pub fn outline(plan: &Plan, spec: &RolloutSpec) -> Outline {
    let mut out = Outline {
        parts: Vec::new(),
        all_traffic_ms: 0,
        least_ms: 0,
        guarded_ms: 0,
        instant_ms: None,
        holds_when_bad: spec.course.on_failure == OnFailure::Hold,
    };
    let course = &spec.course;
    // A way back and a drill run no Jobs.
    let jobs = spec.returns_to.is_none() && !spec.drill;
    if !spec.target.config.is_empty() && jobs {
        out.push(Part::new(PartKind::Config, "config", words::config(spec)));
    }
    for hook in course.before.iter().filter(|_| jobs) {
        out.hook(PartKind::Before, hook);
    }
    out.steps(plan, spec);
    if spec.drill {
        out.guarded_ms = out.least_ms;
        out.push(Part::new(PartKind::Return, "drill", words::returns()));
        return out;
    }
    out.afterwards(spec);
    for hook in course.after.iter().filter(|_| jobs) {
        out.hook(PartKind::After, hook);
    }
    out
}

impl Outline {
    /// Adds a part that begins where the way ends so far.
    fn push(&mut self, part: Part) {
        self.parts.push(Part {
            from_ms: self.least_ms,
            ..part
        });
    }

    fn hook(&mut self, kind: PartKind, hook: &HookSpec) {
        self.push(Part {
            most_ms: Some(hook.timeout.as_millis()),
            ..Part::new(kind, &hook.name, words::hook(hook))
        });
    }

    fn steps(&mut self, plan: &Plan, spec: &RolloutSpec) {
        for (index, planned) in plan.steps.iter().enumerate() {
            let kind = if planned.promotes() {
                PartKind::Promotion
            } else {
                PartKind::Step
            };
            if planned.promotes() {
                self.all_traffic_ms = self.least_ms;
            }
            let least = planned
                .step
                .hold_ms
                .max(measured(spec, planned.achieved_bp));
            let text = words::step(plan, index, planned, spec);
            self.push(Part {
                step: u32::try_from(index).ok(),
                share_bp: Some(planned.achieved_bp),
                least_ms: least,
                ..Part::new(kind, &planned.step.name, text)
            });
            self.least_ms = self.least_ms.saturating_add(least);
        }
    }

    /// The watch and the kept version, which begin together.
    fn afterwards(&mut self, spec: &RolloutSpec) {
        let since = self.least_ms;
        self.guarded_ms = since;
        // A way back is over when it serves.
        if spec.returns_to.is_some() {
            return;
        }
        let watch = spec.course.watch.as_ref();
        if let Some(watch) = watch.filter(|watch| !watch.time.is_zero()) {
            self.push(Part {
                least_ms: watch.time.as_millis(),
                share_bp: Some(ALL_TRAFFIC),
                ..Part::new(PartKind::Watch, "watch", words::watch(spec, watch))
            });
            self.guarded_ms = since.saturating_add(watch.time.as_millis());
        }
        if let Some(kept) = kept(spec) {
            self.push(Part {
                least_ms: kept.as_millis(),
                share_bp: Some(ALL_TRAFFIC),
                ..Part::new(PartKind::Kept, "kept", words::kept(kept))
            });
            self.instant_ms = Some(since.saturating_add(kept.as_millis()));
        }
        self.least_ms = self.guarded_ms.max(self.instant_ms.unwrap_or(0));
    }
}

/// How long the old version stands beside the new one: only a switch of the Service leaves it whole.
fn kept(spec: &RolloutSpec) -> Option<HumanDuration> {
    let window = spec.course.rollback_window?;
    (spec.strategy.router.switches() && !window.is_zero()).then_some(window)
}

/// How long a step takes at the least because its metrics are judged in whole windows.
fn measured(spec: &RolloutSpec, share_bp: u16) -> u64 {
    let least = |analysis: &AnalysisSpec| {
        let more = u64::from(analysis.count.saturating_sub(1));
        let more = more.saturating_mul(analysis.every.as_millis());
        analysis.window().as_millis().saturating_add(more)
    };
    let all = spec.analyses(share_bp, false);
    all.iter().map(least).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
