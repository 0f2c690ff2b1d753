//! Writes of Sluice's own objects, beside the journal: a Rollout is made, an old one is forgotten, a
//! Request is answered.

use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;

use crate::crd::{Request, RequestStatus, Rollout};
use crate::fault::ClusterFault;
use crate::writer::Writer;

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
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: rollout.uid(),
            resource_version: None,
        }),
        ..DeleteParams::background()
    };
    match api.delete(&rollout.name_any(), &params).await {
        Ok(_) => Ok(()),
        Err(e) => Err(ClusterFault::sort("delete", object, e)),
    }
}

/// Writes the answer to a wish.
pub async fn answer_request(
    writer: &Writer,
    request: &Request,
    status: RequestStatus,
) -> Result<(), ClusterFault> {
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
        Ok(_) => Ok(()),
        Err(e) => Err(ClusterFault::sort("answer", object, e)),
    }
}
