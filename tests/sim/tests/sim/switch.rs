//! A Service's selector decides at once over who stands behind it, and the timelines show it.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::api::PatchParams;
use serde_json::{Value, json};
use sluice_sim::{AGENT, Cluster, Resource};

use crate::support::{any, deployment, json_patch, running, until};

fn colour(name: &str, colour: &str, image: &str) -> Value {
    let mut made = deployment(2, image);
    made["metadata"]["name"] = json!(name);
    made["spec"]["selector"]["matchLabels"]["colour"] = json!(colour);
    made["spec"]["template"]["metadata"]["labels"]["colour"] = json!(colour);
    made
}

/// `blue` at v1 and `green` at v2, two pods each, and the Service that leads to blue.
async fn two_colours() -> Cluster {
    let cluster = running(0).await;
    cluster
        .apply(colour("blue", "blue", "shop/web@sha256:v1"))
        .unwrap();
    cluster
        .apply(colour("green", "green", "shop/web@sha256:v2"))
        .unwrap();
    until(|| cluster.ready_behind("shop", "web") == 4).await;
    select(&cluster, "blue").await;
    cluster
}

async fn select(cluster: &Cluster, colour: &str) {
    let patch = json_patch(json!([
        { "op": "add", "path": "/spec/selector/colour", "value": colour },
    ]));
    any(cluster, AGENT, ("v1", "Service"))
        .patch("web", &PatchParams::default(), &patch)
        .await
        .unwrap();
}

fn versions(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs
        .iter()
        .map(|(digest, pods)| ((*digest).to_owned(), *pods))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_switch_moves_all_traffic_in_one_instant() {
    let cluster = two_colours().await;
    let start = cluster.clock().now();
    assert_eq!(cluster.ready_behind("shop", "web"), 2);
    tokio::time::sleep(Duration::from_secs(60)).await;
    select(&cluster, "green").await;
    let standing: Vec<_> = cluster
        .behind("shop", "web")
        .into_iter()
        .filter(|standing| standing.at >= start)
        .map(|standing| standing.versions)
        .collect();
    assert_eq!(
        standing,
        [versions(&[("sha256:v1", 2)]), versions(&[("sha256:v2", 2)])],
        "never both, never none"
    );
    assert_eq!(cluster.fewest_ready("shop", "web", start), 2);
    assert_eq!(cluster.gaps("shop", "web", start), 0);
    let answer = cluster.ask_service("shop", "web", "/").await.unwrap();
    assert_eq!(answer.body["version"], "v2");
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_matches_nobody_is_a_gap_that_oracles_see() {
    let cluster = two_colours().await;
    let start = cluster.clock().now();
    select(&cluster, "violet").await;
    assert_eq!(cluster.ready_behind("shop", "web"), 0);
    assert!(cluster.ask_service("shop", "web", "/").await.is_none());
    tokio::time::sleep(Duration::from_secs(7)).await;
    let middle = cluster.clock().now();
    select(&cluster, "blue").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    select(&cluster, "violet").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(cluster.fewest_ready("shop", "web", start), 0);
    assert_eq!(cluster.gaps("shop", "web", start), 2);
    assert_eq!(cluster.gaps("shop", "web", middle), 1, "it ended then");
    let without = cluster.time_without_pods("shop", "web", start);
    assert_eq!(without.as_secs(), 9, "{without:?}");
}

#[tokio::test(start_paused = true)]
async fn pods_that_stop_being_ready_leave_the_service_and_come_back() {
    let cluster = two_colours().await;
    let start = cluster.clock().now();
    let web = sluice_sim::Behaviour::serving("v1").crashes_after(Duration::from_secs(30));
    cluster.images().set("shop/web", "sha256:v1", web);
    let pod = cluster.objects(Resource::Pods, "shop")[0]["metadata"]["name"].clone();
    assert!(cluster.delete(Resource::Pods, "shop", pod.as_str().unwrap()));
    until(|| cluster.ready_behind("shop", "web") == 2).await;
    until(|| cluster.ready_behind("shop", "web") == 1).await;
    let crashed = cluster
        .objects(Resource::Pods, "shop")
        .into_iter()
        .find(|pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1)
        .expect("a pod that crashed");
    let status = &crashed["status"]["containerStatuses"][0];
    assert_eq!(status["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
    until(|| cluster.ready_behind("shop", "web") == 2).await;
    assert_eq!(cluster.fewest_ready("shop", "web", start), 1);
}

#[tokio::test(start_paused = true)]
async fn a_version_can_fail_its_probe_after_a_while() {
    let cluster = two_colours().await;
    let bad = sluice_sim::Behaviour::serving("v3")
        .startup(Duration::from_secs(20))
        .unready_after(Duration::from_secs(40));
    cluster.images().set("shop/web", "sha256:v3", bad);
    cluster
        .apply(colour("red", "red", "shop/web@sha256:v3"))
        .unwrap();
    select(&cluster, "red").await;
    let start = cluster.clock().now();
    until(|| cluster.ready_behind("shop", "web") == 2).await;
    let ready = cluster.clock().now().duration_since(start).as_secs();
    assert!((20..25).contains(&ready), "slow to become ready: {ready} s");
    until(|| cluster.ready_behind("shop", "web") == 0).await;
    let lost = cluster.clock().now().duration_since(start).as_secs();
    assert!((60..65).contains(&lost), "{lost} s");
}
