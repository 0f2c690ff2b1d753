//! The one function that answers "may this subject do this action" (architecture invariant 9).
//!
//! Every door goes through it: web page, API, CLI, Slack, kubectl. RBAC says who may write a
//! Request or an Approval at all; the policy's roles say what it may achieve.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::{EnvironmentPolicy, Identity, IdentityProvider, Policy};

/// What somebody wants to do to one environment.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Ask for a version.
    Deploy,
    /// Agree to a rollout.
    Approve,
    /// Refuse a rollout.
    Reject,
    /// Stop a rollout and put the stable version back.
    Abort,
    /// Hold a rollout where it is.
    Pause,
    /// Let a held rollout go on.
    Resume,
    /// Skip the rest of the plan: all traffic to the candidate.
    Promote,
    /// Put an earlier version back.
    Rollback,
    /// Try a failed rollout again.
    Retry,
    /// Allow a digest again that failed before.
    LiftQuarantine,
    /// Ask for a version that goes to all traffic at once.
    SkipCanary,
    /// Ask for a version that waits for no window and for other approvals than the usual ones.
    BreakGlass,
    /// Hold a drill: the whole way with the version that serves, and back.
    Drill,
    /// Hold everything but rollbacks.
    Stop,
    /// Lift the global stop.
    Start,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Deploy,
        Self::Approve,
        Self::Reject,
        Self::Abort,
        Self::Pause,
        Self::Resume,
        Self::Promote,
        Self::Rollback,
        Self::Retry,
        Self::LiftQuarantine,
        Self::SkipCanary,
        Self::BreakGlass,
        Self::Drill,
        Self::Stop,
        Self::Start,
    ];

    /// As written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Retry => "retry",
            Self::LiftQuarantine => "liftQuarantine",
            Self::SkipCanary => "skipCanary",
            Self::BreakGlass => "breakGlass",
            Self::Drill => "drill",
            Self::Stop => "stop",
            Self::Start => "start",
        }
    }

    /// In a sentence: may they …
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::LiftQuarantine => "lift a quarantine",
            Self::SkipCanary => "skip the canary",
            Self::BreakGlass => "break the glass",
            Self::Drill => "hold a drill",
            Self::Rollback => "roll back",
            Self::Stop => "stop everything",
            Self::Start => "start everything again",
            Self::Deploy
            | Self::Approve
            | Self::Reject
            | Self::Abort
            | Self::Pause
            | Self::Resume
            | Self::Promote
            | Self::Retry => self.as_str(),
        }
    }

    /// What holds where `permissions` is silent.
    const fn default_rule(self) -> DefaultRule {
        match self {
            // Towards safety, or gated further on.
            Self::Deploy
            | Self::Abort
            | Self::Pause
            | Self::Resume
            | Self::Rollback
            | Self::Stop => DefaultRule::Anybody,
            // Loosens a gate that the approvers closed or have not seen.
            Self::Promote | Self::Retry | Self::LiftQuarantine | Self::Start => {
                DefaultRule::ApproversIfAny
            }
            Self::Approve | Self::Reject => DefaultRule::Approvers,
            Self::SkipCanary | Self::BreakGlass | Self::Drill => DefaultRule::Named,
        }
    }

    /// Whether it is about everything and not about one environment.
    pub const fn is_global(self) -> bool {
        matches!(self, Self::Stop | Self::Start)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

enum DefaultRule {
    /// Whoever is authenticated: RBAC let them write the Request.
    Anybody,
    /// Holders of a required role; anybody where none is required.
    ApproversIfAny,
    /// Whoever approves here, and nobody where nobody does.
    Approvers,
    /// Only the roles that the policy names for it.
    Named,
}

/// Why somebody may not do something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{person} may not {} in {environment}: {why}{}", .action.phrase(), roles_that_may(.roles))]
pub struct Denied {
    /// Who.
    pub person: String,
    /// What.
    pub action: Action,
    /// Where.
    pub environment: String,
    /// Why not.
    pub why: DeniedWhy,
    /// Roles of which one would do. Empty where none can.
    pub roles: Vec<String>,
}

fn roles_that_may(roles: &[String]) -> String {
    if roles.is_empty() {
        return String::new();
    }
    format!("; holders of {} may", roles.join(" or "))
}

/// The reason of a [`Denied`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeniedWhy {
    /// The request carries no authenticated name.
    NotAuthenticated,
    /// The subject holds none of the roles.
    MissingRole,
    /// The environment asks for no approvals, so there is nothing to approve or reject.
    NoApprovals,
    /// The policy has no section that lets anybody do it.
    NotOffered,
    /// A machine may propose a version and nothing else.
    Machine,
}

impl fmt::Display for DeniedWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAuthenticated => "the request carries no authenticated name",
            Self::MissingRole => "it needs a role that they do not hold",
            Self::NoApprovals => "the policy asks for no approvals there",
            Self::NotOffered => "the policy offers it to nobody there",
            Self::Machine => "a machine may propose a version and nothing else",
        })
    }
}

/// Whether the subject may do the action in the environment. Whether a vote counts (self-approval,
/// distinct people, the right hash) is decided when votes are counted: `crate::approval`.
pub fn authorize(
    action: Action,
    subject: &Identity,
    environment: &EnvironmentPolicy,
    policy: &Policy,
) -> Result<(), Denied> {
    let denied = |why: DeniedWhy, roles: Vec<String>| Denied {
        person: policy.person(subject).name,
        action,
        environment: environment.name.clone(),
        why,
        roles,
    };
    let someone = somebody(action, subject);
    someone.map_err(|why| denied(why, Vec::new()))?;
    if subject.provider == IdentityProvider::Caller {
        // Machines are named one by one, and hold no roles.
        let caller = policy.callers.get(&subject.username);
        return match caller.filter(|caller| caller.environments.contains(&environment.name)) {
            Some(_) => Ok(()),
            None => Err(denied(DeniedWhy::NotOffered, Vec::new())),
        };
    }
    let approvers = || named(environment.approver_roles());
    let roles = match (environment.permissions.get(&action), action.default_rule()) {
        (_, DefaultRule::Named) => {
            let Some(roles) = offered(action, environment) else {
                return Err(denied(DeniedWhy::NotOffered, Vec::new()));
            };
            roles
        }
        (_, DefaultRule::Approvers)
            if environment.approvals.require.is_empty() && environment.break_glass.is_none() =>
        {
            return Err(denied(DeniedWhy::NoApprovals, Vec::new()));
        }
        // A vote is a vote by the required roles, whatever `permissions` says.
        (_, DefaultRule::Approvers) => {
            let glass = environment
                .break_glass
                .iter()
                .map(|glass| glass.role.as_str());
            named(environment.approver_roles().chain(glass))
        }
        (Some(roles), DefaultRule::Anybody | DefaultRule::ApproversIfAny) => roles.clone(),
        (None, DefaultRule::Anybody) => return Ok(()),
        (None, DefaultRule::ApproversIfAny) if environment.approvals.require.is_empty() => {
            return Ok(());
        }
        (None, DefaultRule::ApproversIfAny) => approvers(),
    };
    if roles.iter().any(|role| policy.holds(subject, role)) {
        return Ok(());
    }
    Err(denied(DeniedWhy::MissingRole, roles))
}

/// Whether the subject may do something that is about everything at once: the global stop and its
/// end. By the policy's own `permissions`; where they are silent anybody may stop, and whoever
/// approves in any environment may start again.
pub fn authorize_global(action: Action, subject: &Identity, policy: &Policy) -> Result<(), Denied> {
    let denied = |why: DeniedWhy, roles: Vec<String>| Denied {
        person: policy.person(subject).name,
        action,
        environment: "all environments".into(),
        why,
        roles,
    };
    somebody(action, subject).map_err(|why| denied(why, Vec::new()))?;
    if !action.is_global() {
        return Err(denied(DeniedWhy::NotOffered, Vec::new()));
    }
    let roles = match (policy.permissions.get(&action), action) {
        (Some(roles), _) => roles.clone(),
        (None, Action::Start) => {
            let approvers = policy
                .environments
                .values()
                .flat_map(EnvironmentPolicy::approver_roles);
            named(approvers)
        }
        (None, _) => return Ok(()),
    };
    // Nobody approves anything anywhere: then nobody can be asked for more than a name.
    if roles.is_empty() || roles.iter().any(|role| policy.holds(subject, role)) {
        return Ok(());
    }
    Err(denied(DeniedWhy::MissingRole, roles))
}

/// The roles that a section of the policy offers it to. None: there is no such section.
fn offered(action: Action, environment: &EnvironmentPolicy) -> Option<Vec<String>> {
    if action == Action::SkipCanary {
        return environment
            .skip_canary
            .as_ref()
            .map(|s| s.allowed_for.clone());
    }
    if action == Action::Drill {
        return environment.drills.as_ref().map(|d| d.allowed_for.clone());
    }
    let glass = environment.break_glass.as_ref()?;
    Some(vec![glass.role.clone()])
}

/// Whether this is somebody who can do such a thing at all.
fn somebody(action: Action, subject: &Identity) -> Result<(), DeniedWhy> {
    match subject.provider {
        _ if !subject.is_authenticated() => Err(DeniedWhy::NotAuthenticated),
        IdentityProvider::Caller if action != Action::Deploy => Err(DeniedWhy::Machine),
        IdentityProvider::Plugin if !matches!(action, Action::Approve | Action::Reject) => {
            Err(DeniedWhy::Machine)
        }
        IdentityProvider::Kubernetes
        | IdentityProvider::Oidc
        | IdentityProvider::Slack
        | IdentityProvider::Caller
        | IdentityProvider::Plugin => Ok(()),
    }
}

/// Each role once, in the order in which it comes.
fn named<'a>(roles: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for role in roles {
        if !out.iter().any(|known| known == role) {
            out.push(role.to_owned());
        }
    }
    out
}

#[cfg(test)]
mod tests;
