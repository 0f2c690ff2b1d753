//! Garbage collection, finalizers, namespaces.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::{Api, ResourceExt};
use serde_json::json;
use sluice_sim::{ADMIN, Cluster, Resource};

use crate::support::{code, deployments, running, until};

fn maps(cluster: &Cluster, namespace: &str) -> Api<ConfigMap> {
    Api::namespaced(cluster.client(ADMIN), namespace)
}

async fn map(cluster: &Cluster, namespace: &str, name: &str, owners: &[&ConfigMap]) -> ConfigMap {
    let owners: Vec<_> = owners
        .iter()
        .map(|owner| {
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": owner.name_any(), "uid": owner.uid() })
        })
        .collect();
    let body = json!({ "metadata": { "name": name, "ownerReferences": owners } });
    let body = serde_json::from_value(body).unwrap();
    maps(cluster, namespace)
        .create(&PostParams::default(), &body)
        .await
        .unwrap()
}

fn names(cluster: &Cluster, namespace: &str) -> Vec<String> {
    cluster
        .objects(Resource::ConfigMaps, namespace)
        .iter()
        .map(|map| map["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_deployment_takes_its_sets_and_pods_along() {
    for (policy, sets, pods) in [
        (PropagationPolicy::Background, 0, 0),
        (PropagationPolicy::Foreground, 0, 0),
        (PropagationPolicy::Orphan, 1, 3),
    ] {
        let cluster = running(3).await;
        let params = DeleteParams {
            propagation_policy: Some(policy.clone()),
            ..DeleteParams::default()
        };
        deployments(&cluster, ADMIN)
            .delete("web", &params)
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(
            cluster
                .object(Resource::Deployments, "shop", "web")
                .is_none(),
            "{policy:?}"
        );
        assert_eq!(
            cluster.objects(Resource::ReplicaSets, "shop").len(),
            sets,
            "{policy:?}"
        );
        assert_eq!(
            cluster.objects(Resource::Pods, "shop").len(),
            pods,
            "{policy:?}"
        );
        assert_eq!(cluster.ready_behind("shop", "web"), pods);
    }
}

#[tokio::test(start_paused = true)]
async fn an_orphaned_set_finds_its_deployment_again() {
    let cluster = running(2).await;
    let web = cluster
        .object(Resource::Deployments, "shop", "web")
        .unwrap();
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    deployments(&cluster, ADMIN)
        .delete("web", &orphan)
        .await
        .unwrap();
    let mut again = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": web["spec"] });
    again["metadata"] = json!({ "name": "web", "namespace": "shop" });
    cluster.apply(again).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(cluster.objects(Resource::ReplicaSets, "shop").len(), 1);
    assert_eq!(cluster.objects(Resource::Pods, "shop").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn objects_go_with_their_last_owner_of_the_same_namespace() {
    let cluster = Cluster::fast(1);
    let one = map(&cluster, "shop", "one", &[]).await;
    let two = map(&cluster, "shop", "two", &[]).await;
    map(&cluster, "shop", "child", &[&one, &two]).await;
    map(&cluster, "staging", "stranger", &[&one]).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(
        names(&cluster, "staging"),
        [""; 0],
        "an owner in another namespace is no owner"
    );
    assert_eq!(names(&cluster, "shop"), ["child", "one", "two"]);
    cluster.delete(Resource::ConfigMaps, "shop", "one");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let child = cluster
        .object(Resource::ConfigMaps, "shop", "child")
        .unwrap();
    assert_eq!(
        child["metadata"]["ownerReferences"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    cluster.delete(Resource::ConfigMaps, "shop", "two");
    until(|| names(&cluster, "shop").is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_an_object() {
    let cluster = Cluster::fast(1);
    let api = maps(&cluster, "shop");
    map(&cluster, "shop", "a", &[]).await;
    let finalizers = |names: &[&str]| Patch::Merge(json!({ "metadata": { "finalizers": names } }));
    let params = PatchParams::default();
    api.patch("a", &params, &finalizers(&["sluice.dev/x"]))
        .await
        .unwrap();
    let answer = api.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(
        answer.left().unwrap().metadata.deletion_timestamp.is_some(),
        "still there"
    );
    api.patch("a", &params, &finalizers(&[])).await.unwrap();
    assert_eq!(code(api.get("a").await.unwrap_err()), 404);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_takes_everything_along_and_stays_gone() {
    let cluster = running(2).await;
    assert!(cluster.delete(Resource::Namespaces, "", "shop"));
    let api = maps(&cluster, "shop");
    let body = serde_json::from_value(json!({ "metadata": { "name": "late" } })).unwrap();
    let refused = api.create(&PostParams::default(), &body).await.unwrap_err();
    assert_eq!(code(refused), 403, "terminating");
    until(|| cluster.object(Resource::Namespaces, "", "shop").is_none()).await;
    assert!(cluster.objects(Resource::Pods, "").is_empty());
    assert!(cluster.objects(Resource::ReplicaSets, "").is_empty());
    let refused = api.create(&PostParams::default(), &body).await.unwrap_err();
    assert_eq!(code(refused), 404, "gone until someone creates it");
    cluster
        .apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } }))
        .unwrap();
    api.create(&PostParams::default(), &body).await.unwrap();
}
