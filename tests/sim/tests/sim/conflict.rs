//! Versions, identity, generation, the two doors of an object.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;
use sluice_sim::{ADMIN, AGENT, Cluster};

use crate::support::{code, create, custom, deployment, deployments, images, object};

#[tokio::test(start_paused = true)]
async fn an_old_version_conflicts_and_a_fresh_one_passes() {
    let cluster = Cluster::fast(1);
    let api = custom(&cluster, AGENT, "Pipeline");
    let first = create(&api, &object("Pipeline", "p", json!({ "a": 1 })))
        .await
        .unwrap();
    let mut second = first.clone();
    second.data["spec"]["a"] = json!(2);
    let second = api
        .replace("p", &PostParams::default(), &second)
        .await
        .unwrap();
    assert_eq!(second.metadata.generation, Some(2));
    assert_ne!(second.resource_version(), first.resource_version());

    let mut stale = first.clone();
    stale.data["spec"]["a"] = json!(3);
    let refused = api
        .replace("p", &PostParams::default(), &stale)
        .await
        .unwrap_err();
    let kube::Error::Api(status) = refused else {
        panic!("{refused}")
    };
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert!(status.is_conflict(), "kube's own test for a conflict");

    let patch =
        json!({ "metadata": { "resourceVersion": first.resource_version() }, "spec": { "a": 4 } });
    let refused = api
        .patch("p", &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    assert_eq!(code(refused.unwrap_err()), 409);
    assert_eq!(api.get("p").await.unwrap().data["spec"]["a"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_changes_nothing_is_not_a_new_version() {
    let cluster = Cluster::fast(1);
    let api = custom(&cluster, AGENT, "Pipeline");
    let first = create(&api, &object("Pipeline", "p", json!({ "a": 1 })))
        .await
        .unwrap();
    let again = api
        .replace("p", &PostParams::default(), &first)
        .await
        .unwrap();
    assert_eq!(again.resource_version(), first.resource_version());
    assert_eq!(
        cluster.writes().len(),
        2,
        "the log shows the request all the same"
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_of_the_same_name_is_not_the_same_object() {
    let cluster = Cluster::fast(1);
    let api = custom(&cluster, AGENT, "Pipeline");
    let first = create(&api, &object("Pipeline", "p", json!({ "a": 1 })))
        .await
        .unwrap();
    api.delete("p", &DeleteParams::default()).await.unwrap();
    let second = create(&api, &object("Pipeline", "p", json!({ "a": 1 })))
        .await
        .unwrap();
    assert_ne!(first.uid(), second.uid());

    let mut stranger = second.clone();
    stranger.metadata.uid = first.uid();
    assert_eq!(
        code(
            api.replace("p", &PostParams::default(), &stranger)
                .await
                .unwrap_err()
        ),
        409
    );
    let preconditions = |uid, version| DeleteParams {
        preconditions: Some(Preconditions {
            uid,
            resource_version: version,
        }),
        ..DeleteParams::default()
    };
    let refused = api.delete("p", &preconditions(first.uid(), None)).await;
    assert_eq!(code(refused.unwrap_err()), 409);
    let refused = api
        .delete("p", &preconditions(None, first.resource_version()))
        .await;
    assert_eq!(code(refused.unwrap_err()), 409);
    api.delete("p", &preconditions(second.uid(), second.resource_version()))
        .await
        .unwrap();
    assert_eq!(code(api.get("p").await.unwrap_err()), 404);
    assert_eq!(
        code(api.delete("p", &DeleteParams::default()).await.unwrap_err()),
        404
    );
}

#[tokio::test(start_paused = true)]
async fn spec_and_status_have_a_door_each() {
    let cluster = Cluster::fast(1);
    let api = custom(&cluster, AGENT, "Pipeline");
    let mut wanted = object("Pipeline", "p", json!({ "a": 1 }));
    wanted.data["status"] = json!({ "smuggled": true });
    let first = create(&api, &wanted).await.unwrap();
    assert!(
        first.data.get("status").is_none(),
        "a create drops the status"
    );

    let mut both = first.clone();
    both.data["spec"]["a"] = json!(9);
    both.data["status"] = json!({ "phase": "Ready" });
    let written = api
        .replace_status("p", &PostParams::default(), &both)
        .await
        .unwrap();
    assert_eq!(
        written.data["spec"]["a"], 1,
        "the status door leaves the spec"
    );
    assert_eq!(written.data["status"]["phase"], "Ready");
    assert_eq!(written.metadata.generation, Some(1));

    let patch = json!({ "spec": { "a": 2 }, "status": { "phase": "Lost" } });
    let patched = api
        .patch("p", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    assert_eq!(
        patched.data["status"]["phase"], "Ready",
        "the main door leaves the status"
    );
    assert_eq!(
        (&patched.data["spec"]["a"], patched.metadata.generation),
        (&json!(2), Some(2))
    );
    let stale = api.replace_status("p", &PostParams::default(), &both).await;
    assert_eq!(
        code(stale.unwrap_err()),
        409,
        "the status door compares versions too"
    );
}

#[tokio::test(start_paused = true)]
async fn creating_twice_and_dry_runs() {
    let cluster = Cluster::fast(1);
    let api = custom(&cluster, AGENT, "Pipeline");
    let wanted = object("Pipeline", "p", json!({ "a": 1 }));
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    api.create(&dry, &wanted).await.unwrap();
    assert_eq!(
        code(api.get("p").await.unwrap_err()),
        404,
        "a dry run stores nothing"
    );
    create(&api, &wanted).await.unwrap();
    let refused = api
        .create(&PostParams::default(), &wanted)
        .await
        .unwrap_err();
    let kube::Error::Api(status) = refused else {
        panic!("{refused}")
    };
    assert!(status.is_already_exists() && status.code == 409);
    assert_eq!(cluster.writes().len(), 2, "a dry run is no write");
}

#[tokio::test(start_paused = true)]
async fn built_in_objects_read_back_with_the_servers_defaults() {
    let cluster = Cluster::fast(1);
    images(&cluster);
    let api = deployments(&cluster, ADMIN);
    let wanted = serde_json::from_value(deployment(2, "shop/web:v1")).unwrap();
    let made = api.create(&PostParams::default(), &wanted).await.unwrap();
    let spec = made.spec.unwrap();
    let strategy = spec.strategy.unwrap();
    assert_eq!(strategy.type_.as_deref(), Some("RollingUpdate"));
    assert_eq!(spec.progress_deadline_seconds, Some(600));
    let pod = spec.template.spec.unwrap();
    assert_eq!(
        pod.containers[0].image_pull_policy.as_deref(),
        Some("IfNotPresent")
    );
    assert_eq!(pod.restart_policy.as_deref(), Some("Always"));
    // Writing back what was read changes nothing.
    let read = api.get("web").await.unwrap();
    let written = api
        .replace("web", &PostParams::default(), &read)
        .await
        .unwrap();
    assert_eq!(written.resource_version(), read.resource_version());

    let foreign = json!({ "spec": { "selector": { "matchLabels": { "app": "other" } } } });
    let refused = api
        .patch("web", &PatchParams::default(), &Patch::Merge(&foreign))
        .await;
    assert_eq!(
        code(refused.unwrap_err()),
        422,
        "the selector does not match the template"
    );
}

#[tokio::test(start_paused = true)]
async fn lists_filter_and_page() {
    let cluster = Cluster::fast(1);
    let api: Api<ConfigMap> = Api::namespaced(cluster.client(ADMIN), "shop");
    for index in 0..5 {
        let map = json!({
            "metadata": { "name": format!("m{index}"), "labels": { "odd": (index % 2).to_string() } },
        });
        api.create(
            &PostParams::default(),
            &serde_json::from_value(map).unwrap(),
        )
        .await
        .unwrap();
    }
    let odd = api
        .list(&ListParams::default().labels("odd in (1)"))
        .await
        .unwrap();
    assert_eq!(
        odd.items
            .iter()
            .map(ResourceExt::name_any)
            .collect::<Vec<_>>(),
        ["m1", "m3"]
    );
    let one = api
        .list(&ListParams::default().fields("metadata.name=m4"))
        .await
        .unwrap();
    assert_eq!(one.items.len(), 1);

    let page = api.list(&ListParams::default().limit(2)).await.unwrap();
    let token = page.metadata.continue_.unwrap();
    // What happens between two pages does not show in the second.
    api.delete("m2", &DeleteParams::default()).await.unwrap();
    let rest = api
        .list(&ListParams::default().limit(2).continue_token(&token))
        .await
        .unwrap();
    assert_eq!(
        rest.items
            .iter()
            .map(ResourceExt::name_any)
            .collect::<Vec<_>>(),
        ["m2", "m3"]
    );
    let token = rest.metadata.continue_.unwrap();
    cluster.compact();
    let gone = api
        .list(&ListParams::default().continue_token(&token))
        .await;
    assert_eq!(code(gone.unwrap_err()), 410);
}
