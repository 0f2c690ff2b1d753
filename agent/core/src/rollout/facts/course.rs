//! What a Rollout does beside its steps, as lines for approvers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LINE_LIMIT, cut};
use crate::analysis::AnalysisSpec;
use crate::pipeline::{OnFailure, RouterSpec};
use crate::plan::outline::{PartKind, outline};
use crate::rollout::{Journal, RolloutSpec};

/// One line about the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CourseShown {
    /// A word for it, such as `before`.
    pub label: String,
    /// In words.
    pub text: String,
}

/// How traffic moves if not by numbers of pods, what runs before and after, what judges it beside
/// checks, how long it takes at the least, and how it goes back.
pub(super) fn course(spec: &RolloutSpec, journal: &Journal) -> Vec<CourseShown> {
    let mut out = Vec::new();
    let mut say = |label: &str, text: String| {
        out.push(CourseShown {
            label: label.to_owned(),
            text: cut(&text, LINE_LIMIT),
        });
    };
    if let Some(router) = router(&spec.strategy.router) {
        say("traffic", router);
    }
    if !spec.target.with.is_empty() {
        let names: Vec<&str> = spec
            .target
            .with
            .iter()
            .map(|m| m.deployment.as_str())
            .collect();
        say("lockstep", names.join(", "));
    }
    if spec.returns_to.is_none() {
        for analysis in &spec.course.analysis {
            say("analysis", judges(analysis));
        }
        let watch = spec.course.watch.iter().flat_map(|w| &w.analysis);
        for analysis in watch {
            say("watched by", judges(analysis));
        }
    }
    if let Some(plan) = &journal.plan {
        let way = outline(plan, spec);
        for part in &way.parts {
            match part.kind {
                PartKind::Step | PartKind::Promotion => {}
                PartKind::Before | PartKind::After => {
                    say(part.kind.word(), format!("{}: {}", part.name, part.text));
                }
                PartKind::Config | PartKind::Watch | PartKind::Kept | PartKind::Return => {
                    say(part.kind.word(), part.text.clone());
                }
            }
        }
        say("takes", way.takes());
    }
    if spec.course.on_failure == OnFailure::Hold {
        say(
            "found bad",
            "it stays where it is until a person decides or the policy's time for that is over"
                .into(),
        );
    }
    out
}

/// The replica router is what everybody expects.
fn router(router: &RouterSpec) -> Option<String> {
    Some(match router {
        RouterSpec::Replicas(r) => match r.surge? {
            0 => "by numbers of pods, none above the usual number".to_owned(),
            n => format!("by numbers of pods, at most {n} above the usual number"),
        },
        RouterSpec::Service(_) => "all or nothing, by the Service".to_owned(),
        RouterSpec::HttpRoute(r) => match &r.rule {
            Some(rule) => format!("by the rule {rule} of HTTPRoute {}", r.name),
            None => format!("by HTTPRoute {}", r.name),
        },
        RouterSpec::IngressNginx(r) => format!("by ingress-nginx, beside Ingress {}", r.ingress),
    })
}

/// `errors by prometheus: < 0.1% in each window of 1m, every 10s; not worse than the old version`.
fn judges(analysis: &AnalysisSpec) -> String {
    let mut out = analysis.label().to_owned();
    if analysis.label() != analysis.plugin {
        out.push_str(&format!(" by {}", analysis.plugin));
    }
    let mut wants = Vec::new();
    if let Some(require) = analysis.require {
        wants.push(format!("{require} in each window of {}", analysis.window()));
    }
    if let Some(compare) = &analysis.compare {
        wants.push(format!(
            "at most {} worse than the old version (a good one is called bad in at most {} of \
             rollouts)",
            compare.margin, compare.alpha
        ));
    }
    format!(
        "{out}: {}, looked at every {}",
        wants.join(" and "),
        analysis.every
    )
}
