//! Fields of built-in kinds that may never change, or only under some circumstance.

use serde_json::Value;

use crate::api::error::ApiError;
use crate::api::resource::Resource;
use crate::json;

/// All that may change of a StatefulSet's spec.
const STATEFUL_SET: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// Refuses a change of what is fixed.
pub(crate) fn check(resource: Resource, old: &Value, new: &Value) -> Result<(), ApiError> {
    let name = json::text(old, "/metadata/name");
    for pointer in fixed(resource) {
        if json::at(old, pointer) != json::at(new, pointer) {
            let field = pointer.trim_start_matches('/').replace('/', ".");
            let problem = "Invalid value: field is immutable";
            return Err(ApiError::invalid(resource, name, &field, problem));
        }
    }
    match resource {
        Resource::StatefulSets => stateful_set(old, new),
        Resource::ConfigMaps | Resource::Secrets if json::flag(old, "/immutable") => {
            sealed(resource, old, new)
        }
        _ => Ok(()),
    }
}

fn fixed(resource: Resource) -> &'static [&'static str] {
    match resource {
        Resource::Deployments | Resource::ReplicaSets | Resource::DaemonSets => &["/spec/selector"],
        // The real server lets scheduling fields of a suspended Job's template change; nothing here
        // needs that.
        Resource::Jobs => &[
            "/spec/template",
            "/spec/selector",
            "/spec/completions",
            "/spec/completionMode",
        ],
        Resource::ControllerRevisions => &["/data"],
        Resource::Services => &["/spec/clusterIP"],
        Resource::Pods => &["/spec/nodeName", "/spec/volumes"],
        Resource::Secrets => &["/type"],
        Resource::Namespaces
        | Resource::ConfigMaps
        | Resource::ResourceQuotas
        | Resource::ServiceAccounts
        | Resource::CoreEvents
        | Resource::Events
        | Resource::StatefulSets
        | Resource::EndpointSlices
        | Resource::Leases
        | Resource::CronJobs
        | Resource::Ingresses
        | Resource::HttpRoutes
        | Resource::HorizontalPodAutoscalers
        | Resource::PodDisruptionBudgets
        | Resource::CustomResourceDefinitions
        | Resource::Pipelines
        | Resource::Rollouts
        | Resource::Approvals
        | Resource::Requests => &[],
    }
}

fn stateful_set(old: &Value, new: &Value) -> Result<(), ApiError> {
    let rest = |value: &Value| {
        let mut spec = value.get("spec").cloned().unwrap_or_default();
        for member in STATEFUL_SET {
            json::remove(&mut spec, &[member]);
        }
        spec
    };
    if rest(old) == rest(new) {
        return Ok(());
    }
    Err(ApiError::invalid(
        Resource::StatefulSets,
        json::text(old, "/metadata/name"),
        "spec",
        "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', \
         'template', 'updateStrategy', 'revisionHistoryLimit', \
         'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ))
}

/// A ConfigMap or Secret with `immutable: true`: it stays so, and so does what it holds.
fn sealed(resource: Resource, old: &Value, new: &Value) -> Result<(), ApiError> {
    let changed = |pointer: &str| json::at(old, pointer) != json::at(new, pointer);
    let field = if !json::flag(new, "/immutable") {
        "immutable"
    } else if changed("/data") {
        "data"
    } else if changed("/binaryData") {
        "binaryData"
    } else {
        return Ok(());
    };
    Err(ApiError::invalid(
        resource,
        json::text(old, "/metadata/name"),
        field,
        "Forbidden: field is immutable when `immutable` is set",
    ))
}
