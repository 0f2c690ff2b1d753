//! Logs of pods.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use serde_json::json;
use sluice_sim::{AGENT, Behaviour, Cluster, Denial, Readiness, Resource};

use crate::support::{code, deployment, running, until};

fn pods(cluster: &Cluster) -> Api<Pod> {
    Api::namespaced(cluster.client(AGENT), "shop")
}

fn first(cluster: &Cluster) -> String {
    let pods = cluster.objects(Resource::Pods, "shop");
    pods[0]["metadata"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_log_is_text_and_can_be_cut() {
    let cluster = running(1).await;
    let (api, name) = (pods(&cluster), first(&cluster));
    let whole = api.logs(&name, &LogParams::default()).await.unwrap();
    assert_eq!(whole, "v1 starts\n");
    let cut = |tail_lines, limit_bytes| LogParams {
        tail_lines,
        limit_bytes,
        ..LogParams::default()
    };
    assert_eq!(api.logs(&name, &cut(Some(0), None)).await.unwrap(), "");
    assert_eq!(api.logs(&name, &cut(None, Some(2))).await.unwrap(), "v1");
    for bad in [cut(Some(-1), None), cut(None, Some(0))] {
        assert_eq!(code(api.logs(&name, &bad).await.unwrap_err()), 422);
    }
    let other = LogParams {
        container: Some("other".to_owned()),
        ..LogParams::default()
    };
    assert_eq!(code(api.logs(&name, &other).await.unwrap_err()), 400);
    assert_eq!(code(api.logs("nobody", &other).await.unwrap_err()), 404);
    cluster.deny(Denial {
        resource: "pods/log".to_owned(),
        ..Denial::default()
    });
    let denied = api.logs(&name, &LogParams::default()).await;
    assert_eq!(code(denied.unwrap_err()), 403);
    assert!(api.get(&name).await.is_ok(), "another right");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_never_ran_has_no_log() {
    let cluster = Cluster::fast(1);
    let mut manifest = deployment(1, "shop/web@sha256:missing");
    cluster.apply(manifest.clone()).unwrap();
    until(|| !cluster.objects(Resource::Pods, "shop").is_empty()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let name = first(&cluster);
    let refused = pods(&cluster).logs(&name, &LogParams::default()).await;
    let kube::Error::Api(status) = refused.unwrap_err() else {
        panic!("not an answer")
    };
    let said = format!(
        "container \"web\" in pod \"{name}\" is waiting to start: trying and failing to pull image"
    );
    assert_eq!((status.code, status.message), (400, said));

    let crashing = Behaviour::serving("v9").readiness(Readiness::CrashLoop);
    cluster.images().set("shop/web", "sha256:v9", crashing);
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = json!("shop/web@sha256:v9");
    manifest["spec"]["strategy"] = json!({ "type": "Recreate" });
    cluster.apply(manifest).unwrap();
    let restarted = || {
        let pods = cluster.objects(Resource::Pods, "shop");
        let counts = "/status/containerStatuses/0/restartCount";
        pods.iter()
            .any(|pod| pod.pointer(counts) == Some(&json!(2)))
    };
    until(restarted).await;
    let name = first(&cluster);
    let api = pods(&cluster);
    let last = api.logs(&name, &LogParams::default()).await.unwrap();
    assert_eq!(last, "v9 starts\nexits with 1\n");
    let previous = LogParams {
        previous: true,
        ..LogParams::default()
    };
    assert_eq!(api.logs(&name, &previous).await.unwrap(), last);
}
