//! What the policy says of one release, as far as it can be looked at anew at any time: when it is let
//! in, when its gate opens and before each step (reliability.md W11). `sluice policy explain` and the
//! policy's own tests ask the same function.

use jiff::Timestamp;

use crate::analysis::AnalysisSpec;
use crate::authorize::{Action, authorize};
use crate::image::ImageRef;
use crate::pipeline::{CheckSpec, TriggerKind};
use crate::policy::{
    EnvironmentPolicy, Identity, IdentityProvider, ImageRefusal, ImageVariables, Policy,
    RequesterVariables, RouterKind, Rule, Variables,
};
use crate::rollout::{CandidateImage, Emergency, RolloutSpec};

/// Everything about a release that a rule can look at.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// Name of the Pipeline.
    pub pipeline: &'a str,
    /// Name of the environment.
    pub environment: &'a str,
    /// Namespace of the target.
    pub namespace: &'a str,
    /// Name of the target.
    pub deployment: &'a str,
    /// What proposes it.
    pub trigger: TriggerKind,
    /// Who asks, where somebody does.
    pub requester: Option<&'a Identity>,
    /// What they say.
    pub reason: Option<&'a str>,
    /// What is left out of the usual way.
    pub emergency: Option<Emergency>,
    /// The image.
    pub image: &'a CandidateImage,
    /// The strategy plugin.
    pub strategy: &'a str,
    /// What moves traffic.
    pub router: RouterKind,
    /// The checks of the pipeline.
    pub checks: &'a [CheckSpec],
    /// The metrics that judge every step.
    pub analysis: &'a [AnalysisSpec],
    /// Whether it is an exercise with the version that serves. What the policy says of new versions
    /// does not matter then; who may do it and by what means does.
    pub drill: bool,
}

impl<'a> Proposal<'a> {
    /// The release of a Rollout.
    pub fn of(spec: &'a RolloutSpec) -> Self {
        Self {
            pipeline: &spec.pipeline,
            environment: &spec.environment,
            namespace: &spec.target.namespace,
            deployment: spec.target.name(),
            trigger: spec.cause.trigger,
            requester: spec.cause.requester.as_ref(),
            reason: spec.cause.reason.as_deref(),
            emergency: spec.emergency,
            image: &spec.image,
            strategy: &spec.strategy.plugin,
            router: RouterKind::from(&spec.strategy.router),
            checks: &spec.checks,
            analysis: &spec.course.analysis,
            drill: spec.drill,
        }
    }

    /// What a rule of the policy's own sees.
    pub fn variables(&self, policy: &Policy) -> Variables {
        let about = &self.image.about;
        let text = |found: Option<&str>| found.unwrap_or_default().to_owned();
        let emergency = self.emergency.unwrap_or_default();
        Variables {
            pipeline: self.pipeline.to_owned(),
            environment: self.environment.to_owned(),
            namespace: self.namespace.to_owned(),
            deployment: self.deployment.to_owned(),
            trigger: self.trigger.to_string(),
            requester: RequesterVariables {
                name: self
                    .requester
                    .map(|who| policy.person(who).name)
                    .unwrap_or_default(),
                groups: self
                    .requester
                    .map(|who| who.groups.clone())
                    .unwrap_or_default(),
            },
            reason: text(self.reason),
            skip_canary: emergency.skip_canary,
            break_glass: emergency.break_glass,
            strategy: self.strategy.to_owned(),
            checks: self
                .checks
                .iter()
                .filter(|c| !c.optional)
                .map(|c| c.plugin.clone())
                .collect(),
            image: ImageVariables {
                repository: self.image.repository.clone(),
                tag: text(self.image.tag.as_deref()),
                digest: self.image.digest.clone(),
                revision: text(about.revision()),
                source: text(about.source()),
                annotations: about.annotations.clone(),
                signed_by: about.signatures.iter().map(|p| p.signer.clone()).collect(),
            },
        }
    }
}

/// One rule that says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub rule: Rule,
    /// In words.
    pub text: String,
}

/// Every rule that this release breaks. `rules` are the environment's own, before anything is left
/// out for an emergency.
pub fn refusals(
    policy: &Policy,
    rules: &EnvironmentPolicy,
    proposal: &Proposal<'_>,
    now: Timestamp,
) -> Vec<Refused> {
    let mut out = Vec::new();
    let mut no = |rule: Rule, text: String| out.push(Refused { rule, text });
    if !proposal.drill {
        for (rule, text) in of_new_version(policy, rules, proposal) {
            no(rule, text);
        }
    }
    if !rules.strategy.allows(proposal.strategy) {
        let text = format!(
            "the policy does not allow the strategy `{}` here; allowed are {}",
            proposal.strategy,
            rules.strategy.allow.join(", ")
        );
        no(Rule::Strategy, text);
    }
    if !rules.strategy.routes(proposal.router) {
        let allowed: Vec<&str> = rules.strategy.routers.iter().map(|r| r.as_str()).collect();
        let text = format!(
            "the policy does not allow the router `{}` here; allowed are {}",
            proposal.router,
            allowed.join(", ")
        );
        no(Rule::Routers, text);
    }
    for metrics in &rules.checks.analysis {
        if !proposal.analysis.iter().any(|a| a.plugin == *metrics) {
            let text = format!(
                "the policy requires an analysis by `{metrics}`; the pipeline does not configure it"
            );
            no(Rule::Analysis, text);
        }
    }
    for check in &rules.checks.require {
        let configured = |c: &CheckSpec| c.plugin == *check && !c.optional;
        if !proposal.checks.iter().any(configured) {
            let text = format!(
                "the policy requires the check `{check}`; the pipeline does not configure it, or \
                 only as optional"
            );
            no(Rule::Checks, text);
        }
    }
    for (action, rule) in asked_for(proposal) {
        match proposal.requester {
            Some(person) => {
                if let Err(denied) = authorize(action, person, rules, policy) {
                    no(rule, denied.to_string());
                }
            }
            // A trigger asks for nothing special, and nobody vouches for it.
            None if action != Action::Deploy => {
                no(
                    rule,
                    format!("nobody is known to have asked to {}", action.phrase()),
                );
            }
            None => {}
        }
        let silent = proposal
            .reason
            .is_none_or(|reason| reason.trim().is_empty());
        if !matches!(action, Action::Deploy | Action::Drill) && silent {
            no(
                rule,
                format!(
                    "to {} needs a reason: say why it cannot wait",
                    action.phrase()
                ),
            );
        }
    }
    if let Some(who) = proposal.requester
        && who.provider == IdentityProvider::Caller
        && let Err(why) =
            policy.caller_may_propose(&who.username, proposal.pipeline, proposal.environment)
    {
        no(Rule::Permissions, why);
    }
    if !rules.rules.is_empty() {
        let variables = proposal.variables(policy);
        for rule in &rules.rules {
            match rule.deny.evaluate(&variables, now) {
                Ok(false) => {}
                Ok(true) => no(Rule::Rules, rule.message.clone()),
                Err(why) => no(
                    Rule::Rules,
                    format!("{} (the rule could not be evaluated: {why})", rule.message),
                ),
            }
        }
    }
    out
}

/// What the policy says of where a new version comes from.
fn of_new_version(
    policy: &Policy,
    rules: &EnvironmentPolicy,
    proposal: &Proposal<'_>,
) -> Vec<(Rule, String)> {
    let mut out = Vec::new();
    let trigger = proposal.trigger;
    if !rules.triggers.contains(&trigger) {
        let text = format!("the policy does not allow the trigger `{trigger}` here");
        out.push((Rule::Triggers, text));
    }
    match reference(proposal.image) {
        Ok(image) => {
            if let Err(why) = rules.images.check(&image) {
                out.push((Rule::Images, why.to_string()));
            }
        }
        Err(why) => out.push((Rule::Images, why)),
    }
    for why in rules.images.check_facts(&proposal.image.about, policy) {
        let rule = match &why {
            ImageRefusal::Annotation { .. } => Rule::Annotations,
            ImageRefusal::Unsigned { .. } => Rule::Signature,
            ImageRefusal::Repository { .. } | ImageRefusal::Tag { .. } => Rule::Images,
        };
        out.push((rule, why.to_string()));
    }
    out
}

/// What whoever asks must be allowed to do.
fn asked_for(proposal: &Proposal<'_>) -> Vec<(Action, Rule)> {
    let emergency = proposal.emergency.unwrap_or_default();
    [
        (!proposal.drill, Action::Deploy, Rule::Permissions),
        (proposal.drill, Action::Drill, Rule::Permissions),
        (emergency.skip_canary, Action::SkipCanary, Rule::SkipCanary),
        (emergency.break_glass, Action::BreakGlass, Rule::BreakGlass),
    ]
    .into_iter()
    .filter_map(|(asked, action, rule)| asked.then_some((action, rule)))
    .collect()
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
