//! Objects as plain JSON: a typed read would drop fields newer than the type, and what others wrote
//! must stay byte for byte.

use kube::api::{Api, ApiResource, DynamicObject};
use kube::{Client, ResourceExt};
use serde_json::Value;
use sluice_core::rollout::{ObjectKind, ObjectRef, ObjectSeen, ROLLOUT_LABEL, Seen};

use crate::fault::ClusterFault;
use crate::writer::EPOCH_ANNOTATION;

/// The objects of one kind in a namespace.
pub(crate) fn objects(client: &Client, kind: ObjectKind, namespace: &str) -> Api<DynamicObject> {
    let (group, version) = kind
        .api_version()
        .split_once('/')
        .unwrap_or(("", kind.api_version()));
    let resource = ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: kind.api_version().to_owned(),
        kind: kind.as_str().to_owned(),
        plural: kind.plural().to_owned(),
    };
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// One object, read live. What is confidential comes without what it holds.
pub async fn object(client: &Client, wanted: &ObjectRef) -> Seen<ObjectSeen> {
    let api = objects(client, wanted.kind, &wanted.namespace);
    if wanted.kind.is_confidential() {
        return match api.get_metadata_opt(&wanted.name).await {
            Ok(Some(found)) => Seen::Present(taken(
                found.uid(),
                found.resource_version(),
                found.labels().get(ROLLOUT_LABEL),
                found.annotations().get(EPOCH_ANNOTATION),
                Value::Null,
            )),
            Ok(None) => Seen::Absent,
            Err(e) => unseen(wanted, e),
        };
    }
    match api.get_opt(&wanted.name).await {
        Ok(Some(found)) => {
            let mut found = found;
            found.metadata.managed_fields = None;
            let body = serde_json::to_value(&found).unwrap_or(Value::Null);
            Seen::Present(taken(
                found.uid(),
                found.resource_version(),
                found.labels().get(ROLLOUT_LABEL),
                found.annotations().get(EPOCH_ANNOTATION),
                body,
            ))
        }
        Ok(None) => Seen::Absent,
        Err(e) => unseen(wanted, e),
    }
}

fn unseen(wanted: &ObjectRef, error: kube::Error) -> Seen<ObjectSeen> {
    match ClusterFault::sort("get", wanted.to_string(), error) {
        // A kind that the cluster does not know, and an object that is not there, are both 404.
        ClusterFault::Gone { .. } => Seen::Absent,
        other => Seen::Unknown(other.to_string()),
    }
}

fn taken(
    uid: Option<String>,
    resource_version: Option<String>,
    created_by: Option<&String>,
    epoch: Option<&String>,
    body: Value,
) -> ObjectSeen {
    ObjectSeen {
        uid: uid.unwrap_or_default(),
        resource_version: resource_version.unwrap_or_default(),
        created_by: created_by.cloned(),
        epoch: epoch.and_then(|e| e.parse().ok()).unwrap_or(0),
        body,
    }
}
