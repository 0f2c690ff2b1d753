//! What one environment allows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    CheckPolicy, DrillPolicy, Expression, ImagePolicy, Limits, Policy, Signer, StrategyPolicy,
};
use crate::authorize::Action;
use crate::duration::HumanDuration;
use crate::hash;
use crate::rollout::{Emergency, RolloutSpec};
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
    /// Who may go to all traffic at once. None: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_canary: Option<SkipCanaryPolicy>,
    /// Who may act in an emergency without waiting. None: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlassPolicy>,
    /// Who may hold drills. None: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drills: Option<DrillPolicy>,
    /// Going back to an earlier version.
    #[serde(default)]
    pub rollback: RollbackPolicy,
    /// Rules of your own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub rules: Vec<DenyRule>,
    /// Roles that may act, where the default is not wanted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "super::schema::Permissions")]
    pub permissions: BTreeMap<Action, Vec<String>>,
    /// For one namespace: sections that stand in place of the environment's. As read, each holds
    /// the whole of what is in force there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, super::schema::Sections>")]
    pub namespaces: BTreeMap<String, EnvironmentPolicy>,
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
    /// Votes by chat that count at most. Default: one less than are required, so that whoever steals
    /// the chat's signing secret has not enough (reliability.md A12).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_votes_at_most: Option<u32>,
}

impl ApprovalPolicy {
    /// Votes that are required in all.
    pub fn slots(&self) -> u32 {
        self.require.iter().map(|required| required.count).sum()
    }

    /// Votes by chat that count.
    pub fn chat_votes(&self) -> u32 {
        let default = self.slots().saturating_sub(1);
        self.chat_votes_at_most.unwrap_or(default)
    }
}

impl Default for ApprovalPolicy {
    fn default() -> Self {
        Self {
            require: Vec::new(),
            self_approval: false,
            wait_timer: HumanDuration::ZERO,
            expire_after: HumanDuration::from_hours(24),
            chat_votes_at_most: None,
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

/// Who may ask for a version that goes to all traffic at once (requirement A7).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SkipCanaryPolicy {
    /// Roles of which one is needed. A reason is always asked for.
    #[schemars(length(min = 1))]
    pub allowed_for: Vec<String>,
}

/// Who may act in an emergency: no window, freeze, age, order, timer or cap holds it, and these
/// people stand in for the usual approvals (reliability.md A11).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BreakGlassPolicy {
    /// The role that whoever asks and whoever approves must hold.
    pub role: String,
    /// Distinct holders who must approve; whoever asks may be one of them. Default and least: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 2, max = 10))]
    pub people: u32,
}

fn two() -> u32 {
    2
}

/// Going back to an earlier version. It needs no approval and no window; `permissions.rollback` says
/// whose wish it may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackPolicy {
    /// How long after a success a person may go back without the gate of a release. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<HumanDuration>,
}

/// A rule of your own: what it matches does not come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DenyRule {
    /// A CEL expression over `rollout` and `now`. True, or an error, refuses.
    pub deny: Expression,
    /// What people are told.
    pub message: String,
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
    /// What is in force for this Rollout: less for an emergency that the policy offers, and for a drill,
    /// which brings nothing new, so that nobody has to agree to it.
    pub fn for_rollout(&self, spec: &RolloutSpec) -> Cow<'_, Self> {
        if !spec.drill {
            return self.under(spec.emergency);
        }
        let mut here = self.clone();
        here.after.clear();
        here.images.minimum_age = None;
        here.approvals = ApprovalPolicy::default();
        Cow::Owned(here)
    }

    /// What is in force for a rollout that leaves out part of the usual way. What the policy does not
    /// offer changes nothing here; `admit` and the gate refuse it.
    pub fn under(&self, emergency: Option<Emergency>) -> Cow<'_, Self> {
        let Some(emergency) = emergency else {
            return Cow::Borrowed(self);
        };
        let mut here = self.clone();
        if emergency.skip_canary && self.skip_canary.is_some() {
            here.strategy.first_step_at_most = None;
            here.strategy.max_step_increase = None;
        }
        if emergency.break_glass
            && let Some(glass) = &self.break_glass
        {
            here.windows = Windows::default();
            here.after.clear();
            here.images.minimum_age = None;
            here.limits.concurrent_rollouts = None;
            here.approvals = ApprovalPolicy {
                require: vec![RequiredRole {
                    role: glass.role.clone(),
                    count: glass.people,
                }],
                // Whoever asks holds the role and may be one of them: still two people.
                self_approval: true,
                wait_timer: HumanDuration::ZERO,
                expire_after: self.approvals.expire_after,
                chat_votes_at_most: None,
            };
        }
        Cow::Owned(here)
    }

    /// SHA-256 of everything in the policy that can change a decision about this environment: its
    /// rules with all defaults, the roles that it names and the people in them. Spelling, order of
    /// keys, comments and other environments do not matter. Part of the approval hash
    /// (reliability.md A1).
    pub fn hash(&self, policy: &Policy) -> String {
        let required = self.approvals.require.iter().map(|required| &required.role);
        let emergency = self.skip_canary.iter().flat_map(|skip| &skip.allowed_for);
        let named: BTreeSet<&String> = required
            .chain(self.permissions.values().flatten())
            .chain(emergency)
            .chain(self.drills.iter().flat_map(|drills| &drills.allowed_for))
            .chain(self.break_glass.iter().map(|glass| &glass.role))
            .collect();
        let signers: BTreeMap<_, &Signer> = self
            .images
            .signed_by
            .iter()
            .filter_map(|name| policy.signers.get_key_value(name))
            .collect();
        // What other namespaces have is not in force here.
        let here = Self {
            namespaces: BTreeMap::new(),
            ..self.clone()
        };
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
            "format": 2,
            "environment": here,
            "roles": roles,
            "people": people,
            "signers": signers,
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
