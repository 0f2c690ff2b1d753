//! JSON patches of every kind, with the tests that make them safe.

use k8s_openapi::api::core::v1::Service;
use kube::api::PatchParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use sluice_sim::{AGENT, Cluster, Resource};

use crate::support::{any, code, json_patch, running};

const SENTENCE: &str = "the server rejected our request due to an error in our request";

#[tokio::test(start_paused = true)]
async fn a_failed_test_is_invalid_and_changes_nothing() {
    let cluster = running(1).await;
    let api: Api<Service> = Api::namespaced(cluster.client(AGENT), "shop");
    let before = api.get("web").await.unwrap();
    let version = before.resource_version().unwrap();
    let switch = |track: &str, version: &str| {
        json_patch(json!([
            { "op": "test", "path": "/metadata/resourceVersion", "value": version },
            { "op": "test", "path": "/metadata/uid", "value": before.uid() },
            { "op": "test", "path": "/spec/selector", "value": { "app": track } },
            { "op": "add", "path": "/spec/selector/app", "value": "web-green" },
        ]))
    };
    for (track, version) in [("blue", version.as_str()), ("web", "1")] {
        let refused = api
            .patch("web", &PatchParams::default(), &switch(track, version))
            .await
            .unwrap_err();
        let kube::Error::Api(status) = refused else {
            panic!("not an answer: {refused}")
        };
        assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
        assert_eq!(status.message, SENTENCE, "the real server says no more");
    }
    assert_eq!(api.get("web").await.unwrap(), before);
    let log = cluster.writes();
    let untold = &log.last().unwrap().refusal;
    assert!(
        untold.contains("test /metadata/resourceVersion"),
        "{untold}"
    );

    let after = api
        .patch("web", &PatchParams::default(), &switch("web", &version))
        .await
        .unwrap();
    assert_eq!(after.spec.unwrap().selector.unwrap()["app"], "web-green");
    let log = cluster.writes();
    let summary = |write: &Option<sluice_sim::Summary>| write.clone().unwrap().selector;
    let write = log.last().unwrap();
    assert_eq!(summary(&write.before), ["app=web"]);
    assert_eq!(summary(&write.after), ["app=web-green"]);
}

#[tokio::test(start_paused = true)]
async fn every_kind_takes_json_patches() {
    let cluster = Cluster::fast(1);
    let label = json_patch(json!([
        { "op": "add", "path": "/metadata/labels", "value": { "a": "b" } },
    ]));
    for (kind, spec) in [
        (("v1", "ConfigMap"), json!({ "data": { "a": "b" } })),
        (("v1", "Secret"), json!({ "stringData": { "a": "b" } })),
        (
            ("v1", "ResourceQuota"),
            json!({ "spec": { "hard": { "pods": "4" } } }),
        ),
        (
            ("gateway.networking.k8s.io/v1", "HTTPRoute"),
            json!({ "spec": {} }),
        ),
        (
            ("networking.k8s.io/v1", "Ingress"),
            json!({ "spec": { "defaultBackend": { "service": { "name": "web" } } } }),
        ),
    ] {
        let mut body = spec;
        body["apiVersion"] = json!(kind.0);
        body["kind"] = json!(kind.1);
        body["metadata"] = json!({ "name": "it", "namespace": "shop" });
        cluster.apply(body).unwrap();
        let api = any(&cluster, AGENT, kind);
        let patched = api.patch("it", &PatchParams::default(), &label).await;
        assert_eq!(patched.unwrap().labels()["a"], "b", "{kind:?}");
        let named = json_patch(json!([
            { "op": "replace", "path": "/metadata/name", "value": "other" },
        ]));
        let refused = api.patch("it", &PatchParams::default(), &named).await;
        assert_eq!(code(refused.unwrap_err()), 400, "{kind:?}");
    }
    assert!(cluster.object(Resource::HttpRoutes, "shop", "it").is_some());
}
