//! What refers to a manifest (OCI distribution 1.1).

use axum::response::Response;
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::image::INDEX_TYPE;
use crate::registry::Shared;
use crate::serve::{injected, parameter, set, with_body};

pub(crate) fn list(
    shared: &Shared,
    behaviour: &Behaviour,
    repository: &str,
    digest: &str,
    query: &str,
) -> Response {
    if let Some(fault) = &behaviour.fail_referrers {
        return injected(fault);
    }
    let mut manifests = shared.state().store.referrers(repository, digest);
    if let Some(kind) = parameter(query, "artifactType") {
        manifests.retain(|one| one.get("artifactType").and_then(Value::as_str) == Some(&kind));
    }
    let index = json!({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests});
    let mut response = with_body(StatusCode::OK, INDEX_TYPE, index.to_string().into());
    if let Some(link) = &behaviour.link {
        set(&mut response, header::LINK, link);
    }
    response
}
