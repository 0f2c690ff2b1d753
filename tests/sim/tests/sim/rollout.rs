//! Deployments: what a rolling update keeps, how it ends, what can go wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use sluice_sim::{ADMIN, Behaviour, Cluster, Readiness, Resource};

use crate::support::{deployment, deployments, images, running, service, settled, until};

async fn patch(cluster: &Cluster, change: Value) {
    let api = deployments(cluster, ADMIN);
    api.patch("web", &PatchParams::default(), &Patch::Merge(&change))
        .await
        .unwrap();
}

fn image(image: &str) -> Value {
    json!({ "spec": { "template": { "spec": { "containers": [{
        "name": "web",
        "image": image,
        "ports": [{ "name": "http", "containerPort": 8080 }],
    }]}}}})
}

/// The most replicas that the ReplicaSets summed up to, and the fewest ready pods seen.
fn watch_pods(cluster: &Cluster) -> Arc<Mutex<(u64, usize)>> {
    let seen = Arc::new(Mutex::new((0, usize::MAX)));
    let record = Arc::clone(&seen);
    cluster.on_event(move |moment| {
        let sets = moment.objects(Resource::ReplicaSets, "shop");
        let total: u64 = sets
            .iter()
            .filter_map(|set| set["spec"]["replicas"].as_u64())
            .sum();
        let mut seen = record.lock().unwrap();
        seen.0 = seen.0.max(total);
        seen.1 = seen.1.min(moment.ready_behind("shop", "web"));
    });
    seen
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_keeps_its_bounds() {
    for (replicas, surge, unavailable, most, fewest) in [
        (4, json!("25%"), json!("25%"), 5, 3),
        (3, json!(1), json!(0), 4, 3),
        (3, json!(0), json!(1), 3, 2),
        (10, json!("50%"), json!("30%"), 15, 7),
        (1, json!("25%"), json!("25%"), 2, 1),
        (2, json!(0), json!(0), 2, 1),
    ] {
        let cluster = running(replicas).await;
        let bounds = json!({ "spec": { "strategy": {
            "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable },
        }}});
        patch(&cluster, bounds).await;
        settled(&cluster).await;
        let seen = watch_pods(&cluster);
        patch(&cluster, image("shop/web@sha256:v2")).await;
        settled(&cluster).await;
        assert_eq!(
            *seen.lock().unwrap(),
            (most, fewest),
            "{replicas} {surge} {unavailable}"
        );
        for pod in cluster.objects(Resource::Pods, "shop") {
            let status = &pod["status"]["containerStatuses"][0];
            assert_eq!(status["imageID"], "shop/web@sha256:v2");
            assert_eq!(status["ready"], true);
        }
        assert_eq!(cluster.ready_behind("shop", "web"), replicas as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_never_gets_ready_stalls_within_the_bounds() {
    for (digest, behaviour) in [
        (
            "sha256:never",
            Some(Behaviour::serving("x").readiness(Readiness::Never)),
        ),
        (
            "sha256:crash",
            Some(Behaviour::serving("x").readiness(Readiness::CrashLoop)),
        ),
        ("sha256:missing", None),
    ] {
        let cluster = running(4).await;
        if let Some(behaviour) = behaviour {
            cluster.images().set("shop/web", digest, behaviour);
        }
        let seen = watch_pods(&cluster);
        patch(
            &cluster,
            json!({ "spec": { "progressDeadlineSeconds": 60 } }),
        )
        .await;
        patch(&cluster, image(&format!("shop/web@{digest}"))).await;
        until(|| {
            let web = cluster
                .object(Resource::Deployments, "shop", "web")
                .unwrap();
            web["status"]["conditions"]
                .as_array()
                .unwrap()
                .iter()
                .any(|condition| {
                    condition["reason"] == "ProgressDeadlineExceeded"
                        && condition["status"] == "False"
                })
        })
        .await;
        assert_eq!(seen.lock().unwrap().1, 3, "{digest}: three of four stay");
        let web = cluster
            .object(Resource::Deployments, "shop", "web")
            .unwrap();
        assert_eq!(web["status"]["availableReplicas"], 3, "{digest}");

        patch(&cluster, image("shop/web@sha256:v1")).await;
        settled(&cluster).await;
        assert_eq!(
            seen.lock().unwrap().1,
            3,
            "{digest}: going back costs nothing"
        );
        let web = cluster
            .object(Resource::Deployments, "shop", "web")
            .unwrap();
        assert_eq!(
            web["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
            "3"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_reasons_say_what_is_wrong() {
    let cluster = running(1).await;
    patch(&cluster, image("shop/web@sha256:missing")).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let reason = |cluster: &Cluster| {
        cluster
            .objects(Resource::Pods, "shop")
            .iter()
            .filter_map(|pod| {
                let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
                waiting["reason"].as_str().map(str::to_owned)
            })
            .next()
    };
    assert_eq!(reason(&cluster).as_deref(), Some("ImagePullBackOff"));
    // Pushed in the meantime: the kubelet tries again and the rollout ends.
    cluster
        .images()
        .set("shop/web", "sha256:missing", Behaviour::serving("late"));
    settled(&cluster).await;
    assert_eq!(reason(&cluster), None);

    let crash = Behaviour::serving("c").readiness(Readiness::CrashLoop);
    cluster.images().set("shop/web", "sha256:crash", crash);
    patch(&cluster, image("shop/web@sha256:crash")).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(reason(&cluster).as_deref(), Some("CrashLoopBackOff"));
    let restarts = cluster
        .objects(Resource::Pods, "shop")
        .iter()
        .filter_map(|pod| pod["status"]["containerStatuses"][0]["restartCount"].as_i64())
        .max();
    assert!(restarts >= Some(3), "{restarts:?}");
}

#[tokio::test(start_paused = true)]
async fn recreate_ends_the_old_before_it_starts_the_new() {
    let cluster = running(3).await;
    let recreate = json!({ "spec": { "strategy": { "type": "Recreate", "rollingUpdate": null } } });
    patch(&cluster, recreate).await;
    let mixed = Arc::new(Mutex::new(false));
    let record = Arc::clone(&mixed);
    cluster.on_event(move |moment| {
        let pods = moment.objects(Resource::Pods, "shop");
        let images: std::collections::BTreeSet<&str> = pods
            .iter()
            .filter_map(|pod| pod["spec"]["containers"][0]["image"].as_str())
            .collect();
        *record.lock().unwrap() |= images.len() > 1;
    });
    patch(&cluster, image("shop/web@sha256:v2")).await;
    settled(&cluster).await;
    assert!(!*mixed.lock().unwrap(), "two versions at once");
    assert_eq!(
        cluster.fewest_ready(
            "shop",
            "web",
            cluster.clock().at(tokio::time::Instant::now())
        ),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn min_ready_seconds_delay_availability_not_readiness() {
    let cluster = Cluster::fast(1);
    images(&cluster);
    cluster.apply(service()).unwrap();
    let mut wanted = deployment(2, "shop/web@sha256:v1");
    wanted["spec"]["minReadySeconds"] = json!(30);
    cluster.apply(wanted).unwrap();
    until(|| cluster.ready_behind("shop", "web") == 2).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let status = |name: &str| {
        cluster
            .object(Resource::Deployments, "shop", "web")
            .unwrap()["status"][name]
            .as_i64()
    };
    assert_eq!(
        (status("readyReplicas"), status("availableReplicas")),
        (Some(2), None)
    );
    settled(&cluster).await;
    assert_eq!(status("availableReplicas"), Some(2));
}

#[tokio::test(start_paused = true)]
async fn endpoints_follow_readiness_and_leave_with_the_deletion() {
    let cluster = running(2).await;
    let address = |cluster: &Cluster, index: usize| {
        cluster.objects(Resource::Pods, "shop")[index]["status"]["podIP"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let victim = cluster.objects(Resource::Pods, "shop")[0]["metadata"]["name"].clone();
    let ip = address(&cluster, 0);
    assert!(cluster.delete(Resource::Pods, "shop", victim.as_str().unwrap()));
    assert_eq!(
        cluster.ready_behind("shop", "web"),
        1,
        "out of the Service at once"
    );
    assert_eq!(
        cluster.ask_pod(&ip, "/health").await.unwrap().status,
        200,
        "still answers"
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(
        cluster.ask_pod(&ip, "/health").await.is_none(),
        "gone after its grace"
    );
    settled(&cluster).await;
    assert_eq!(cluster.ready_behind("shop", "web"), 2, "replaced");
    assert_eq!(
        cluster
            .timeline("shop", "web")
            .iter()
            .map(|sample| sample.ready)
            .min(),
        Some(0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_canary_shares_the_service_and_not_the_owner() {
    let cluster = running(9).await;
    let mut canary = deployment(1, "shop/web@sha256:v2");
    canary["metadata"]["name"] = json!("web-canary");
    // The stable selector `app=web` matches these pods as well.
    canary["spec"]["selector"]["matchLabels"]["track"] = json!("canary");
    canary["spec"]["template"]["metadata"]["labels"]["track"] = json!("canary");
    cluster.apply(canary).unwrap();
    until(|| cluster.ready_behind("shop", "web") == 10).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let available = |name: &str| {
        cluster.object(Resource::Deployments, "shop", name).unwrap()["status"]["availableReplicas"]
            .clone()
    };
    assert_eq!(
        (available("web"), available("web-canary")),
        (json!(9), json!(1))
    );
    let mut versions = std::collections::BTreeMap::new();
    for _ in 0..1000 {
        let answer = cluster.ask_service("shop", "web", "/").await.unwrap();
        *versions
            .entry(answer.body["version"].as_str().unwrap().to_owned())
            .or_insert(0) += 1;
    }
    assert!((60..=140).contains(&versions["v2"]), "{versions:?}");
}
