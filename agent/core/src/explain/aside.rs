//! Puts aside what is not known, and asks the engine about the rest.

use std::collections::BTreeSet;

use super::Question;
use crate::admit::{Admission, Candidate, PipelineView, Proposal, Refused, admit, refusals};
use crate::analysis::AnalysisSpec;
use crate::pipeline::{EnvironmentSpec, EnvironmentStatus, Revision, TriggerKind};
use crate::policy::{DenyRule, EnvironmentPolicy, Policy, RouterKind, Rule};
use crate::rollout::{CandidateImage, Cause};

/// Stands for a digest that is not known: no image has it.
pub(super) const NO_DIGEST: &str =
    "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A question about an environment that is open, with what is known of its Pipeline.
pub(super) struct Situation<'a> {
    pub(super) policy: &'a Policy,
    /// The environment's rules, with nothing left out.
    pub(super) whole: &'a EnvironmentPolicy,
    /// What is in force: without what an emergency leaves out.
    pub(super) rules: EnvironmentPolicy,
    pub(super) question: &'a Question,
    pub(super) namespace: String,
    pub(super) pipeline: Option<&'a PipelineView>,
    pub(super) environment: Option<&'a EnvironmentSpec>,
    /// What the Pipeline remembers of the environment.
    pub(super) status: Option<&'a EnvironmentStatus>,
    pub(super) image: CandidateImage,
    pub(super) strategy: Option<String>,
}

impl<'a> Situation<'a> {
    pub(super) fn new(
        policy: &'a Policy,
        whole: &'a EnvironmentPolicy,
        namespace: String,
        target: Option<(&'a PipelineView, &'a EnvironmentSpec)>,
        question: &'a Question,
    ) -> Self {
        let pipeline = target.map(|(pipeline, _)| pipeline);
        let environment = target.map(|(_, environment)| environment);
        let repository = question
            .repository
            .clone()
            .or_else(|| pipeline.map(|p| p.spec.image.repository.clone()));
        Self {
            policy,
            whole,
            rules: whole.under(question.emergency).into_owned(),
            question,
            namespace,
            pipeline,
            environment,
            status: pipeline.and_then(|p| p.status.environments.get(&question.environment)),
            image: CandidateImage {
                repository: repository.unwrap_or_default(),
                tag: question.tag.clone(),
                digest: question
                    .digest
                    .clone()
                    .unwrap_or_else(|| NO_DIGEST.to_owned()),
                about: question.about.clone().unwrap_or_default(),
            },
            strategy: question
                .strategy
                .clone()
                .or_else(|| environment.map(|e| e.strategy.plugin.clone())),
        }
    }

    pub(super) fn repository_known(&self) -> bool {
        !self.image.repository.is_empty()
    }

    /// Whether a version is named at all.
    pub(super) fn version_known(&self) -> bool {
        self.question.tag.is_some() || self.question.digest.is_some()
    }

    pub(super) fn checks(&self) -> Option<&[crate::pipeline::CheckSpec]> {
        let own = self.question.checks.as_deref();
        own.or_else(|| self.environment.map(|e| e.checks.as_slice()))
    }

    /// What moves traffic, where that is known.
    pub(super) fn router(&self) -> Option<RouterKind> {
        let own = self.question.router;
        own.or_else(|| {
            self.environment
                .map(|e| RouterKind::from(&e.strategy.router))
        })
    }

    /// The metrics that judge every step, where that is known.
    pub(super) fn analysis(&self) -> Option<&[AnalysisSpec]> {
        self.environment.map(|e| e.course.analysis.as_slice())
    }

    /// A person has to ask, and who it is was not said.
    pub(super) fn requester_missing(&self) -> bool {
        let asks = matches!(
            self.question.trigger,
            TriggerKind::Manual | TriggerKind::Webhook
        );
        asks && self.question.requester.is_none()
    }

    /// The variables of custom rules that are not known.
    pub(super) fn dark(&self) -> BTreeSet<&'static str> {
        let question = self.question;
        [
            (self.pipeline.is_none(), "rollout.pipeline"),
            (self.environment.is_none(), "rollout.deployment"),
            (self.requester_missing(), "rollout.requester.name"),
            (self.requester_missing(), "rollout.requester.groups"),
            (
                question.trigger == TriggerKind::Manual && question.reason.is_none(),
                "rollout.reason",
            ),
            (self.strategy.is_none(), "rollout.strategy"),
            (self.checks().is_none(), "rollout.checks"),
            (!self.repository_known(), "rollout.image.repository"),
            (!self.version_known(), "rollout.image.tag"),
            (question.digest.is_none(), "rollout.image.digest"),
            (question.about.is_none(), "rollout.image.revision"),
            (question.about.is_none(), "rollout.image.source"),
            (question.about.is_none(), "rollout.image.annotations"),
            (question.about.is_none(), "rollout.image.signedBy"),
        ]
        .into_iter()
        .filter_map(|(dark, name)| dark.then_some(name))
        .collect()
    }

    /// The rules about which something can be said: those that need what is not known are taken out.
    fn known_rules(&self) -> EnvironmentPolicy {
        let mut rules = self.whole.clone();
        if !self.version_known() {
            rules.images.tags.clear();
        }
        if self.question.about.is_none() {
            rules.images.annotations.clear();
            rules.images.signed_by.clear();
        }
        if self.strategy.is_none() {
            rules.strategy.allow.clear();
        }
        if self.router().is_none() {
            rules.strategy.routers.clear();
        }
        if self.checks().is_none() {
            rules.checks.require.clear();
        }
        if self.analysis().is_none() {
            rules.checks.analysis.clear();
        }
        if self.question.digest.is_none() || self.status.is_none() {
            rules.after.clear();
        }
        let dark = self.dark();
        rules.rules.retain(|rule| !needs(rule, &dark));
        // The policy may hold them for this namespace, and the names must not be looked up twice.
        rules.namespaces.clear();
        rules
    }

    /// Whether this custom rule needs what is not known.
    pub(super) fn cannot_tell(&self, rule: &DenyRule) -> bool {
        needs(rule, &self.dark())
    }

    fn proposal<'q>(&'q self, image: &'q CandidateImage) -> Proposal<'q> {
        Proposal {
            pipeline: self.pipeline.map(|p| p.name.as_str()).unwrap_or_default(),
            environment: &self.question.environment,
            namespace: &self.namespace,
            deployment: self
                .environment
                .map(|e| e.target.name())
                .unwrap_or_default(),
            trigger: self.question.trigger,
            requester: self.question.requester.as_ref(),
            reason: self.question.reason.as_deref(),
            emergency: self.question.emergency,
            image,
            strategy: self.strategy.as_deref().unwrap_or_default(),
            // What is not known is put aside with the rule that asks for it.
            router: self.router().unwrap_or(RouterKind::Replicas),
            checks: self.checks().unwrap_or_default(),
            analysis: self.analysis().unwrap_or_default(),
            drill: false,
        }
    }

    /// The engine's answer about what is known.
    pub(super) fn refused(&self) -> Vec<Refused> {
        let rules = self.known_rules();
        self.asked(&rules)
            .into_iter()
            // Without a repository the engine has nothing to read.
            .filter(|r| r.rule != Rule::Images || self.repository_known())
            .filter(|r| {
                let of_person = matches!(r.rule, Rule::SkipCanary | Rule::BreakGlass);
                !(of_person && self.requester_missing())
            })
            .collect()
    }

    /// The engine's answer about one custom rule.
    pub(super) fn refused_by(&self, rule: &DenyRule) -> Option<String> {
        let alone = EnvironmentPolicy {
            rules: vec![rule.clone()],
            ..self.known_rules()
        };
        self.asked(&alone)
            .into_iter()
            .find(|refused| refused.rule == Rule::Rules)
            .map(|refused| refused.text)
    }

    fn asked(&self, rules: &EnvironmentPolicy) -> Vec<Refused> {
        refusals(
            self.policy,
            rules,
            &self.proposal(&self.image),
            self.question.at,
        )
    }

    /// What `admit` says beside the policy's own rules: of the Pipeline and of what it remembers.
    pub(super) fn not_admitted(&self) -> Vec<String> {
        let (Some(pipeline), Some(environment)) = (self.pipeline, self.environment) else {
            return Vec::new();
        };
        let known = self.known_rules();
        let refused: Vec<String> = self.asked(&known).into_iter().map(|r| r.text).collect();
        let mut policy = self.policy.clone();
        policy
            .environments
            .insert(self.question.environment.clone(), known);
        let mut pipeline = pipeline.clone();
        let mut environment = environment.clone();
        if self.question.digest.is_none() || self.status.is_none() {
            environment.after.clear();
        }
        let status = pipeline
            .status
            .environments
            .entry(self.question.environment.clone())
            .or_insert_with(|| EnvironmentStatus {
                stable: Some(unknown_revision(self.question.at)),
                ..EnvironmentStatus::default()
            });
        if self.status.is_none() {
            status.quarantined.clear();
        }
        let candidate = Candidate {
            image: CandidateImage {
                // An unnamed version breaks no rule about tags.
                tag: self.image.tag.clone(),
                ..self.image.clone()
            },
            cause: Cause {
                trigger: self.question.trigger,
                id: String::new(),
                requester: self.question.requester.clone(),
                reason: self.question.reason.clone(),
            },
            returns_to: None,
            emergency: self.question.emergency,
            dry_run: false,
            drill: false,
        };
        match admit(
            &policy,
            &pipeline,
            &environment,
            &candidate,
            self.question.at,
        ) {
            Admission::Create { .. } => Vec::new(),
            Admission::Nothing(why) => vec![why],
            Admission::Refused(reasons) => reasons
                .into_iter()
                .filter(|reason| !refused.contains(reason))
                .collect(),
        }
    }
}

/// Whether a rule looks at one of these.
fn needs(rule: &DenyRule, dark: &BTreeSet<&'static str>) -> bool {
    rule.deny.names().any(|name| dark.contains(name))
}

/// A stable version of which nothing is known but that there is one.
fn unknown_revision(at: jiff::Timestamp) -> Revision {
    Revision {
        since: at,
        ..Revision::default()
    }
}
