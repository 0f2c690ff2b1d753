//! What a history begins with: a policy that loads, and a candidate that is let in or not.

use serde_json::Value;
use sluice_core::admit::{Admission, Candidate, PipelineView, Proposal, admit, refusals};
use sluice_core::explain::{Question, Verdict, explain};
use sluice_core::pipeline::Revision;
use sluice_core::policy::{EnvironmentVerdict, Policy, RouterKind};
use sluice_core::rollout::RolloutView;

use super::adapt::{candidate, environment, instant, load, pipeline, word};
use super::history::UID;
use crate::civil::wall;
use crate::maker::{self, Crowd};
use crate::meaning::{Facts, calendar, refused};
use crate::rng::Rng;
use crate::tally::Tally;

/// Histories that begin with the same policy: reading one takes as long as half a history.
const OF_ONE_POLICY: u64 = 4;

/// A policy, the people of it, and when its histories begin.
#[derive(Clone)]
pub struct Beginning {
    of: u64,
    pub(super) start: i64,
    pub(super) policy: Value,
    pub(super) product: Policy,
    pub(super) crowd: Crowd,
}

impl Beginning {
    /// One that is not made up.
    pub(super) fn with(policy: Value, product: Policy, crowd: Crowd, start: i64) -> Self {
        Self {
            of: 0,
            start,
            policy,
            product,
            crowd,
        }
    }

    /// That of a seed. One that was made for the seed before is taken if it fits.
    pub fn of(seed: u64, before: Option<Self>) -> Result<Self, String> {
        let of = seed / OF_ONE_POLICY;
        if let Some(same) = before.filter(|before| before.of == of) {
            return Ok(same);
        }
        let mut rng = Rng::new(of.wrapping_mul(0x5851_F42D));
        let start = wall("2026-06-01T00:00") + rng.between(0, 500 * 86_400);
        let policy = maker::policy(&mut rng, start);
        let product = load(&policy).map_err(|why| format!("does not load: {why}"))?;
        let crowd = Crowd::new(&mut rng);
        Ok(Self {
            of,
            start,
            policy,
            product,
            crowd,
        })
    }
}
/// Whether the candidate is let in, by both, with the same rules against it.
pub(super) fn admission(
    beginning: &Beginning,
    facts: &Facts,
    stable: &Revision,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<Option<RolloutView>, String> {
    let (policy, product, now) = (&beginning.policy, &beginning.product, beginning.start);
    let expected = refused(policy, facts, now);
    for rule in &expected {
        *tally.refused.entry(*rule).or_default() += 1;
    }
    tally.compared += 1;
    let candidate = candidate(facts);
    let environment = environment(facts);
    let pipeline = pipeline(facts, stable);
    let found = admit(product, &pipeline, &environment, &candidate, instant(now));
    let proposal = Proposal {
        pipeline: &facts.pipeline,
        environment: &facts.environment,
        namespace: &facts.namespace,
        deployment: &facts.deployment,
        trigger: candidate.cause.trigger,
        requester: candidate.cause.requester.as_ref(),
        reason: candidate.cause.reason.as_deref(),
        emergency: candidate.emergency,
        image: &candidate.image,
        strategy: &environment.strategy.plugin,
        router: RouterKind::from(&environment.strategy.router),
        checks: &environment.checks,
        analysis: &environment.course.analysis,
        drill: false,
    };
    if let EnvironmentVerdict::Open(rules) =
        product.environment(&facts.environment, &facts.namespace)
    {
        let mut words: Vec<_> = refusals(product, rules, &proposal, instant(now))
            .iter()
            .map(|r| r.rule)
            .collect();
        let mut wanted: Vec<_> = expected.iter().filter_map(|rule| word(*rule)).collect();
        for list in [&mut words, &mut wanted] {
            list.sort_by_key(|rule| rule.as_str());
            list.dedup();
        }
        if words != wanted {
            return Err(format!("refused by {wanted:?}, and not by {words:?}"));
        }
    }
    if rng.chance(30) {
        explained(
            product,
            &pipeline,
            facts,
            &candidate,
            policy,
            expected.is_empty(),
            now,
        )?;
    }
    match (found, expected.is_empty()) {
        // How it goes on is another story than the policy's.
        (Admission::Create { .. }, true)
            if facts.router != "replicas" || !facts.analyses.is_empty() =>
        {
            Ok(None)
        }
        (Admission::Create { name, spec }, true) => Ok(Some(RolloutView {
            namespace: "delivery".into(),
            name,
            uid: UID.into(),
            created_at: instant(now),
            spec: *spec,
        })),
        (Admission::Refused(_) | Admission::Nothing(_), false) => Ok(None),
        (found, _) => Err(format!("let in unless {expected:?}, and not {found:?}")),
    }
}

/// Whether `explain` says of it what admission does, and of the windows what the reference does (T4).
fn explained(
    product: &Policy,
    pipeline: &PipelineView,
    facts: &Facts,
    candidate: &Candidate,
    policy: &Value,
    may_come: bool,
    now: i64,
) -> Result<(), String> {
    let question = Question {
        namespace: Some(facts.namespace.clone()),
        trigger: candidate.cause.trigger,
        requester: candidate.cause.requester.clone(),
        // What is left out is not known; here it is known that nothing was said.
        reason: Some(candidate.cause.reason.clone().unwrap_or_default()),
        emergency: candidate.emergency,
        tag: facts.tag.clone(),
        digest: Some(facts.digest.clone()),
        about: Some(candidate.image.about.clone()),
        ..Question::new(&facts.environment, instant(now))
    };
    let explanation = explain(product, Some(pipeline), &question);
    let no = explanation.answer == Verdict::No;
    if no == may_come {
        return Err(format!(
            "explained as {explanation:?}, and may come is {may_come}"
        ));
    }
    let windows = explanation.lines.iter().find(|line| line.rule == "windows");
    if let Some(line) = windows
        && !facts.break_glass
        && (line.verdict == Verdict::Ok) != calendar(policy, facts).open(now)
    {
        return Err(format!("explained as {line:?}"));
    }
    Ok(())
}
