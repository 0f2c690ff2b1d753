//! A JSON patch (RFC 6902) under a guard: what it replaces is tested by the API server itself.

use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use sluice_core::rollout::Guard;

use super::{TRAFFIC_MANAGER, path};
use crate::fault::ClusterFault;
use crate::object::objects;
use crate::writer::{EPOCH_ANNOTATION, Writer};

/// Writes the operations of `patch`, if the object is still the one that was decided on.
pub(super) async fn patch(
    writer: &Writer,
    guard: &Guard,
    patch: &Value,
) -> Result<(), ClusterFault> {
    let object = path(guard);
    let (client, epoch) = writer.pen(&object)?;
    let operations = guarded(guard, patch, epoch).map_err(|message| ClusterFault::Malformed {
        object: object.clone(),
        message,
    })?;
    let api = objects(client, guard.kind, &guard.namespace);
    let params = PatchParams {
        field_manager: Some(TRAFFIC_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let written = api
        .patch(
            &guard.name,
            &params,
            &Patch::<DynamicObject>::Json(operations),
        )
        .await;
    match written {
        Ok(_) => Ok(()),
        Err(e) => match ClusterFault::sort("patch", object.clone(), e) {
            // A test that does not hold is told like a patch that makes no sense: only another
            // look can tell the two apart.
            refused @ ClusterFault::Refused { .. } => match api.get_metadata_opt(&guard.name).await
            {
                Ok(Some(now))
                    if now.metadata.uid.as_ref() == Some(&guard.uid)
                        && now.metadata.resource_version.as_ref()
                            == Some(&guard.resource_version) =>
                {
                    Err(refused)
                }
                Ok(Some(_)) => Err(ClusterFault::Conflict { object }),
                Ok(None) => Err(ClusterFault::Gone { object }),
                Err(e) => Err(ClusterFault::sort("get", object, e)),
            },
            other => Err(other),
        },
    }
}

/// The operations, after tests that the object is unchanged, and with the leader's epoch.
fn guarded(guard: &Guard, patch: &Value, epoch: u64) -> Result<json_patch::Patch, String> {
    let mut all = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": guard.uid}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": guard.resource_version}),
    ];
    all.extend(patch.as_array().cloned().unwrap_or_default());
    if epoch > 0 {
        let place = EPOCH_ANNOTATION.replace('~', "~0").replace('/', "~1");
        all.push(json!({
            "op": "add",
            "path": format!("/metadata/annotations/{place}"),
            "value": epoch.to_string(),
        }));
    }
    serde_json::from_value(Value::from(all)).map_err(|e| format!("no JSON patch: {e}"))
}

#[cfg(test)]
mod tests {
    use sluice_core::rollout::ObjectKind;

    use super::*;

    #[test]
    fn what_was_decided_on_is_tested_first_and_the_epoch_comes_last() {
        let guard = Guard {
            kind: ObjectKind::Service,
            namespace: "shop".into(),
            name: "storefront".into(),
            uid: "u".into(),
            resource_version: "7".into(),
        };
        let own = json!([{"op": "replace", "path": "/spec/selector/app", "value": "b"}]);
        let all = serde_json::to_value(guarded(&guard, &own, 3).unwrap()).unwrap();
        assert_eq!(
            all,
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "replace", "path": "/spec/selector/app", "value": "b"},
                {"op": "add", "path": "/metadata/annotations/sluice.dev~1epoch", "value": "3"},
            ])
        );
        assert!(guarded(&guard, &json!([{"op": "nonsense"}]), 0).is_err());
    }
}
