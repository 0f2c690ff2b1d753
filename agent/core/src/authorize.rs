//! The one function that answers "may this subject do this action" (architecture invariant 9).
//!
//! Every door goes through it: web page, API, CLI, Slack, kubectl. RBAC says who may write a
//! Request or an Approval at all; the policy's roles say what it may achieve.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::{EnvironmentPolicy, Identity, Policy};

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
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 10] = [
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
        }
    }

    /// What holds where `permissions` is silent.
    const fn default_rule(self) -> DefaultRule {
        match self {
            // Towards safety, or gated further on.
            Self::Deploy | Self::Abort | Self::Pause | Self::Resume | Self::Rollback => {
                DefaultRule::Anybody
            }
            // Loosens a gate that the approvers closed or have not seen.
            Self::Promote | Self::Retry | Self::LiftQuarantine => DefaultRule::ApproversIfAny,
            Self::Approve | Self::Reject => DefaultRule::Approvers,
        }
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
    /// Holders of a required role, and nobody where none is required.
    Approvers,
}

/// Why somebody may not do something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{person} may not {action} in {environment}: {why}{}", roles_that_may(.roles))]
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
}

impl fmt::Display for DeniedWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAuthenticated => "the request carries no authenticated name",
            Self::MissingRole => "it needs a role that they do not hold",
            Self::NoApprovals => "the policy asks for no approvals there",
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
    if !subject.is_authenticated() {
        return Err(denied(DeniedWhy::NotAuthenticated, Vec::new()));
    }
    let approvers = || {
        environment
            .approver_roles()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let roles = match (environment.permissions.get(&action), action.default_rule()) {
        (_, DefaultRule::Approvers) if environment.approvals.require.is_empty() => {
            return Err(denied(DeniedWhy::NoApprovals, Vec::new()));
        }
        // A vote is a vote by the required roles, whatever `permissions` says.
        (_, DefaultRule::Approvers) => approvers(),
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

#[cfg(test)]
mod tests;
