//! Who stands behind a vote or a wish, as `core` knows people.

use jiff::Timestamp;
use kube::ResourceExt;
use sluice_core::approval::{Channel, Vote};
use sluice_core::policy::{Identity, IdentityProvider};
use sluice_core::stop::{Stop, Wish};

use super::{Approval, ApprovalBody, Request, RequestAction, RequestBody, RequestState};

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
            at: created(self),
            reason: self.spec.reason.clone().unwrap_or_default(),
        }
    }
}

impl Request {
    /// What became of it so far.
    pub fn state(&self) -> RequestState {
        self.status
            .as_ref()
            .map_or(RequestState::Pending, |status| status.state)
    }

    /// Whether it has no answer yet.
    pub fn is_open(&self) -> bool {
        self.state() == RequestState::Pending
    }

    /// What it wishes of everything, by somebody of this name. None: it is about something else.
    pub fn about_everything(&self, by: String) -> Option<Wish> {
        match self.spec.action {
            RequestAction::Stop => Some(Wish::Stop(Stop {
                by,
                reason: self.spec.reason.clone().unwrap_or_default(),
                since: self.made(),
                until: self.spec.until,
            })),
            RequestAction::Start => Some(Wish::Start(self.made())),
            RequestAction::Deploy
            | RequestAction::Rollback
            | RequestAction::Abort
            | RequestAction::Pause
            | RequestAction::Resume
            | RequestAction::Promote
            | RequestAction::Retry
            | RequestAction::LiftQuarantine
            | RequestAction::Adopt
            | RequestAction::Drill => None,
        }
    }

    /// When the API server took it.
    pub fn made(&self) -> Timestamp {
        created(self)
    }
}

/// When an object was created; the beginning of time where the API server did not say.
pub fn created<K: ResourceExt>(object: &K) -> Timestamp {
    object
        .creation_timestamp()
        .map_or(Timestamp::UNIX_EPOCH, |t| t.0)
}
