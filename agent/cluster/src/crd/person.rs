//! Who stands behind a vote or a wish, as `core` knows people.

use jiff::Timestamp;
use kube::ResourceExt;
use sluice_core::approval::{Channel, Vote};
use sluice_core::policy::{Identity, IdentityProvider};

use super::{Approval, ApprovalBody, Request, RequestAction, RequestBody};

/// Who a name belongs to. What people write with their own credentials the API server alone vouches
/// for, whatever provider stands in it.
fn identity(
    channel: Channel,
    provider: IdentityProvider,
    username: &str,
    groups: &[String],
) -> Identity {
    let provider = match channel {
        Channel::Kubernetes => IdentityProvider::Kubernetes,
        Channel::Web | Channel::Slack | Channel::Webhook | Channel::Plugin => provider,
    };
    Identity {
        provider,
        username: username.to_owned(),
        groups: groups.to_vec(),
    }
}

impl ApprovalBody {
    /// Who votes.
    pub fn voter(&self) -> Identity {
        identity(self.channel, self.provider, &self.approver, &self.groups)
    }
}

impl RequestBody {
    /// A wish without any particulars.
    pub fn new(action: RequestAction, by: &Identity, channel: Channel) -> Self {
        Self {
            action,
            pipeline: None,
            environment: None,
            rollout: None,
            tag: None,
            digest: None,
            reason: None,
            skip_canary: false,
            break_glass: false,
            dry_run: false,
            until: None,
            requester: by.username.clone(),
            provider: by.provider,
            groups: by.groups.clone(),
            channel,
        }
    }

    /// Who asks.
    pub fn asker(&self) -> Identity {
        identity(self.channel, self.provider, &self.requester, &self.groups)
    }
}

impl Approval {
    /// The vote as it is counted. Whether its author is guarded (`believed`) is the caller's to say.
    pub fn vote(&self) -> Vote {
        Vote {
            believed: true,
            id: self.name_any(),
            approver: self.spec.voter(),
            channel: self.spec.channel,
            decision: self.spec.decision,
            hash: self.spec.hash.clone(),
            at: made(self),
            reason: self.spec.reason.clone().unwrap_or_default(),
        }
    }
}

impl Request {
    /// When the API server took it.
    pub fn made(&self) -> Timestamp {
        made(self)
    }
}

fn made(object: &impl ResourceExt) -> Timestamp {
    object
        .creation_timestamp()
        .map_or(Timestamp::UNIX_EPOCH, |t| t.0)
}
