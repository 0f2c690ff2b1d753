//! The patch formats through kube.

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use sluice_sim::{ADMIN, Resource};

use crate::support::{code, deployments, running};

#[tokio::test(start_paused = true)]
async fn server_side_apply_owns_what_it_names() {
    let cluster = running(2).await;
    let api = deployments(&cluster, ADMIN);
    let body = |replicas: u32| json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": replicas } });
    let mine = PatchParams::apply("sluice-rollout");
    let applied = api
        .patch("web", &mine, &Patch::Apply(body(3)))
        .await
        .unwrap();
    assert_eq!(applied.spec.as_ref().unwrap().replicas, Some(3));
    let fields = &applied.managed_fields()[0];
    assert_eq!(fields.manager.as_deref(), Some("sluice-rollout"));

    let theirs = PatchParams::apply("gitops");
    let refused = api
        .patch("web", &theirs, &Patch::Apply(body(5)))
        .await
        .unwrap_err();
    let kube::Error::Api(status) = refused else {
        panic!("{refused}")
    };
    assert_eq!((status.code, status.is_conflict()), (409, true));
    assert!(
        status.message.contains("sluice-rollout"),
        "{}",
        status.message
    );
    let forced = api
        .patch("web", &theirs.force(), &Patch::Apply(body(5)))
        .await
        .unwrap();
    assert_eq!(forced.spec.unwrap().replicas, Some(5));

    let mut old = body(4);
    old["metadata"] = json!({ "resourceVersion": applied.resource_version() });
    let refused = api.patch("web", &mine.force(), &Patch::Apply(old)).await;
    assert_eq!(
        code(refused.unwrap_err()),
        409,
        "an apply with a version compares it"
    );
}

#[tokio::test(start_paused = true)]
async fn apply_creates_what_is_not_there() {
    let cluster = running(1).await;
    let api: Api<k8s_openapi::api::core::v1::ConfigMap> =
        Api::namespaced(cluster.client(ADMIN), "shop");
    let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": "1", "b": "2" } });
    let params = PatchParams::apply("m");
    api.patch("new", &params, &Patch::Apply(body))
        .await
        .unwrap();
    let less = json!({ "data": { "a": "1" } });
    let now = api
        .patch("new", &params, &Patch::Apply(less))
        .await
        .unwrap();
    assert_eq!(now.data.unwrap().into_keys().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn merge_strategic_and_json_patches() {
    let cluster = running(1).await;
    let api = deployments(&cluster, ADMIN);
    let params = PatchParams::default();
    let containers = |image: &str| json!({ "spec": { "template": { "spec": { "containers": [{ "name": "web", "image": image }] } } } });
    let ports = || {
        let web = cluster
            .object(Resource::Deployments, "shop", "web")
            .unwrap();
        web["spec"]["template"]["spec"]["containers"][0]["ports"]
            .as_array()
            .map(Vec::len)
    };
    let image = "shop/web@sha256:v2";
    api.patch("web", &params, &Patch::Strategic(containers(image)))
        .await
        .unwrap();
    assert_eq!(
        ports(),
        Some(1),
        "a strategic patch keeps the container's other fields"
    );
    api.patch("web", &params, &Patch::Merge(containers(image)))
        .await
        .unwrap();
    assert_eq!(ports(), None, "a merge patch replaces the list");

    let web = api.get("web").await.unwrap();
    let mut stranger = json!({ "metadata": { "uid": "someone-else" } });
    let refused = api.patch("web", &params, &Patch::Merge(&stranger)).await;
    assert_eq!(
        code(refused.unwrap_err()),
        422,
        "as a real server answers a foreign uid"
    );
    stranger["metadata"]["uid"] = json!(web.uid());
    api.patch("web", &params, &Patch::Merge(&stranger))
        .await
        .unwrap();

    let client = cluster.client(ADMIN);
    let request = http::Request::patch("/apis/apps/v1/namespaces/shop/deployments/web")
        .header("content-type", "application/json-patch+json")
        .body(br#"[{"op":"test","path":"/spec/replicas","value":1},{"op":"replace","path":"/spec/replicas","value":2}]"#.to_vec())
        .unwrap();
    let patched: serde_json::Value = client.request(request.clone()).await.unwrap();
    assert_eq!(patched["spec"]["replicas"], 2);
    assert_eq!(
        code(
            client
                .request::<serde_json::Value>(request)
                .await
                .unwrap_err()
        ),
        422
    );
}
