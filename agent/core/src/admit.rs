//! Letting a candidate in: what the Pipeline and the policy say of it, all reasons at once.

use jiff::Timestamp;

use crate::authorize::{Action, authorize};
use crate::hash::{child_name, short_name_hash};
use crate::image::{ImageRef, Repository};
use crate::pipeline::{
    CheckSpec, EnvironmentSpec, PipelineSpec, PipelineStatus, QUARANTINE_LIMIT, Revision,
    TriggerKind,
};
use crate::policy::{EnvironmentPolicy, EnvironmentVerdict, Policy};
use crate::rollout::{CandidateImage, Cause, RolloutSpec};

/// A Pipeline as the shell read it.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineView {
    /// Its name.
    pub name: String,
    /// What people wrote.
    pub spec: PipelineSpec,
    /// What it remembers.
    pub status: PipelineStatus,
}

/// A digest that something or somebody proposes for one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The digest, resolved once.
    pub image: CandidateImage,
    /// Who or what asks, and by which trigger.
    pub cause: Cause,
    /// For a way back: the revision.
    pub returns_to: Option<Revision>,
}

/// What becomes of a candidate.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// A Rollout of this name. The same candidate twice has the same name.
    Create {
        /// `<pipeline>-<environment>-<hash>` (W5).
        name: String,
        /// Its spec.
        spec: Box<RolloutSpec>,
    },
    /// Nothing to do, for this reason.
    Nothing(String),
    /// Not let in, for all these reasons.
    Refused(Vec<String>),
}

/// Decides about one candidate.
pub fn admit(
    policy: &Policy,
    pipeline: &PipelineView,
    environment: &EnvironmentSpec,
    candidate: &Candidate,
    _now: Timestamp,
) -> Admission {
    let status = pipeline
        .status
        .environments
        .get(&environment.name)
        .cloned()
        .unwrap_or_default();
    let image = &candidate.image;
    let by_person = candidate.cause.trigger == TriggerKind::Manual;
    let Some(stable) = &status.stable else {
        return Admission::Refused(vec![format!(
            "{} was never seen healthy: there is nothing to roll back to",
            environment.target
        )]);
    };
    // The same digest under another template is a way back all the same.
    let returns_elsewhere = candidate
        .returns_to
        .as_ref()
        .is_some_and(|r| r.template_hash != stable.template_hash);
    if stable.digest == image.digest && !returns_elsewhere {
        return Admission::Nothing(format!(
            "{} is the stable version already",
            image.tag.as_deref().unwrap_or(&image.digest)
        ));
    }
    if !by_person && let Some(q) = status.quarantine(&image.digest) {
        return Admission::Nothing(format!("quarantined by {}: {}", q.rollout, q.reason));
    }
    if !by_person && status.tried.contains(&image.digest) {
        return Admission::Nothing(format!(
            "{} was tried before and did not succeed; `sluice retry` lets it in again",
            image.tag.as_deref().unwrap_or(&image.digest)
        ));
    }
    let mut reasons = Vec::new();
    let verdict = policy.environment(&environment.name, &environment.target.namespace);
    match verdict {
        EnvironmentVerdict::Closed(why) => reasons.push(why.to_string()),
        EnvironmentVerdict::Open(rules) => {
            if candidate.returns_to.is_some() {
                may_ask(policy, rules, Action::Rollback, candidate, &mut reasons);
            } else {
                may_ask(policy, rules, Action::Deploy, candidate, &mut reasons);
                release_rules(rules, pipeline, environment, candidate, &mut reasons);
            }
        }
    }
    if candidate.returns_to.is_none() {
        if let Some(q) = status.quarantine(&image.digest) {
            reasons.push(format!(
                "quarantined since {}: {} (`sluice lift` lets it in again)",
                crate::rollout::clock(&q.at),
                q.reason
            ));
        }
        if status.quarantined.len() >= QUARANTINE_LIMIT {
            reasons.push(format!(
                "{QUARANTINE_LIMIT} digests are quarantined here, which is the limit: nothing new \
                 comes before a person has looked at them (`sluice lift`)"
            ));
        }
        pipeline_rules(pipeline, environment, candidate, &mut reasons);
    }
    if !reasons.is_empty() {
        return Admission::Refused(reasons);
    }
    let spec = RolloutSpec {
        pipeline: pipeline.name.clone(),
        environment: environment.name.clone(),
        target: environment.target.clone(),
        target_uid: stable.target_uid.clone(),
        image: image.clone(),
        cause: candidate.cause.clone(),
        returns_to: candidate.returns_to.clone(),
        strategy: environment.strategy.clone(),
        checks: environment.checks.clone(),
        notify: pipeline.spec.notify.clone(),
    };
    let hash = short_name_hash(&[&stable.target_uid, &image.digest, &candidate.cause.id]);
    let name = child_name(&format!("{}-{}", pipeline.name, environment.name), &hash);
    Admission::Create {
        name,
        spec: Box::new(spec),
    }
}

/// The image as the policy looks at it.
fn reference(image: &CandidateImage) -> Result<ImageRef, String> {
    Ok(ImageRef {
        repository: image
            .repository
            .parse()
            .map_err(|e| format!("{}: {e}", image.repository))?,
        tag: image.tag.clone(),
        digest: Some(
            image
                .digest
                .parse()
                .map_err(|e| format!("{}: {e}", image.digest))?,
        ),
    })
}

fn may_ask(
    policy: &Policy,
    rules: &EnvironmentPolicy,
    action: Action,
    candidate: &Candidate,
    reasons: &mut Vec<String>,
) {
    if let Some(person) = &candidate.cause.requester
        && let Err(denied) = authorize(action, person, rules, policy)
    {
        reasons.push(denied.to_string());
    }
}

/// What the policy says of a release.
fn release_rules(
    rules: &EnvironmentPolicy,
    pipeline: &PipelineView,
    environment: &EnvironmentSpec,
    candidate: &Candidate,
    reasons: &mut Vec<String>,
) {
    reasons.extend(broken_rules(
        rules,
        candidate.cause.trigger,
        &candidate.image,
        &environment.strategy.plugin,
        &environment.checks,
    ));
    for before in &rules.after {
        not_yet(pipeline, before, &candidate.image.digest, "policy", reasons);
    }
}

/// The rules that a release breaks, as far as they can be looked at anew at any time: when it is let
/// in, when its gate opens and before each step (reliability.md W11).
pub(crate) fn broken_rules(
    rules: &EnvironmentPolicy,
    trigger: TriggerKind,
    image: &CandidateImage,
    strategy: &str,
    checks: &[CheckSpec],
) -> Vec<String> {
    let mut reasons = Vec::new();
    if !rules.triggers.contains(&trigger) {
        reasons.push(format!(
            "the policy does not allow the trigger `{trigger}` here"
        ));
    }
    match reference(image) {
        Ok(image) => reasons.extend(rules.images.check(&image).err().map(|why| why.to_string())),
        Err(why) => reasons.push(why),
    }
    if !rules.strategy.allows(strategy) {
        reasons.push(format!(
            "the policy does not allow the strategy `{strategy}` here; allowed are {}",
            rules.strategy.allow.join(", ")
        ));
    }
    for check in &rules.checks.require {
        if !checks.iter().any(|c| c.plugin == *check && !c.optional) {
            reasons.push(format!(
                "the policy requires the check `{check}`; the pipeline does not configure it, or \
                 only as optional"
            ));
        }
    }
    reasons
}

/// What the Pipeline itself says.
fn pipeline_rules(
    pipeline: &PipelineView,
    environment: &EnvironmentSpec,
    candidate: &Candidate,
    reasons: &mut Vec<String>,
) {
    let image = &candidate.image;
    let repository = |s: &str| s.parse::<Repository>().ok();
    if repository(&image.repository) != repository(&pipeline.spec.image.repository) {
        reasons.push(format!(
            "{} is not this pipeline's repository",
            image.repository
        ));
    }
    let trigger = candidate.cause.trigger;
    if !environment.triggers.iter().any(|t| t.kind() == trigger) {
        reasons.push(format!(
            "the pipeline has no trigger `{trigger}` for {}",
            environment.name
        ));
    }
    if let (Some(tag), Ok(filter)) = (&image.tag, pipeline.spec.image.tags.compile())
        && !filter.matches(tag)
    {
        reasons.push(format!(
            "the tag {tag} is no release by the pipeline's `tags`"
        ));
    }
    for before in &environment.after {
        not_yet(pipeline, before, &image.digest, "pipeline", reasons);
    }
}

fn not_yet(
    pipeline: &PipelineView,
    before: &str,
    digest: &str,
    who: &str,
    reasons: &mut Vec<String>,
) {
    let succeeded = pipeline
        .status
        .environments
        .get(before)
        .is_some_and(|status| status.succeeded(digest));
    let text = format!("has not succeeded in {before}, which the {who} requires first");
    if !succeeded
        && !reasons
            .iter()
            .any(|r| r.starts_with(&format!("has not succeeded in {before},")))
    {
        reasons.push(text);
    }
}

#[cfg(test)]
mod tests;
