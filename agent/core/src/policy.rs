//! The policy file: what is not allowed here does not happen.
//!
//! Parsed into types that hold only valid values. Every mistake is reported at once with its line.
//! Without a policy every environment is closed, and a file that cannot be read is no policy.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::authorize::Action;
use crate::problem::Problem;

mod callers;
mod cases;
mod consistency;
mod decode;
mod environment;
mod expression;
mod images;
mod means;
mod people;
mod reader;
mod schema;
mod share;
mod signers;
mod tree;

pub use callers::{Caller, CallerSecret, CallerToken};
pub use cases::{Expectation, Given, PolicyTest, Rule};
pub use environment::{
    ApprovalPolicy, BreakGlassPolicy, DenyRule, EnvironmentPolicy, Newer, RequiredRole,
    RollbackPolicy, SkipCanaryPolicy, Targets, TriggerKind,
};
pub use expression::{Expression, ImageVariables, RequesterVariables, Variables};
pub use images::{AnnotationGlob, ImagePolicy, ImageRefusal};
pub use means::{CheckPolicy, DrillPolicy, Limits, RouterKind, StrategyPolicy};
pub use people::{Identity, IdentityProvider, Person, PersonEntry, Role};
pub use schema::schema;
pub use share::Share;
pub use signers::{Keyless, Signer, Subject};

/// The policy that is in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Who holds which role.
    pub roles: BTreeMap<String, Role>,
    /// One person, however they come in.
    pub people: Vec<PersonEntry>,
    /// Whose signatures count.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub signers: BTreeMap<String, Signer>,
    /// Machines that may propose a version.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub callers: BTreeMap<String, Caller>,
    /// Roles that may stop everything, and start it again, where the default is not wanted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<Action, Vec<String>>,
    /// What holds over all environments.
    pub limits: GlobalLimits,
    /// What each environment allows, with `defaults` applied.
    pub environments: BTreeMap<String, EnvironmentPolicy>,
    /// The policy's own tests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<PolicyTest>,
    #[serde(skip)]
    source: Source,
    #[serde(skip)]
    outdated: Option<Outdated>,
}

/// The file has changed since and cannot be read: what is in force is its last good content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outdated {
    /// When that was found.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// How many problems the file has.
    pub problems: usize,
    /// The first of them, with its line.
    pub first: String,
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the policy file has {} problem(s) since {}; its last good content stays in force. The \
             first is {}; `sluice policy check` shows all",
            self.problems, self.since, self.first
        )
    }
}

/// What holds over all environments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GlobalLimits {
    /// Rollouts that may be under way at the same time. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub concurrent_rollouts: Option<u32>,
}

/// Where the policy came from: an absent one must say so to whoever waits.
#[derive(Clone, Debug, Default, PartialEq)]
enum Source {
    #[default]
    Absent,
    Unreadable(Vec<Problem>),
    Loaded,
}

impl Policy {
    /// Reads a policy file (YAML or JSON). On failure, all problems with their lines.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        decode::policy(text)
    }

    /// There is no policy file: everything is closed. The same as `Policy::default()`.
    pub fn absent() -> Self {
        Self::default()
    }

    /// There is a file, but it never could be read: everything is closed, and says why. A file
    /// that was readable once and is broken now keeps its last good content instead.
    pub fn unreadable(problems: Vec<Problem>) -> Self {
        Self {
            source: Source::Unreadable(problems),
            ..Self::default()
        }
    }

    /// The same policy with the note that the file was not readable when it was read again.
    #[must_use]
    pub fn kept_since(self, since: Timestamp, problems: &[Problem]) -> Self {
        let outdated = Outdated {
            since,
            problems: problems.len(),
            first: problems.first().map(Problem::to_string).unwrap_or_default(),
        };
        Self {
            outdated: Some(outdated),
            ..self
        }
    }

    /// Whether the file says something else by now that cannot be read. To be shown wherever somebody
    /// could believe that the file is in force.
    pub fn outdated(&self) -> Option<&Outdated> {
        self.outdated.as_ref()
    }

    /// What the policy allows for a target in this namespace under this environment's name.
    pub fn environment(&self, name: &str, namespace: &str) -> EnvironmentVerdict<'_> {
        match &self.source {
            Source::Absent => return EnvironmentVerdict::Closed(ClosedWhy::NoPolicy),
            Source::Unreadable(problems) => {
                return EnvironmentVerdict::Closed(ClosedWhy::PolicyUnreadable {
                    problems: problems.len(),
                    first: problems.first().map(Problem::to_string).unwrap_or_default(),
                });
            }
            Source::Loaded => {}
        }
        let Some(environment) = self.environments.get(name) else {
            return EnvironmentVerdict::Closed(ClosedWhy::NotNamed {
                environment: name.to_owned(),
                known: self.environments.keys().cloned().collect(),
            });
        };
        if !environment
            .targets
            .namespaces
            .iter()
            .any(|listed| listed == namespace)
        {
            return EnvironmentVerdict::Closed(ClosedWhy::NamespaceNotListed {
                environment: name.to_owned(),
                namespace: namespace.to_owned(),
                listed: environment.targets.namespaces.clone(),
            });
        }
        let here = environment.namespaces.get(namespace);
        EnvironmentVerdict::Open(here.unwrap_or(environment))
    }
}

/// Whether the policy lets an environment be changed at all.
#[derive(Clone, Debug, PartialEq)]
pub enum EnvironmentVerdict<'p> {
    /// Under these rules.
    Open(&'p EnvironmentPolicy),
    /// Not at all.
    Closed(ClosedWhy),
}

impl<'p> EnvironmentVerdict<'p> {
    /// The rules, or why it is closed.
    pub fn into_result(self) -> Result<&'p EnvironmentPolicy, ClosedWhy> {
        match self {
            Self::Open(environment) => Ok(environment),
            Self::Closed(why) => Err(why),
        }
    }
}

/// Why nothing may happen in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ClosedWhy {
    /// There is no policy file.
    NoPolicy,
    /// The policy file has never been readable since the agent started.
    PolicyUnreadable {
        /// How many problems it has.
        problems: usize,
        /// The first of them.
        first: String,
    },
    /// The policy does not name the environment.
    NotNamed {
        /// The environment that was asked for.
        environment: String,
        /// Those that the policy names.
        known: Vec<String>,
    },
    /// The environment does not list the target's namespace.
    NamespaceNotListed {
        /// The environment.
        environment: String,
        /// The target's namespace.
        namespace: String,
        /// The namespaces that it lists.
        listed: Vec<String>,
    },
}

impl fmt::Display for ClosedWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicy => f.write_str(
                "there is no policy file, so every environment is closed; give the agent one",
            ),
            Self::PolicyUnreadable { problems, first } => write!(
                f,
                "the policy file has {problems} problem(s), so every environment is closed; the \
                 first is {first}; run `sluice policy check` to see all"
            ),
            Self::NotNamed { environment, known } => write!(
                f,
                "the policy does not name the environment {environment}, so it is closed; it \
                 names {}",
                if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                }
            ),
            Self::NamespaceNotListed {
                environment,
                namespace,
                listed,
            } => write!(
                f,
                "the policy does not list the namespace {namespace} under \
                 environments.{environment}.targets.namespaces, so it is closed; it lists {}",
                listed.join(", ")
            ),
        }
    }
}

#[cfg(test)]
mod tests;
