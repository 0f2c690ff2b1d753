//! The quotas of a namespace, for those who may read them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use sluice_core::rollout::{QuotaSeen, Seen};

use crate::fault::ClusterFault;

/// Quotas of one namespace that are looked at. More is nobody's intent.
const QUOTA_LIMIT: u32 = 20;

/// The quotas that count every pod. Where they cannot be read, that is said and nothing depends on it.
pub async fn quotas(client: &Client, namespace: &str) -> Seen<Vec<QuotaSeen>> {
    let api: Api<ResourceQuota> = Api::namespaced(client.clone(), namespace);
    match api.list(&ListParams::default().limit(QUOTA_LIMIT)).await {
        Ok(list) => Seen::Present(list.items.into_iter().filter_map(taken).collect()),
        Err(e) => {
            let object = format!("the ResourceQuotas of {namespace}");
            Seen::Unknown(ClusterFault::sort("list", object, e).to_string())
        }
    }
}

/// A quota, where it is for all pods: of one with scopes the API server alone knows whom it is about.
fn taken(quota: ResourceQuota) -> Option<QuotaSeen> {
    let name = quota.name_any();
    let spec = quota.spec?;
    if spec.scopes.is_some() || spec.scope_selector.is_some() {
        return None;
    }
    let plain = |map: Option<BTreeMap<String, Quantity>>| {
        let map = map.unwrap_or_default().into_iter();
        map.map(|(k, v)| (k, v.0)).collect()
    };
    Some(QuotaSeen {
        name,
        hard: plain(spec.hard),
        used: plain(quota.status.and_then(|s| s.used)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_quota_with_scopes_is_left_to_the_api_server() {
        let quota = |spec| {
            let object =
                json!({"metadata": {"name": "q"}, "spec": spec, "status": {"used": {"pods": "1"}}});
            taken(serde_json::from_value(object).unwrap())
        };
        let all = quota(json!({"hard": {"pods": "5"}})).unwrap();
        assert_eq!(all.hard["pods"], "5");
        assert_eq!(all.used["pods"], "1");
        assert_eq!(
            quota(json!({"hard": {"pods": "5"}, "scopes": ["BestEffort"]})),
            None
        );
    }
}
