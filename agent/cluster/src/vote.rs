//! A vote that the agent records because an approval provider decided. It is an Approval like every
//! other one; the API server lets nobody but the agent write one of this channel.

use kube::ResourceExt;
use kube::api::{Api, ObjectMeta, PostParams};
use sluice_core::approval::Channel;
use sluice_core::hash::{child_name, short_name_hash};
use sluice_core::policy::IdentityProvider;
use sluice_core::rollout::ProviderVote;

use crate::crd::{Approval, ApprovalBody, Rollout};
use crate::fault::ClusterFault;
use crate::writer::Writer;

/// The Approval of a provider's decision. Its name is made from what it says: the same decision twice
/// is one object.
pub fn approval(rollout: &Rollout, vote: &ProviderVote) -> Approval {
    let uid = rollout.uid().unwrap_or_default();
    let said = format!("{:?}", vote.decision);
    let part = short_name_hash(&[&uid, "plugin", &vote.plugin, &said, &vote.hash]);
    let body = ApprovalBody {
        rollout: rollout.name_any(),
        rollout_uid: uid,
        hash: vote.hash.clone(),
        approver: vote.plugin.clone(),
        provider: IdentityProvider::Plugin,
        groups: Vec::new(),
        decision: vote.decision,
        channel: Channel::Plugin,
        reason: Some(vote.said.clone()),
    };
    let mut approval = Approval::new(&child_name(&rollout.name_any(), &part), body);
    approval.metadata = ObjectMeta {
        namespace: rollout.namespace(),
        owner_references: Some(
            kube::Resource::owner_ref(rollout, &())
                .into_iter()
                .collect(),
        ),
        ..approval.metadata
    };
    approval
}

/// Writes it. One that is there already is as good.
///
/// # Errors
/// The API server refused it, or gave no sure answer; or another agent leads.
pub async fn record_vote(writer: &Writer, approval: &Approval) -> Result<(), ClusterFault> {
    let namespace = approval.namespace().unwrap_or_default();
    let object = format!("Approval {namespace}/{}", approval.name_any());
    let (client, _) = writer.pen(&object)?;
    let api: Api<Approval> = Api::namespaced(client.clone(), &namespace);
    match api.create(&PostParams::default(), approval).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(s)) if s.code == 409 => Ok(()),
        Err(e) => Err(ClusterFault::sort("record", object, e)),
    }
}
