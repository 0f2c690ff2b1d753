//! The outline in words.

use super::{Outline, Part, PartKind};
use crate::analysis::AnalysisSpec;
use crate::duration::HumanDuration;
use crate::pipeline::{HookSpec, RouterSpec, WatchSpec};
use crate::plan::{Plan, PlannedStep};
use crate::rollout::{ObjectKind, RolloutSpec};
use crate::router::{ALL_TRAFFIC, percent};

/// Steps that one line names; of more, the first ones and the last.
const STEPS_NAMED: usize = 8;

impl Outline {
    /// `at least 37m`.
    pub fn takes(&self) -> String {
        if self.least_ms == 0 {
            return "as long as its pods need to become ready".to_owned();
        }
        format!("at least {}", span(self.least_ms))
    }

    /// All of it in one line: `10 % for 2m, 50 % for 5m, 100 %; at least 7m`.
    pub fn brief(&self) -> String {
        let (mut before, mut steps, mut then) = (Vec::new(), Vec::new(), Vec::new());
        for part in &self.parts {
            match part.kind {
                PartKind::Before => before.push(part.name.clone()),
                PartKind::Step | PartKind::Promotion => {
                    let share = percent(part.share_bp.unwrap_or(0));
                    steps.push(match part.least_ms {
                        0 => share,
                        ms => format!("{share} for {}", span(ms)),
                    });
                }
                PartKind::Watch => then.push(format!("watched for {}", span(part.least_ms))),
                PartKind::Kept => {
                    then.push(format!("the old version kept for {}", span(part.least_ms)))
                }
                PartKind::Return => then.push("back again: a drill".to_owned()),
                PartKind::After => then.push(part.name.clone()),
                PartKind::Config => {}
            }
        }
        let mut out = String::new();
        if !before.is_empty() {
            out.push_str(&format!("{}, then ", before.join(", ")));
        }
        if steps.len() > STEPS_NAMED {
            let more = steps.len() - STEPS_NAMED;
            steps.splice(
                STEPS_NAMED - 1..steps.len() - 1,
                [format!("{more} more steps")],
            );
        }
        out.push_str(&steps.join(", "));
        if !then.is_empty() {
            out.push_str(&format!(", then {}", then.join(", ")));
        }
        format!("{out}; {}", self.takes())
    }

    /// How long going back needs nobody or is instant, counted from the start.
    pub fn way_back(&self) -> String {
        let mut out = if self.holds_when_bad {
            "found bad, it stays where it is until a person decides or the policy's time for that is over"
                .to_owned()
        } else {
            let until = match self.guarded_ms {
                0 => "before it is over".to_owned(),
                ms => format!("for at least {}", span(ms)),
            };
            format!("goes back by itself when it is found bad, {until}")
        };
        if let Some(instant) = self.instant_ms {
            out.push_str(&format!(
                "; `sluice rollback` is instant for {}, unless a newer version waits",
                span(instant)
            ));
        }
        out
    }
}

impl Part {
    /// When it begins at the earliest, counted from the start: `+2m`.
    pub fn from(&self) -> String {
        after(self.from_ms)
    }
}

fn after(ms: u64) -> String {
    format!("+{}", span(ms))
}

fn span(ms: u64) -> String {
    HumanDuration::from_millis(ms).to_string()
}

pub(super) fn config(spec: &RolloutSpec) -> String {
    let names: Vec<String> = spec
        .target
        .config
        .iter()
        .map(|source| {
            let (kind, name) = source.object();
            format!("{kind} {name}")
        })
        .collect();
    format!(
        "copies that never change are made of {}: the old pods keep what they have",
        names.join(", ")
    )
}

pub(super) fn hook(hook: &HookSpec) -> String {
    let mut out = format!(
        "a Job of CronJob {}, at most {}",
        hook.cron_job, hook.timeout
    );
    if hook.verified {
        out.push_str(", which has to say that its result was verified");
    }
    if let Some(undo) = &hook.undo {
        out.push_str(&format!("; CronJob {undo} takes it back"));
    }
    out
}

pub(super) fn returns() -> String {
    "it is a drill: everything goes back on purpose, and the time of each part is reported".into()
}

pub(super) fn watch(spec: &RolloutSpec, watch: &WatchSpec) -> String {
    let analyses = spec.analyses(ALL_TRAFFIC, true);
    let repeated = spec.checks.iter().filter_map(|check| {
        let every = check.every?;
        Some(format!("{} every {every}", check.label()))
    });
    let names = analyses.iter().map(|a| a.label().to_owned());
    let all: Vec<String> = names.chain(repeated).collect();
    let mut out = format!("serves everything and is watched for {}", watch.time);
    if !all.is_empty() {
        out.push_str(&format!(" by {}", all.join(", ")));
    }
    out
}

pub(super) fn kept(window: HumanDuration) -> String {
    format!(
        "the old version stands beside the new one for {window}, or until a newer version waits for \
         its place: going back is instant"
    )
}

/// One step as a sentence: the share, the pods behind it, and what judges it.
pub(super) fn step(plan: &Plan, index: usize, planned: &PlannedStep, spec: &RolloutSpec) -> String {
    let mut out = if planned.promotes() {
        promotion(index, planned, spec)
    } else {
        share(planned, spec)
    };
    if planned.achieved_bp != planned.step.weight_bp {
        out.push_str(&format!(
            " (asked for: {})",
            percent(planned.step.weight_bp)
        ));
    }
    if !spec.target.with.is_empty() {
        let names: Vec<&str> = spec
            .target
            .with
            .iter()
            .map(|m| m.deployment.as_str())
            .collect();
        out.push_str(&format!(", in lockstep with {}", names.join(", ")));
    }
    let checked = planned.step.checks || planned.promotes();
    let checks: Vec<&str> = spec.checks.iter().map(|c| c.label()).collect();
    if checked && !checks.is_empty() {
        out.push_str(&format!("; checks: {}", checks.join(", ")));
    }
    let analyses = spec.analyses(planned.step.weight_bp, false);
    let analyses: Vec<&str> = analyses.iter().map(AnalysisSpec::label).collect();
    if !analyses.is_empty() {
        out.push_str(&format!("; analysis: {}", analyses.join(", ")));
    }
    if planned.step.hold_ms > 0 {
        out.push_str(&format!(
            "; then watched for {}",
            span(planned.step.hold_ms)
        ));
    }
    let after = index
        .checked_sub(1)
        .and_then(|before| plan.steps.get(before));
    if let (Some(_), Some(gate)) = (after, &planned.step.gate) {
        out.push_str(&format!("; before it a person opens `{gate}`"));
    }
    out
}

fn share(planned: &PlannedStep, spec: &RolloutSpec) -> String {
    let (new, old) = (pods(planned.candidate_replicas), planned.stable_replicas);
    let kind = spec.target.kind();
    if kind == ObjectKind::StatefulSet {
        return format!(
            "{} of the traffic: {new} of {} get the new version, the highest numbers first",
            percent(planned.achieved_bp),
            planned.candidate_replicas.saturating_add(old)
        );
    }
    let beside = format!("{new} of the new version beside {old} of the old");
    if planned.achieved_bp == 0 {
        return format!("no traffic: {beside}, tested before anybody sees them");
    }
    let by = match &spec.strategy.router {
        RouterSpec::Replicas(_) | RouterSpec::Service(_) => String::new(),
        RouterSpec::HttpRoute(route) => format!(" by HTTPRoute {}", route.name),
        RouterSpec::IngressNginx(nginx) => {
            format!(" by a second Ingress beside {}", nginx.ingress)
        }
    };
    format!(
        "{} of the traffic{by}: {beside}",
        percent(planned.achieved_bp)
    )
}

fn promotion(index: usize, planned: &PlannedStep, spec: &RolloutSpec) -> String {
    let kind = spec.target.kind();
    let all = pods(planned.stable_replicas);
    if let RouterSpec::Service(_) = &spec.strategy.router {
        return format!(
            "100 %: Service {} sends everything to the new version at once",
            spec.target.service
        );
    }
    let itself = format!("100 %: the {kind} itself gets the new version ({all})");
    let gone = match &spec.strategy.router {
        _ if index == 0 || kind != ObjectKind::Deployment => return itself,
        RouterSpec::Replicas(_) | RouterSpec::Service(_) => "the canary goes".to_owned(),
        RouterSpec::HttpRoute(route) => {
            format!(
                "HTTPRoute {} is put back as it was, the canary goes",
                route.name
            )
        }
        RouterSpec::IngressNginx(_) => "the second Ingress and the canary go".to_owned(),
    };
    format!("{itself}, {gone}")
}

fn pods(n: u32) -> String {
    if n == 1 {
        "1 pod".into()
    } else {
        format!("{n} pods")
    }
}
