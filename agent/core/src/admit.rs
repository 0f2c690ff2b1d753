//! Letting a candidate in: what the Pipeline and the policy say of it, all reasons at once.

use jiff::Timestamp;

use crate::authorize::{Action, authorize};
use crate::hash::{child_name, short_name_hash};
use crate::image::Repository;
use crate::pipeline::{
    EnvironmentSpec, PipelineSpec, PipelineStatus, QUARANTINE_LIMIT, Revision, TriggerKind,
};
use crate::policy::{EnvironmentPolicy, EnvironmentVerdict, Policy, RouterKind};
use crate::rollout::{CandidateImage, Cause, Emergency, RolloutSpec};

mod release;

pub use release::{Proposal, Refused, refusals};

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
    /// What of the usual way is to be left out.
    pub emergency: Option<Emergency>,
    /// Whether nothing is to change.
    pub dry_run: bool,
    /// Whether it is an exercise: the version that serves goes the whole way, and then back.
    pub drill: bool,
}

impl Candidate {
    /// A release in the usual way.
    pub fn release(image: CandidateImage, cause: Cause) -> Self {
        Self {
            image,
            cause,
            returns_to: None,
            emergency: None,
            dry_run: false,
            drill: false,
        }
    }

    /// An exercise with the version that serves.
    pub fn drill(repository: &str, stable: &Revision, cause: Cause) -> Self {
        let image = CandidateImage::new(
            repository.to_owned(),
            stable.tag.clone(),
            stable.digest.clone(),
        );
        Self {
            drill: true,
            ..Self::release(image, cause)
        }
    }
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
    now: Timestamp,
) -> Admission {
    let status = pipeline
        .status
        .environments
        .get(&environment.name)
        .cloned()
        .unwrap_or_default();
    let image = &candidate.image;
    let by_person = candidate.cause.trigger == TriggerKind::Manual;
    let asked = by_person || candidate.cause.trigger == TriggerKind::Webhook;
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
    if candidate.drill && stable.digest != image.digest {
        return Admission::Refused(vec![format!(
            "a drill is held with the version that serves, and {} serves {}",
            environment.target,
            stable.tag.as_deref().unwrap_or(&stable.digest)
        )]);
    }
    if stable.digest == image.digest && !returns_elsewhere && !candidate.drill {
        return Admission::Nothing(format!(
            "{} is the stable version already",
            image.tag.as_deref().unwrap_or(&image.digest)
        ));
    }
    if !asked && let Some(q) = status.quarantine(&image.digest) {
        return Admission::Nothing(format!("quarantined by {}: {}", q.rollout, q.reason));
    }
    if !asked && status.tried.contains(&image.digest) {
        return Admission::Nothing(format!(
            "{} was tried before and did not succeed; `sluice retry` lets it in again",
            image.tag.as_deref().unwrap_or(&image.digest)
        ));
    }
    // Whoever can push could name an old build with known holes anew (S5, attack 6).
    if !asked && status.served_before(&image.digest) {
        return Admission::Nothing(format!(
            "{} served here before, and nothing goes back to an earlier version by itself: `sluice \
             rollback` or `sluice deploy` does",
            image.tag.as_deref().unwrap_or(&image.digest)
        ));
    }
    let mut reasons = Vec::new();
    let verdict = policy.environment(&environment.name, &environment.target.namespace);
    match verdict {
        EnvironmentVerdict::Closed(why) => reasons.push(why.to_string()),
        EnvironmentVerdict::Open(rules) => {
            if candidate.returns_to.is_some() {
                may_return(policy, rules, stable, candidate, now, &mut reasons);
            } else {
                release_rules(
                    policy,
                    rules,
                    pipeline,
                    environment,
                    candidate,
                    now,
                    &mut reasons,
                );
            }
        }
    }
    if candidate.returns_to.is_none() && !candidate.drill {
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
        emergency: candidate.emergency,
        dry_run: candidate.dry_run,
        strategy: environment.strategy.clone(),
        checks: environment.checks.clone(),
        approvals: environment.approvals.clone(),
        notify: pipeline.spec.notify.clone(),
        course: environment.course.clone(),
        drill: candidate.drill,
    };
    let spec = if candidate.drill {
        exercise(spec)
    } else {
        spec
    };
    let hash = short_name_hash(&[&stable.target_uid, &image.digest, &candidate.cause.id]);
    let name = child_name(&format!("{}-{}", pipeline.name, environment.name), &hash);
    Admission::Create {
        name,
        spec: Box::new(spec),
    }
}

/// What of a release a drill leaves out: whatever is done once for a new version, and whatever comes
/// after the way back that it is about. Configuration stays as the version that serves has it.
fn exercise(mut spec: RolloutSpec) -> RolloutSpec {
    spec.approvals.clear();
    spec.target.config.clear();
    spec.course.before.clear();
    spec.course.after.clear();
    spec.course.watch = None;
    spec.course.rollback_window = None;
    spec
}

/// Whether this person may go back now. It needs no approval and no window of the calendar (T4), but
/// the time after a success in which the policy lets people do it.
fn may_return(
    policy: &Policy,
    rules: &EnvironmentPolicy,
    stable: &Revision,
    candidate: &Candidate,
    now: Timestamp,
    reasons: &mut Vec<String>,
) {
    if let Some(person) = &candidate.cause.requester
        && let Err(denied) = authorize(Action::Rollback, person, rules, policy)
    {
        reasons.push(denied.to_string());
    }
    if let Some(window) = rules.rollback.window {
        let until = window.after(stable.since);
        if now >= until {
            reasons.push(format!(
                "the rollback window of {window} closed at {}: ask for the earlier version as a \
                 release (`sluice deploy`), with its gate",
                crate::rollout::clock(&until)
            ));
        }
    }
}

/// What the policy says of a release.
fn release_rules(
    policy: &Policy,
    rules: &EnvironmentPolicy,
    pipeline: &PipelineView,
    environment: &EnvironmentSpec,
    candidate: &Candidate,
    now: Timestamp,
    reasons: &mut Vec<String>,
) {
    let proposal = Proposal {
        pipeline: &pipeline.name,
        environment: &environment.name,
        namespace: &environment.target.namespace,
        deployment: environment.target.name(),
        trigger: candidate.cause.trigger,
        requester: candidate.cause.requester.as_ref(),
        reason: candidate.cause.reason.as_deref(),
        emergency: candidate.emergency,
        image: &candidate.image,
        strategy: &environment.strategy.plugin,
        router: RouterKind::from(&environment.strategy.router),
        checks: &environment.checks,
        analysis: &environment.course.analysis,
        drill: candidate.drill,
    };
    let refused = refusals(policy, rules, &proposal, now).into_iter();
    reasons.extend(refused.map(|refused| refused.text));
    let order = rules.under(candidate.emergency);
    for before in order.after.iter().filter(|_| !candidate.drill) {
        not_yet(pipeline, before, &candidate.image.digest, "policy", reasons);
    }
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
    // The order of environments is the policy's to waive.
    let waits = !candidate.emergency.is_some_and(|e| e.break_glass);
    for before in environment.after.iter().filter(|_| waits) {
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
