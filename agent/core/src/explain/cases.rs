//! The policy's own tests. What a test leaves out is taken as allowed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Line, Question, Verdict, explain};
use crate::image::facts::{ImageFacts, SignatureProof};
use crate::pipeline::TriggerKind;
use crate::policy::{
    Expectation, Given, Identity, IdentityProvider, Policy, PolicyTest, Rule, Signer,
};
use crate::rollout::Emergency;

/// What became of one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaseResult {
    /// Its name, or its place in the list.
    pub name: String,
    /// Whether the answer was the expected one.
    pub passed: bool,
    /// What was expected, in words.
    pub expected: String,
    /// What was found, in words.
    pub found: String,
    /// Why, one sentence for each rule that refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
}

/// Runs every test of the policy.
pub fn run_cases(policy: &Policy) -> Vec<CaseResult> {
    let numbered = policy.tests.iter().enumerate();
    numbered
        .map(|(index, test)| run(policy, index, test))
        .collect()
}

fn run(policy: &Policy, index: usize, test: &PolicyTest) -> CaseResult {
    let given = &test.given;
    let question = question(policy, given);
    let explanation = explain(policy, None, &question);
    let refused: Vec<(Rule, &Line)> = explanation
        .lines
        .iter()
        .filter_map(|line| Some((refusal(policy, given, line)?, line)))
        .collect();
    let rules: BTreeSet<&str> = refused.iter().map(|(rule, _)| rule.as_str()).collect();
    let needs = needs(policy, given, &question);
    let found = if !rules.is_empty() {
        let rules: Vec<&str> = rules.iter().copied().collect();
        format!("refused: {}", rules.join(", "))
    } else if needs.is_empty() {
        "allowed".to_owned()
    } else {
        format!("allowed, needs: {}", needs.join(", "))
    };
    let (passed, expected) = match &test.expect {
        Expectation::Allowed => (rules.is_empty(), "allowed".to_owned()),
        Expectation::Refused(rule) => (
            rules.contains(rule.as_str()),
            format!("refused: {}", rule.as_str()),
        ),
        Expectation::Needs(roles) => {
            let mut wanted = roles.clone();
            wanted.sort();
            (
                rules.is_empty() && wanted == needs,
                format!("needs: {}", wanted.join(", ")),
            )
        }
    };
    CaseResult {
        name: test
            .name
            .clone()
            .unwrap_or_else(|| format!("tests[{index}]")),
        passed,
        expected,
        found,
        why: refused
            .iter()
            .map(|(rule, line)| format!("{}: {}", rule.as_str(), line.text))
            .collect(),
    }
}

/// A role for each vote, sorted.
fn needs(policy: &Policy, given: &Given, question: &Question) -> Vec<String> {
    let namespace = namespace(policy, given);
    let Ok(rules) = policy
        .environment(&given.environment, &namespace)
        .into_result()
    else {
        return Vec::new();
    };
    let rules = rules.under(question.emergency);
    let required = rules.approvals.require.iter();
    let mut votes: Vec<String> = required
        .flat_map(|r| std::iter::repeat_n(r.role.clone(), r.count as usize))
        .collect();
    votes.sort();
    votes
}

fn namespace(policy: &Policy, given: &Given) -> String {
    let first = || {
        let environment = policy.environments.get(&given.environment)?;
        environment.targets.namespaces.first().cloned()
    };
    given.namespace.clone().or_else(first).unwrap_or_default()
}

fn question(policy: &Policy, given: &Given) -> Question {
    let at = given.at.unwrap_or(Timestamp::UNIX_EPOCH);
    let triggers = policy
        .environments
        .get(&given.environment)
        .map(|e| &e.triggers);
    let any = || {
        let manual = TriggerKind::Manual;
        let allowed = triggers.filter(|allowed| !allowed.contains(&manual));
        allowed.and_then(|t| t.first().copied()).unwrap_or(manual)
    };
    let image = given.image.as_ref();
    let known = !given.annotations.is_empty() || !given.signed_by.is_empty();
    Question {
        namespace: given.namespace.clone(),
        trigger: given.trigger.unwrap_or_else(any),
        requester: given.requester.as_ref().map(|name| person(policy, name)),
        reason: given.reason.clone(),
        emergency: Emergency::of(given.skip_canary, given.break_glass),
        repository: image.map(|image| image.repository.to_string()),
        tag: image.and_then(|image| image.tag.clone()),
        digest: image.and_then(|image| Some(image.digest.as_ref()?.to_string())),
        about: known.then(|| ImageFacts {
            annotations: given.annotations.clone(),
            created: None,
            signatures: given
                .signed_by
                .iter()
                .map(|signer| SignatureProof {
                    signer: signer.clone(),
                    definition: policy
                        .signers
                        .get(signer)
                        .map(Signer::definition)
                        .unwrap_or_default(),
                })
                .collect(),
        }),
        proposed_at: given.age.map(|age| before(at, age.as_millis())),
        strategy: given.strategy.clone(),
        router: given.router,
        ..Question::new(&given.environment, at)
    }
}

fn before(at: Timestamp, millis: u64) -> Timestamp {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    at.checked_sub(jiff::SignedDuration::from_millis(millis))
        .unwrap_or(Timestamp::MIN)
}

/// Somebody of the policy, as one of their providers knows them.
fn person(policy: &Policy, name: &str) -> Identity {
    let entry = policy.people.iter().find(|entry| entry.name == name);
    [
        IdentityProvider::Kubernetes,
        IdentityProvider::Oidc,
        IdentityProvider::Slack,
    ]
    .into_iter()
    .find_map(|provider| Some(Identity::of(provider, entry?.known_as(provider)?)))
    .unwrap_or_else(|| Identity::kubernetes(name, Vec::new()))
}

/// The rule by which this line refuses, where the test gave what the rule looks at.
fn refusal(policy: &Policy, given: &Given, line: &Line) -> Option<Rule> {
    let no = line.verdict == Verdict::No;
    let rule = match line.rule.as_str() {
        "environment" => Rule::Environment,
        "triggers" => Rule::Triggers,
        "images" => Rule::Images,
        "images.annotations" if !given.annotations.is_empty() => Rule::Annotations,
        "images.signedBy" if !given.signed_by.is_empty() => Rule::Signature,
        "images.minimumAge" => {
            let waits = line.verdict == Verdict::Needed && given.age.is_some();
            return waits.then_some(Rule::MinimumAge);
        }
        "windows" => {
            let closed = line.verdict == Verdict::Needed && given.at.is_some();
            return closed.then_some(Rule::Windows);
        }
        "strategy.allow" => Rule::Strategy,
        "strategy.routers" => Rule::Routers,
        "checks.require" => Rule::Checks,
        "checks.analysis" => Rule::Analysis,
        "permissions.deploy" => Rule::Permissions,
        "skipCanary" => Rule::SkipCanary,
        "breakGlass" => Rule::BreakGlass,
        other => {
            let index = other.strip_prefix("rules[")?.strip_suffix(']')?;
            let index: usize = index.parse().ok()?;
            let namespace = namespace(policy, given);
            let rules = policy
                .environment(&given.environment, &namespace)
                .into_result()
                .ok()?;
            let mut names = rules.rules.get(index)?.deny.names();
            if given.at.is_none() && names.any(|name| name == "now") {
                return None;
            }
            Rule::Rules
        }
    };
    no.then_some(rule)
}
