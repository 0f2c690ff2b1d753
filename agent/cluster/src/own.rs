//! Writes of Sluice's own objects, beside the journal: a Rollout is made, an old one is forgotten, a
//! Request is answered, and removed when it is old.

use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, ResourceExt};
use serde_json::json;
use sluice_core::approval::{Channel, Decision};
use sluice_core::policy::IdentityProvider;

use crate::crd::{Approval, ApprovalBody, Request, RequestStatus, Rollout};
use crate::fault::ClusterFault;
use crate::writer::Writer;

/// The name of a vote that is never stored.
const FORGERY: &str = "sluice-forgery";

/// Makes a Rollout. The same one twice is one: its name follows from what it is (W5). None: it was
/// there already.
pub async fn create_rollout(
    writer: &Writer,
    rollout: &Rollout,
) -> Result<Option<Rollout>, ClusterFault> {
    let namespace = rollout.namespace().unwrap_or_default();
    let object = format!("Rollout {namespace}/{}", rollout.name_any());
    let (client, _) = writer.pen(&object)?;
    let api: Api<Rollout> = Api::namespaced(client.clone(), &namespace);
    match api.create(&PostParams::default(), rollout).await {
        Ok(made) => Ok(Some(made)),
        // The same candidate came twice, or the answer to the first write was lost.
        Err(kube::Error::Api(s)) if s.code == 409 => Ok(None),
        Err(e) => Err(ClusterFault::sort("create", object, e)),
    }
}

/// Removes a Rollout that is over.
pub async fn delete_rollout(writer: &Writer, rollout: &Rollout) -> Result<(), ClusterFault> {
    let namespace = rollout.namespace().unwrap_or_default();
    let object = format!("Rollout {namespace}/{}", rollout.name_any());
    let (client, _) = writer.pen(&object)?;
    let api: Api<Rollout> = Api::namespaced(client.clone(), &namespace);
    match api
        .delete(&rollout.name_any(), &this_one(rollout.uid()))
        .await
    {
        Ok(_) => Ok(()),
        Err(e) => Err(ClusterFault::sort("delete", object, e)),
    }
}

/// Writes the answer to a wish.
pub async fn answer_request(
    writer: &Writer,
    request: &Request,
    status: RequestStatus,
) -> Result<Request, ClusterFault> {
    let (namespace, name) = (request.namespace().unwrap_or_default(), request.name_any());
    let object = format!("Request {namespace}/{name}");
    let found = request.status.as_ref().map_or(0, |s| s.epoch);
    let epoch = writer.epoch(&object, found)?;
    let (client, _) = writer.pen(&object)?;
    let api: Api<Request> = Api::namespaced(client.clone(), &namespace);
    let patch = Patch::Merge(json!({"status": RequestStatus { epoch, ..status }}));
    match api
        .patch_status(&name, &PatchParams::default(), &patch)
        .await
    {
        Ok(answered) => Ok(answered),
        Err(e) => Err(ClusterFault::sort("answer", object, e)),
    }
}

/// Removes a wish that was answered and has no effect any more.
pub async fn delete_request(writer: &Writer, request: &Request) -> Result<(), ClusterFault> {
    let (namespace, name) = (request.namespace().unwrap_or_default(), request.name_any());
    let object = format!("Request {namespace}/{name}");
    let (client, _) = writer.pen(&object)?;
    let api: Api<Request> = Api::namespaced(client.clone(), &namespace);
    match api.delete(&name, &this_one(request.uid())).await {
        Ok(_) => Ok(()),
        Err(e) => Err(ClusterFault::sort("delete", object, e)),
    }
}

/// Deletes the object of this uid and no other one of its name.
fn this_one(uid: Option<String>) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid,
            resource_version: None,
        }),
        ..DeleteParams::background()
    }
}

/// Tries a vote in another's name, as a dry run. True: it was refused by an admission policy.
///
/// # Errors
/// It cannot be told: this agent may not write votes, or there was no sure answer.
pub async fn votes_are_guarded(client: &Client, namespace: &str) -> Result<bool, ClusterFault> {
    let object = format!("Approval {namespace}/{FORGERY}");
    let api: Api<Approval> = Api::namespaced(client.clone(), namespace);
    let mut forgery = Approval::new(
        FORGERY,
        ApprovalBody {
            rollout: "none".into(),
            rollout_uid: "none".into(),
            hash: "none".into(),
            approver: "somebody-else@example.com".into(),
            provider: IdentityProvider::Kubernetes,
            groups: Vec::new(),
            decision: Decision::Approve,
            channel: Channel::Kubernetes,
            reason: None,
        },
    );
    forgery.metadata.namespace = Some(namespace.to_owned());
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match api.create(&dry, &forgery).await {
        Ok(_) => Ok(false),
        Err(kube::Error::Api(s)) if s.message.contains("ValidatingAdmissionPolicy") => Ok(true),
        Err(e) => Err(ClusterFault::sort("try a forged", object, e)),
    }
}
