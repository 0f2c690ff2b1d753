//! What the policy says of a release before anybody asks for it: rule by rule, with what is still
//! needed. For `sluice policy explain`, `test` and `diff`.
//!
//! It decides nothing of its own. Every "no" is a sentence of [`admit`](crate::admit::admit) or of
//! [`refusals`](crate::admit::refusals), every window is asked as the gate asks it. What is not
//! known is put aside before they are asked, and shown as not known: it is never a "yes".

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admit::PipelineView;
use crate::image::facts::ImageFacts;
use crate::pipeline::{CheckSpec, PipelineStatus, TriggerKind};
use crate::policy::{EnvironmentVerdict, Identity, Policy, RouterKind};
use crate::rollout::Emergency;
use crate::stop::Stop;

mod aside;
mod cases;
mod compare;
mod lines;
mod people;

pub use cases::{CaseResult, run_cases};
pub use compare::{AnswerChange, Change, RuleChange, Sample, compare};

/// What is asked. What is left out is not known.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Name of the environment.
    pub environment: String,
    /// Namespace of the target. Default: the Pipeline's, or else the environment's first.
    pub namespace: Option<String>,
    /// What proposes the version.
    pub trigger: TriggerKind,
    /// Who asks.
    pub requester: Option<Identity>,
    /// Why.
    pub reason: Option<String>,
    /// What of the usual way is to be left out.
    pub emergency: Option<Emergency>,
    /// The repository. Default: the Pipeline's.
    pub repository: Option<String>,
    /// The tag.
    pub tag: Option<String>,
    /// The digest. Without one, nothing that was remembered of it can be told.
    pub digest: Option<String>,
    /// What the image says of itself and who signed it. None: it was not read.
    pub about: Option<ImageFacts>,
    /// Since when it is proposed. None: it is proposed at that instant.
    pub proposed_at: Option<Timestamp>,
    /// The strategy plugin. Default: the Pipeline's.
    pub strategy: Option<String>,
    /// What moves traffic. Default: the Pipeline's.
    pub router: Option<RouterKind>,
    /// The checks. Default: the Pipeline's.
    pub checks: Option<Vec<CheckSpec>>,
    /// How many Rollouts are under way. None: it was not looked at.
    pub under_way: Option<UnderWay>,
    /// The global stop in force.
    pub stop: Option<Stop>,
    /// The instant.
    pub at: Timestamp,
}

impl Question {
    /// A version that a person asks for, of which nothing is known.
    pub fn new(environment: impl Into<String>, at: Timestamp) -> Self {
        Self {
            environment: environment.into(),
            namespace: None,
            trigger: TriggerKind::Manual,
            requester: None,
            reason: None,
            emergency: None,
            repository: None,
            tag: None,
            digest: None,
            about: None,
            proposed_at: None,
            strategy: None,
            router: None,
            checks: None,
            under_way: None,
            stop: None,
            at,
        }
    }
}

/// Rollouts under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// In this environment.
    pub here: u32,
    /// In all of them.
    pub everywhere: u32,
}

/// The answer of one rule, or of all of them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is met.
    Ok,
    /// It is not known whether it is met.
    Unknown,
    /// People or time are still needed.
    Needed,
    /// It refuses.
    No,
}

impl Verdict {
    /// As in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Needed => "needed",
            Self::No => "no",
        }
    }
}

/// What one rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The rule, by its key in the policy file, such as `windows` or `rules[1]`; `pipeline` and
    /// `quarantine` are not the policy's.
    pub rule: String,
    /// Its answer.
    pub verdict: Verdict,
    /// In words.
    pub text: String,
    /// More of it, where a person needs more to act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// What the whole policy says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The answer: the gravest of the rules'. `ok` is yes.
    pub answer: Verdict,
    /// Every rule that applies, in the order in which a release meets them.
    pub lines: Vec<Line>,
}

impl Explanation {
    fn of(lines: Vec<Line>) -> Self {
        let answer = lines.iter().map(|line| line.verdict).max();
        Self {
            answer: answer.unwrap_or(Verdict::Unknown),
            lines,
        }
    }

    /// The lines with this answer.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |l| l.verdict == verdict)
    }
}

/// What the policy, and the Pipeline where there is one, say of this.
pub fn explain(
    policy: &Policy,
    pipeline: Option<&PipelineView>,
    question: &Question,
) -> Explanation {
    let environment = pipeline.and_then(|p| p.spec.environment(&question.environment));
    let namespace = question
        .namespace
        .clone()
        .or_else(|| environment.map(|e| e.target.namespace.clone()))
        .or_else(|| {
            let named = policy.environments.get(&question.environment)?;
            named.targets.namespaces.first().cloned()
        })
        .unwrap_or_default();
    let mut lines = Vec::new();
    if let Some(pipeline) = pipeline
        && environment.is_none()
    {
        let names: Vec<&str> = pipeline
            .spec
            .environments
            .iter()
            .map(|e| e.name.as_str())
            .collect();
        lines.push(Line {
            rule: "pipeline".to_owned(),
            verdict: Verdict::No,
            text: format!(
                "{} has no environment {}; it has {}",
                pipeline.name,
                question.environment,
                names.join(", ")
            ),
            details: Vec::new(),
        });
    }
    match policy.environment(&question.environment, &namespace) {
        EnvironmentVerdict::Closed(why) => lines.push(Line {
            rule: "environment".to_owned(),
            verdict: Verdict::No,
            text: why.to_string(),
            details: Vec::new(),
        }),
        EnvironmentVerdict::Open(rules) => {
            let target = pipeline.zip(environment);
            let situation = aside::Situation::new(policy, rules, namespace, target, question);
            lines.extend(lines::of(&situation));
        }
    }
    Explanation::of(lines)
}

/// The digest under which this tag was last seen by the Pipeline, if it was. The tag may have moved
/// since: only the registry knows.
pub fn remembered_digest(status: &PipelineStatus, tag: &str) -> Option<String> {
    let named = |known: Option<&String>| known.is_some_and(|known| known == tag);
    let seen = status.environments.values().flat_map(|e| {
        let refused = e.refused.iter().map(|r| (r.at, r.tag.as_ref(), &r.digest));
        let history = e.history.iter().map(|o| (o.at, o.tag.as_ref(), &o.digest));
        let revisions = e.stable.iter().chain(&e.earlier);
        let revisions = revisions.map(|r| (r.since, r.tag.as_ref(), &r.digest));
        refused.chain(history).chain(revisions)
    });
    seen.filter(|(_, known, _)| named(*known))
        .max_by_key(|(at, _, _)| *at)
        .map(|(_, _, digest)| digest.clone())
}

#[cfg(test)]
mod tests;
