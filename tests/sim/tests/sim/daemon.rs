//! DaemonSets: one pod a node.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_sim::{Behaviour, Cluster, Readiness, Resource};

use crate::support::{deployment, images, service, until};

fn daemons() -> Value {
    let mut set = deployment(1, "shop/web@sha256:v1");
    set["kind"] = json!("DaemonSet");
    set["spec"].as_object_mut().unwrap().remove("replicas");
    set
}

async fn running_daemons(nodes: usize) -> Cluster {
    let cluster = Cluster::builder().seed(1).nodes(nodes).fast();
    images(&cluster);
    cluster.apply(service()).unwrap();
    cluster.apply(daemons()).unwrap();
    until(|| status(&cluster)["numberAvailable"] == nodes).await;
    cluster
}

fn status(cluster: &Cluster) -> Value {
    let set = cluster.object(Resource::DaemonSets, "shop", "web").unwrap();
    set["status"].clone()
}

/// Updated, available, and of the generation that was written last.
async fn rolled_out(cluster: &Cluster, nodes: i64) {
    until(|| {
        let set = cluster.object(Resource::DaemonSets, "shop", "web").unwrap();
        let status = &set["status"];
        status["observedGeneration"] == set["metadata"]["generation"]
            && status["updatedNumberScheduled"] == nodes
            && status["numberAvailable"] == nodes
    })
    .await;
}

fn set_image(cluster: &Cluster, version: &str) {
    cluster.modify(Resource::DaemonSets, "shop", "web", |set| {
        let image = format!("shop/web@sha256:{version}");
        set["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    });
}

#[tokio::test(start_paused = true)]
async fn each_node_has_one_pod() {
    let cluster = running_daemons(3).await;
    let pods = cluster.objects(Resource::Pods, "shop");
    let nodes: BTreeSet<_> = pods
        .iter()
        .map(|pod| pod["spec"]["nodeName"].as_str())
        .collect();
    assert_eq!((pods.len(), nodes.len()), (3, 3));
    let status = status(&cluster);
    for (field, expected) in [
        ("desiredNumberScheduled", 3),
        ("currentNumberScheduled", 3),
        ("updatedNumberScheduled", 3),
        ("numberReady", 3),
        ("numberAvailable", 3),
        ("numberMisscheduled", 0),
        ("observedGeneration", 1),
    ] {
        assert_eq!(status[field], expected, "{field}");
    }
    assert!(
        status.get("numberUnavailable").is_none(),
        "zero is left out"
    );
    let name = pods[0]["metadata"]["name"].as_str().unwrap();
    assert!(cluster.delete(Resource::Pods, "shop", name));
    until(|| cluster.ready_behind("shop", "web") == 3).await;
}

#[tokio::test(start_paused = true)]
async fn an_update_goes_from_node_to_node() {
    let cluster = running_daemons(5).await;
    let start = cluster.clock().now();
    set_image(&cluster, "v2");
    rolled_out(&cluster, 5).await;
    assert_eq!(
        cluster.fewest_ready("shop", "web", start),
        4,
        "one at a time"
    );
    let last = cluster
        .behind("shop", "web")
        .last()
        .unwrap()
        .versions
        .clone();
    assert_eq!(
        last.into_iter().collect::<Vec<_>>(),
        [("sha256:v2".to_owned(), 5)]
    );
    assert_eq!(status(&cluster)["observedGeneration"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_bad_update_stops_at_the_first_node_and_goes_back() {
    let cluster = running_daemons(3).await;
    let start = cluster.clock().now();
    let bad = Behaviour::serving("v2").readiness(Readiness::Never);
    cluster.images().set("shop/web", "sha256:v2", bad);
    set_image(&cluster, "v2");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(status(&cluster)["updatedNumberScheduled"], 1);
    assert_eq!(status(&cluster)["numberUnavailable"], 1);
    set_image(&cluster, "v1");
    rolled_out(&cluster, 3).await;
    assert_eq!(cluster.fewest_ready("shop", "web", start), 2);
    let revisions = cluster.objects(Resource::ControllerRevisions, "shop");
    assert_eq!(revisions.len(), 2, "the old template is found again");
}

#[tokio::test(start_paused = true)]
async fn more_nodes_may_be_without_at_once() {
    let cluster = running_daemons(4).await;
    let start = cluster.clock().now();
    cluster.modify(Resource::DaemonSets, "shop", "web", |set| {
        let half = json!({ "maxUnavailable": "50%" });
        set["spec"]["updateStrategy"]["rollingUpdate"] = half;
    });
    set_image(&cluster, "v2");
    rolled_out(&cluster, 4).await;
    assert_eq!(cluster.fewest_ready("shop", "web", start), 2);
    cluster.delete(Resource::DaemonSets, "shop", "web");
    until(|| cluster.objects(Resource::Pods, "shop").is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn pods_that_run_can_be_made_to_fail() {
    let cluster = running_daemons(3).await;
    assert_eq!(cluster.fail_probes("shop", "sha256:v2"), 0);
    assert_eq!(cluster.fail_probes("shop", "sha256:v1"), 3);
    assert_eq!(cluster.ready_behind("shop", "web"), 0);
    until(|| status(&cluster)["numberReady"] == 0).await;
}
