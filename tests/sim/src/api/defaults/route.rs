//! The defaults of the HTTPRoute's definition (Gateway API v1.6), where routes by Services meet them.

use serde_json::{Value, json};

use crate::json::{self, default};

pub(super) fn http_route(object: &mut Value) {
    for parent in json::list_mut(object, &["spec", "parentRefs"]) {
        default(parent, &["group"], "gateway.networking.k8s.io");
        default(parent, &["kind"], "Gateway");
    }
    default(object, &["spec", "rules"], json!([{}]));
    for rule in json::list_mut(object, &["spec", "rules"]) {
        let everything = json!([{ "path": { "type": "PathPrefix", "value": "/" } }]);
        default(rule, &["matches"], everything);
        for found in json::list_mut(rule, &["matches"]) {
            default(found, &["path", "type"], "PathPrefix");
            default(found, &["path", "value"], "/");
        }
        for backend in json::list_mut(rule, &["backendRefs"]) {
            default(backend, &["group"], "");
            default(backend, &["kind"], "Service");
            default(backend, &["weight"], 1);
        }
    }
}
