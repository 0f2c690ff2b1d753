//! Keeping what a ConfigMap or Secret holds now. The data goes through here and nowhere else: it is in
//! no observation, journal, log or error.

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use sluice_core::rollout::{Guard, OwnerRef, ROLLOUT_LABEL};

use super::{create, path};
use crate::fault::ClusterFault;
use crate::object::objects;
use crate::writer::Writer;

/// Creates the copy, if the source is exactly the one that was seen. A copy that is there is success.
pub(super) async fn copy(
    writer: &Writer,
    from: &Guard,
    to: &str,
    owner: &OwnerRef,
    rollout_uid: &str,
) -> Result<(), ClusterFault> {
    let object = path(from);
    let api = objects(writer.client(), from.kind, &from.namespace);
    let source = api
        .get(&from.name)
        .await
        .map_err(|e| ClusterFault::sort("get", object.clone(), e))?;
    if source.uid().as_deref() != Some(&from.uid)
        || source.resource_version().as_deref() != Some(&from.resource_version)
    {
        return Err(ClusterFault::Conflict { object });
    }
    create(writer, &manifest(&source, from, to, owner, rollout_uid)).await
}

fn manifest(
    source: &DynamicObject,
    from: &Guard,
    to: &str,
    owner: &OwnerRef,
    rollout_uid: &str,
) -> Value {
    let mut copy = json!({
        "apiVersion": from.kind.api_version(),
        "kind": from.kind.as_str(),
        "metadata": {
            "namespace": from.namespace,
            "name": to,
            "labels": {
                ROLLOUT_LABEL: rollout_uid,
                "app.kubernetes.io/managed-by": "sluice",
            },
            "annotations": {"sluice.dev/copy-of": from.name},
            "ownerReferences": [owner.entry()],
        },
        "immutable": true,
    });
    if let Some(map) = copy.as_object_mut() {
        for field in ["data", "binaryData", "type"] {
            if let Some(value) = source.data.get(field) {
                map.insert(field.to_owned(), value.clone());
            }
        }
    }
    copy
}
