//! Which answers change from one policy to another.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Explanation, Line, Question, Verdict, explain, remembered_digest};
use crate::admit::PipelineView;
use crate::image::Repository;
use crate::pipeline::TriggerKind;
use crate::policy::Policy;
use crate::rollout::{Emergency, clock};

/// How far ahead windows are compared, in hours: four weeks, so every weekly window stands in it
/// whatever the day.
const HOURS: i64 = 28 * 24;

/// Changes of windows that are shown. After a few a reader looks into the file.
const SHOWN: usize = 3;

/// The ways of asking, with the words that tell them apart.
const WAYS: [(&str, Option<Emergency>); 3] = [
    ("", None),
    (
        ", skipping the canary",
        Some(Emergency {
            skip_canary: true,
            break_glass: false,
        }),
    ),
    (
        ", breaking the glass",
        Some(Emergency {
            skip_canary: false,
            break_glass: true,
        }),
    ),
];

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Versions to ask for, by tag.
    pub tags: Vec<String>,
    /// The instant at which it is asked; windows are compared from there on.
    pub at: Timestamp,
}

/// One rule that says something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleChange {
    /// The rule.
    pub rule: String,
    /// What it says now and would not say any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub old: Vec<String>,
    /// What it would say and does not say now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<String>,
    /// For what: triggers and versions. Empty: for everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
}

/// A question with another answer as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnswerChange {
    /// What is asked: a trigger and a version.
    pub asked: String,
    /// The answer now.
    pub old: Verdict,
    /// The answer then.
    pub new: Verdict,
}

/// What changes in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The Pipeline. None: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The environment.
    pub environment: String,
    /// Its namespace.
    pub namespace: String,
    /// Answers that change as a whole.
    pub answers: Vec<AnswerChange>,
    /// Rules that say something else.
    pub rules: Vec<RuleChange>,
}

/// Asks both policies the same questions: for each Pipeline, or where there is none for each
/// environment and namespace, each trigger and version, in the usual way and in an emergency.
pub fn compare(
    old: &Policy,
    new: &Policy,
    pipelines: &[PipelineView],
    sample: &Sample,
) -> Vec<Change> {
    let mut out: Vec<Change> = Vec::new();
    for (pipeline, environment, namespace) in places(old, new, pipelines) {
        let place = Place {
            old,
            new,
            pipeline,
            environment: &environment,
            namespace: &namespace,
        };
        let change = place.change(sample);
        if !change.rules.is_empty() || !change.answers.is_empty() {
            out.push(change);
        }
    }
    out
}

/// Where something can change.
fn places<'p>(
    old: &Policy,
    new: &Policy,
    pipelines: &'p [PipelineView],
) -> Vec<(Option<&'p PipelineView>, String, String)> {
    if !pipelines.is_empty() {
        return pipelines
            .iter()
            .flat_map(|pipeline| {
                let environments = pipeline.spec.environments.iter();
                environments
                    .map(move |e| (Some(pipeline), e.name.clone(), e.target.namespace.clone()))
            })
            .collect();
    }
    let named: BTreeSet<(String, String)> = [old, new]
        .iter()
        .flat_map(|policy| policy.environments.values())
        .flat_map(|e| {
            let namespaces = e.targets.namespaces.iter();
            namespaces.map(|namespace| (e.name.clone(), namespace.clone()))
        })
        .collect();
    named.into_iter().map(|(e, n)| (None, e, n)).collect()
}

struct Place<'a> {
    old: &'a Policy,
    new: &'a Policy,
    pipeline: Option<&'a PipelineView>,
    environment: &'a str,
    namespace: &'a str,
}

impl Place<'_> {
    fn change(&self, sample: &Sample) -> Change {
        let mut tags: Vec<Option<&String>> = sample.tags.iter().map(Some).collect();
        if tags.is_empty() {
            tags.push(None);
        }
        let mut out = Change {
            pipeline: self.pipeline.map(|p| p.name.clone()),
            environment: self.environment.to_owned(),
            namespace: self.namespace.to_owned(),
            answers: Vec::new(),
            rules: Vec::new(),
        };
        let mut usual = 0;
        for (way, emergency) in WAYS {
            for trigger in self.triggers() {
                // A person asks for what is not usual.
                if !way.is_empty() && trigger != TriggerKind::Manual {
                    continue;
                }
                for tag in &tags {
                    usual += usize::from(way.is_empty());
                    let question = self.question(trigger, *tag, emergency, sample.at);
                    let old = explain(self.old, self.pipeline, &question);
                    let new = explain(self.new, self.pipeline, &question);
                    let asked = match tag {
                        Some(tag) => format!("{trigger} {tag}{way}"),
                        None => format!("{trigger}{way}"),
                    };
                    if old.answer != new.answer {
                        out.answers.push(AnswerChange {
                            asked: asked.clone(),
                            old: old.answer,
                            new: new.answer,
                        });
                    }
                    for change in rules(&old, &new, !way.is_empty()) {
                        let same = |known: &&mut RuleChange| {
                            known.rule == change.rule
                                && known.old == change.old
                                && known.new == change.new
                        };
                        match out.rules.iter_mut().find(same) {
                            Some(known) => known.asked.push(asked.clone()),
                            None => out.rules.push(RuleChange {
                                asked: vec![asked.clone()],
                                ..change
                            }),
                        }
                    }
                }
            }
        }
        for rule in &mut out.rules {
            if rule.asked.len() >= usual {
                rule.asked.clear();
            }
        }
        out.rules.extend(self.windows(sample.at));
        out
    }

    /// What can ask there, by the Pipeline or by either policy.
    fn triggers(&self) -> BTreeSet<TriggerKind> {
        if let Some(pipeline) = self.pipeline {
            let environment = pipeline.spec.environment(self.environment);
            return environment
                .iter()
                .flat_map(|e| e.triggers.iter().map(crate::pipeline::Trigger::kind))
                .collect();
        }
        [self.old, self.new]
            .iter()
            .filter_map(|policy| {
                let verdict = policy.environment(self.environment, self.namespace);
                verdict.into_result().ok()
            })
            .flat_map(|rules| rules.triggers.iter().copied())
            .collect()
    }

    fn question(
        &self,
        trigger: TriggerKind,
        tag: Option<&String>,
        emergency: Option<Emergency>,
        at: Timestamp,
    ) -> Question {
        let known = self.pipeline.zip(tag);
        Question {
            namespace: Some(self.namespace.to_owned()),
            trigger,
            emergency,
            repository: match self.pipeline {
                Some(_) => None,
                None => self.some_repository(),
            },
            tag: tag.cloned(),
            digest: known.and_then(|(p, tag)| remembered_digest(&p.status, tag)),
            ..Question::new(self.environment, at)
        }
    }

    /// A repository that the first pattern of the policy of now lets in.
    fn some_repository(&self) -> Option<String> {
        let verdict = self.old.environment(self.environment, self.namespace);
        let pattern = verdict.into_result().ok()?.images.repositories.first()?;
        let fitting = match pattern.to_string().as_str() {
            "**" => "registry.example.com/any".to_owned(),
            pattern => pattern
                .replace("**", "any")
                .replace('*', "any")
                .replace('?', "a"),
        };
        fitting.parse::<Repository>().is_ok().then_some(fitting)
    }

    /// The first instants at which one policy is open and the other closed.
    fn windows(&self, at: Timestamp) -> Option<RuleChange> {
        let rules = |policy: &Policy| {
            let verdict = policy.environment(self.environment, self.namespace);
            Some(verdict.into_result().ok()?.windows.clone())
        };
        let (old, new) = (rules(self.old)?, rules(self.new)?);
        if old == new {
            return None;
        }
        let mut differs = false;
        let (mut was, mut becomes) = (Vec::new(), Vec::new());
        for hour in 0..HOURS {
            let Ok(instant) = at.checked_add(SignedDuration::from_hours(hour)) else {
                break;
            };
            let (before, after) = (old.evaluate(instant), new.evaluate(instant));
            if before.open == after.open {
                differs = false;
            } else if !differs {
                differs = true;
                let word = |open: bool| if open { "open" } else { "closed" };
                let when = clock(&instant);
                was.push(format!(
                    "{} at {when}: {}",
                    word(before.open),
                    before.reason
                ));
                becomes.push(format!("{} at {when}: {}", word(after.open), after.reason));
                if was.len() == SHOWN {
                    break;
                }
            }
        }
        if was.is_empty() {
            // Other words, or later than four weeks: both are shown as written.
            let text = |windows: &crate::window::Windows| {
                serde_json::to_string(windows.rules()).unwrap_or_default()
            };
            was.push(text(&old));
            becomes.push(text(&new));
        }
        Some(RuleChange {
            rule: "windows".to_owned(),
            old: was,
            new: becomes,
            asked: Vec::new(),
        })
    }
}

/// The rules that say something else. Of a question that is not usual, those of the emergency alone:
/// the others were told already.
fn rules(old: &Explanation, new: &Explanation, emergency: bool) -> Vec<RuleChange> {
    let mut names: Vec<&String> = Vec::new();
    for line in old.lines.iter().chain(&new.lines) {
        if !names.contains(&&line.rule) {
            names.push(&line.rule);
        }
    }
    let special = |name: &String| ["skipCanary", "breakGlass"].contains(&name.as_str());
    names
        .into_iter()
        .filter(|name| *name != "windows" && (!emergency || special(name)))
        .filter_map(|name| {
            let (was, becomes) = (said(old, name), said(new, name));
            let only = |these: &[String], those: &[String]| -> Vec<String> {
                let others = these.iter().filter(|text| !those.contains(text));
                others.cloned().collect()
            };
            let change = RuleChange {
                rule: name.clone(),
                old: only(&was, &becomes),
                new: only(&becomes, &was),
                asked: Vec::new(),
            };
            (was != becomes).then_some(change)
        })
        .collect()
}

/// Everything that a rule says.
fn said(explanation: &Explanation, rule: &str) -> Vec<String> {
    let lines = explanation.lines.iter().filter(|line| line.rule == rule);
    lines
        .flat_map(|line: &Line| {
            let text = format!("{}: {}", line.verdict.as_str(), line.text);
            std::iter::once(text).chain(line.details.iter().cloned())
        })
        .collect()
}
