//! What one environment allows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Policy, Share};
use crate::authorize::Action;
use crate::duration::HumanDuration;
use crate::hash;
use crate::image::{ImageRef, RepositoryGlob, TagGlob};
use crate::window::Windows;

/// One entry of `environments`, with the file's `defaults` applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentPolicy {
    /// Its name: the key in `environments`.
    #[schemars(skip)]
    pub name: String,
    /// The namespaces that belong to it.
    pub targets: Targets,
    /// What may propose a new version. Nothing else can.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub triggers: BTreeSet<TriggerKind>,
    /// Which images may come.
    #[serde(default)]
    pub images: ImagePolicy,
    /// Environments in which the same digest must have succeeded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Who must agree.
    #[serde(default)]
    pub approvals: ApprovalPolicy,
    /// When it may change. Without allow windows: always, but for freezes.
    #[serde(default)]
    pub windows: Windows,
    /// How the new version may be brought in.
    #[serde(default)]
    pub strategy: StrategyPolicy,
    /// What must be tested.
    #[serde(default)]
    pub checks: CheckPolicy,
    /// How long things may take.
    #[serde(default)]
    pub limits: Limits,
    /// What happens to a newer version while a rollout runs.
    #[serde(default)]
    pub newer: Newer,
    /// Roles that may act, where the default is not wanted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "super::schema::Permissions")]
    pub permissions: BTreeMap<Action, Vec<String>>,
}

/// Where an environment is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Targets {
    /// A namespace belongs to at most one environment.
    #[schemars(length(min = 1))]
    pub namespaces: Vec<String>,
}

/// The kinds of triggers.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum TriggerKind {
    /// A person asks for a version.
    Manual,
    /// The registry has a new tag or digest.
    Registry,
    /// A point in time.
    Schedule,
    /// The environments before it succeeded.
    Upstream,
    /// A signed call from outside.
    Webhook,
}

impl TriggerKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Manual,
        Self::Registry,
        Self::Schedule,
        Self::Upstream,
        Self::Webhook,
    ];

    /// As written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Registry => "registry",
            Self::Schedule => "schedule",
            Self::Upstream => "upstream",
            Self::Webhook => "webhook",
        }
    }
}

impl fmt::Display for TriggerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which images may come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagePolicy {
    /// Patterns, one of which must fit. `**` is every repository.
    #[schemars(length(min = 1))]
    pub repositories: Vec<RepositoryGlob>,
    /// Patterns, one of which must fit the tag. None: every tag that the pipeline follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagGlob>,
    /// How long the image must have been seen before it may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_age: Option<HumanDuration>,
}

/// Why an image may not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ImageRefusal {
    /// No pattern fits the repository.
    Repository {
        /// The repository.
        repository: String,
        /// The patterns.
        allowed: Vec<String>,
    },
    /// No pattern fits the tag.
    Tag {
        /// The tag. None: the image was named by digest alone, and so no tag can fit.
        tag: Option<String>,
        /// The patterns.
        allowed: Vec<String>,
    },
}

impl fmt::Display for ImageRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository {
                repository,
                allowed,
            } => {
                write!(
                    f,
                    "the repository {repository} fits none of {}",
                    allowed.join(", ")
                )
            }
            Self::Tag {
                tag: Some(tag),
                allowed,
            } => {
                write!(f, "the tag {tag} fits none of {}", allowed.join(", "))
            }
            Self::Tag { tag: None, allowed } => write!(
                f,
                "the image is named without a tag, and only the tags {} are allowed",
                allowed.join(", ")
            ),
        }
    }
}

impl ImagePolicy {
    /// Whether repository and tag may come. Age is judged where the first sighting is known.
    pub fn check(&self, image: &ImageRef) -> Result<(), ImageRefusal> {
        if !self
            .repositories
            .iter()
            .any(|glob| glob.matches(&image.repository))
        {
            return Err(ImageRefusal::Repository {
                repository: image.repository.to_string(),
                allowed: self
                    .repositories
                    .iter()
                    .map(RepositoryGlob::to_string)
                    .collect(),
            });
        }
        let fits = |tag: &String| self.tags.iter().any(|glob| glob.matches(tag));
        if !self.tags.is_empty() && !image.tag.as_ref().is_some_and(fits) {
            return Err(ImageRefusal::Tag {
                tag: image.tag.clone(),
                allowed: self.tags.iter().map(TagGlob::to_string).collect(),
            });
        }
        Ok(())
    }
}

/// Who must agree before anything changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApprovalPolicy {
    /// All of them, each by a distinct person. None: nobody needs to agree.
    pub require: Vec<RequiredRole>,
    /// Whether whoever asked for the rollout may approve it. Default false.
    pub self_approval: bool,
    /// How long to wait after the last needed approval. Default none.
    pub wait_timer: HumanDuration,
    /// How long the approvals may take. Default 24h.
    pub expire_after: HumanDuration,
}

impl Default for ApprovalPolicy {
    fn default() -> Self {
        Self {
            require: Vec::new(),
            self_approval: false,
            wait_timer: HumanDuration::ZERO,
            expire_after: HumanDuration::from_hours(24),
        }
    }
}

/// One line of `approvals.require`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequiredRole {
    /// The role.
    pub role: String,
    /// How many of its holders. Default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10))]
    pub count: u32,
}

fn one() -> u32 {
    1
}

/// How the new version may be brought in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StrategyPolicy {
    /// Names of traffic-strategy plugins. None: every one that the agent has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Greatest share of the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_step_at_most: Option<Share>,
    /// Greatest growth from one step to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_step_increase: Option<Share>,
}

impl StrategyPolicy {
    /// Whether a strategy plugin may be used.
    pub fn allows(&self, plugin: &str) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|allowed| allowed == plugin)
    }
}

/// What must be tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckPolicy {
    /// Names of smoke-test plugins that the pipeline must run, and not as optional ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<String>,
}

/// How long things may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// A step without progress for so long is rolled back. Default 10m.
    pub progress_deadline: HumanDuration,
    /// A rollout that is not done after so long is rolled back. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_time: Option<HumanDuration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            progress_deadline: HumanDuration::from_mins(10),
            total_time: None,
        }
    }
}

/// What happens to a newer version while a rollout runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Newer {
    /// It waits for its turn.
    #[default]
    Queue,
    /// The running rollout goes back, and the newer one starts with its own gates.
    Supersede,
}

impl EnvironmentPolicy {
    /// SHA-256 of everything in the policy that can change a decision about this environment: its
    /// rules with all defaults, the roles that it names and the people in them. Spelling, order of
    /// keys, comments and other environments do not matter. Part of the approval hash
    /// (reliability.md A1).
    pub fn hash(&self, policy: &Policy) -> String {
        let required = self.approvals.require.iter().map(|required| &required.role);
        let named: BTreeSet<&String> = required
            .chain(self.permissions.values().flatten())
            .collect();
        let roles: BTreeMap<_, &super::Role> = named
            .iter()
            .filter_map(|name| policy.roles.get_key_value(*name))
            .collect();
        // Others come in by a group and by the name that Kubernetes gives them: listing them
        // changes how they are called, not what they may do.
        let holds = |name: &String| roles.values().any(|role| role.people.contains(name));
        let mut people: Vec<_> = policy.people.iter().filter(|p| holds(&p.name)).collect();
        people.sort_by(|a, b| a.name.cmp(&b.name));
        hash::sha256_of_json(&json!({
            "format": 1,
            "environment": self,
            "roles": roles,
            "people": people,
        }))
    }

    /// The roles whose holders approve, each once, in the order of the policy.
    pub fn approver_roles(&self) -> impl Iterator<Item = &str> {
        self.approvals
            .require
            .iter()
            .map(|required| required.role.as_str())
    }
}
