//! What would be signed, and who has signed.

use schemars::JsonSchema;
use serde::Serialize;
use sluice_controller::votes_of;
use sluice_core::approval::{Tally, count_votes};
use sluice_core::rollout::{ApprovalRequest, State};

use super::time::When;
use super::{Scene, short};

/// The approval request of a Rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApprovalView {
    /// What a vote must name.
    pub(crate) hash: String,
    /// The start of it, to compare.
    pub(crate) short_hash: String,
    /// The policy that it was made under.
    pub(crate) policy_hash: String,
    /// Plugins with the start of their digests.
    pub(crate) plugins: Vec<PluginUsed>,
    /// Since when it is asked.
    pub(crate) requested_at: When,
    /// Until when.
    pub(crate) expires_at: When,
    /// Whether votes are still taken.
    pub(crate) open: bool,
    /// Every required role, filled or not.
    pub(crate) roles: Vec<RoleView>,
    /// Votes that do not count.
    pub(crate) ignored: Vec<IgnoredView>,
    /// Who said no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rejected: Option<String>,
    /// Why the policy closes the environment, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<String>,
}

/// A plugin that takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct PluginUsed {
    pub(crate) name: String,
    pub(crate) digest: String,
}

/// A slot of a required role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoleView {
    pub(crate) role: String,
    /// Who fills it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<When>,
}

/// A vote that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct IgnoredView {
    pub(crate) person: String,
    pub(crate) why: String,
}

impl ApprovalView {
    pub(crate) fn new(
        scene: &Scene,
        rollout: &sluice_core::rollout::RolloutView,
        request: &ApprovalRequest,
        state: &State,
    ) -> Self {
        let when = |at| When::new(at, scene.now);
        let spec = &rollout.spec;
        let rules = scene
            .policy
            .environment(&spec.environment, &spec.target.namespace);
        let (tally, closed) = match rules.into_result() {
            Ok(rules) => {
                let rules = rules.for_rollout(spec);
                let requesters = scene.policy.behind(spec);
                let votes = votes_of(&scene.world, &rollout.namespace, &rollout.uid);
                let (policy, hash) = (&scene.policy, &request.hash);
                (
                    count_votes(&rules, policy, &requesters, &votes, hash, scene.now),
                    None,
                )
            }
            Err(closed) => (Tally::default(), Some(closed.to_string())),
        };
        let filled = tally.filled.iter().map(|f| RoleView {
            role: f.role.clone(),
            person: Some(f.person.clone()),
            at: Some(when(f.at)),
        });
        let missing = tally.missing.iter().map(|role| RoleView {
            role: role.clone(),
            person: None,
            at: None,
        });
        Self {
            hash: request.hash.clone(),
            short_hash: short(&request.hash),
            policy_hash: short(&request.policy_hash),
            plugins: request
                .plugins
                .iter()
                .map(|(name, digest)| PluginUsed {
                    name: name.clone(),
                    digest: short(digest),
                })
                .collect(),
            requested_at: when(request.requested_at),
            expires_at: when(request.expires_at),
            open: matches!(state, State::AwaitingApproval),
            roles: filled.chain(missing).collect(),
            ignored: tally
                .ignored
                .iter()
                .map(|i| IgnoredView {
                    person: i.person.clone(),
                    why: i.why.to_string(),
                })
                .collect(),
            rejected: tally.rejected_by.map(|no| {
                let said = if no.reason.is_empty() {
                    "no reason given"
                } else {
                    &no.reason
                };
                format!("{} ({}): {said}", no.person, no.role)
            }),
            closed,
        }
    }
}
