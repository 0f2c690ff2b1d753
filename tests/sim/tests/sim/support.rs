//! Objects and waits that the tests share.

use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PostParams};
use kube::core::ApiResource;
use kube::core::DynamicObject;
use kube::core::gvk::GroupVersionKind;
use serde_json::{Value, json};
use sluice_sim::{Behaviour, Cluster, Resource};

/// The images `shop/web@sha256:v1` to `v4`; tags of the same names.
pub(crate) fn images(cluster: &Cluster) {
    for version in ["v1", "v2", "v3", "v4"] {
        let digest = format!("sha256:{version}");
        cluster
            .images()
            .set("shop/web", &digest, Behaviour::serving(version));
        cluster.images().tag("shop/web", version, &digest);
    }
}

/// A Deployment `web` in `shop`.
pub(crate) fn deployment(replicas: u32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "shop", "labels": { "app": "web" } },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{
                    "name": "web",
                    "image": image,
                    "ports": [{ "name": "http", "containerPort": 8080 }],
                }]},
            },
        },
    })
}

/// The Service `web` in `shop`.
pub(crate) fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "web", "namespace": "shop" },
        "spec": {
            "selector": { "app": "web" },
            "ports": [{ "name": "http", "port": 8000, "targetPort": "http" }],
        },
    })
}

/// A running `web` of this many replicas at v1, behind its Service.
pub(crate) async fn running(replicas: u32) -> Cluster {
    let cluster = Cluster::fast(1);
    images(&cluster);
    cluster.apply(service()).unwrap();
    cluster
        .apply(deployment(replicas, "shop/web@sha256:v1"))
        .unwrap();
    settled(&cluster).await;
    cluster
}

/// Waits until `web` is complete: observed, updated, available, nothing left over.
pub(crate) async fn settled(cluster: &Cluster) {
    until(|| {
        let web = cluster
            .object(Resource::Deployments, "shop", "web")
            .unwrap();
        let wanted = web["spec"]["replicas"].as_i64().unwrap();
        let status = &web["status"];
        status["observedGeneration"] == web["metadata"]["generation"]
            && ["replicas", "updatedReplicas", "availableReplicas"]
                .iter()
                .all(|count| status[*count].as_i64().unwrap_or(0) == wanted)
            && cluster.objects(Resource::Pods, "shop").len() as i64 == wanted
    })
    .await;
}

/// Waits for a condition, at most ten virtual minutes.
pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    within(Duration::from_secs(600), async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// A future that must end in time.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, future).await.expect("in time")
}

/// The Deployments of `shop`.
pub(crate) fn deployments(cluster: &Cluster, user: &str) -> Api<Deployment> {
    Api::namespaced(cluster.client(user), "shop")
}

/// Sluice's own objects of a kind, in `delivery`.
pub(crate) fn custom(cluster: &Cluster, user: &str, kind: &str) -> Api<DynamicObject> {
    Api::namespaced_with(cluster.client(user), "delivery", &resource(kind))
}

pub(crate) fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("sluice.dev", "v1alpha1", kind))
}

/// Objects of any kind, in `shop`, such as `("batch/v1", "Job")`.
pub(crate) fn any(cluster: &Cluster, user: &str, kind: (&str, &str)) -> Api<DynamicObject> {
    let (group, version) = kind.0.split_once('/').unwrap_or(("", kind.0));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind.1));
    Api::namespaced_with(cluster.client(user), "shop", &resource)
}

/// Any object from its manifest.
pub(crate) fn manifest(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

/// A JSON patch of these operations.
pub(crate) fn json_patch(operations: Value) -> Patch<()> {
    Patch::Json(serde_json::from_value(operations).unwrap())
}

/// An object of Sluice's own.
pub(crate) fn object(kind: &str, name: &str, spec: Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": kind,
        "metadata": { "name": name, "namespace": "delivery" },
        "spec": spec,
    }))
    .unwrap()
}

/// Creates an object; the status code of a refusal.
pub(crate) async fn create(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
) -> Result<DynamicObject, u16> {
    api.create(&PostParams::default(), object)
        .await
        .map_err(code)
}

/// The status code of an API error.
pub(crate) fn code(error: kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("not an answer of the API server: {other}"),
    }
}
