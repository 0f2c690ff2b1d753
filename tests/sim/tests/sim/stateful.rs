//! StatefulSets: order, partitions, the way back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use sluice_sim::{AGENT, Behaviour, Cluster, Happened, Readiness, Resource, Stored};

use crate::support::{any, deployment, images, service, until};

fn set(replicas: u32, policy: &str) -> Value {
    let mut set = deployment(replicas, "shop/web@sha256:v1");
    set["kind"] = json!("StatefulSet");
    set["metadata"]["name"] = json!("db");
    set["spec"]["serviceName"] = json!("web");
    set["spec"]["podManagementPolicy"] = json!(policy);
    set
}

async fn running_set(replicas: u32, policy: &str) -> Cluster {
    let cluster = Cluster::fast(1);
    images(&cluster);
    cluster.apply(service()).unwrap();
    cluster.apply(set(replicas, policy)).unwrap();
    let wanted = i64::from(replicas);
    until(|| status(&cluster)["availableReplicas"] == wanted).await;
    cluster
}

fn db(cluster: &Cluster) -> Stored {
    cluster
        .object(Resource::StatefulSets, "shop", "db")
        .unwrap()
}

fn status(cluster: &Cluster) -> Value {
    db(cluster)["status"].clone()
}

/// Every pod at the template that was written last, and well.
async fn rolled_out(cluster: &Cluster) {
    until(|| {
        let set = db(cluster);
        let status = &set["status"];
        status["observedGeneration"] == set["metadata"]["generation"]
            && status["currentRevision"] == status["updateRevision"]
            && status["updatedReplicas"] == set["spec"]["replicas"]
            && status["availableReplicas"] == set["spec"]["replicas"]
    })
    .await;
}

/// The version that each ordinal runs, of pods that are not being deleted.
fn versions(cluster: &Cluster) -> Vec<String> {
    let mut pods: BTreeMap<String, String> = BTreeMap::new();
    for pod in cluster.objects(Resource::Pods, "shop") {
        if pod["metadata"].get("deletionTimestamp").is_some() {
            continue;
        }
        let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
        let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
        pods.insert(name, image.rsplit(':').next().unwrap().to_owned());
    }
    pods.into_values().collect()
}

/// Template and partition in one write, as the agent does it.
async fn write(cluster: &Cluster, version: &str, partition: u32) {
    let change = Patch::Strategic(json!({ "spec": {
        "template": { "spec": { "containers": [
            { "name": "web", "image": format!("shop/web@sha256:{version}") },
        ] } },
        "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": partition } },
    } }));
    let api = any(cluster, AGENT, ("apps/v1", "StatefulSet"));
    api.patch("db", &PatchParams::default(), &change)
        .await
        .unwrap();
}

fn never_ready(cluster: &Cluster, version: &str) {
    let bad = Behaviour::serving(version).readiness(Readiness::Never);
    cluster
        .images()
        .set("shop/web", &format!("sha256:{version}"), bad);
}

/// Names of pods in the order of their creation and deletion marks.
fn journal(cluster: &Cluster) -> Arc<Mutex<Vec<String>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    cluster.on_event(move |moment| {
        if moment.resource() != Resource::Pods {
            return;
        }
        let dying = |pod: &Value| pod["metadata"].get("deletionTimestamp").is_some();
        let ready = |pod: &Value| {
            let status = &pod["status"]["containerStatuses"][0];
            status["ready"] == json!(true)
        };
        let (before, after) = (moment.before(), moment.after());
        let what = match moment.happened() {
            Happened::Added => "+",
            Happened::Modified if dying(after) && !before.is_some_and(dying) => "-",
            Happened::Modified if ready(after) && !before.is_some_and(ready) => "=",
            Happened::Modified | Happened::Deleted => return,
        };
        sink.lock()
            .unwrap()
            .push(format!("{what}{}", moment.name()));
    });
    seen
}

#[tokio::test(start_paused = true)]
async fn pods_come_in_order_and_have_their_own_names() {
    let cluster = Cluster::fast(1);
    images(&cluster);
    cluster.apply(service()).unwrap();
    let seen = journal(&cluster);
    cluster.apply(set(3, "OrderedReady")).unwrap();
    until(|| status(&cluster)["availableReplicas"] == 3).await;
    let order = ["+db-0", "=db-0", "+db-1", "=db-1", "+db-2", "=db-2"];
    assert_eq!(
        *seen.lock().unwrap(),
        order,
        "each after the one before is ready"
    );
    let pod = cluster.object(Resource::Pods, "shop", "db-1").unwrap();
    let labels = &pod["metadata"]["labels"];
    assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "db-1");
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "1");
    assert_eq!(pod["spec"]["hostname"], "db-1");
    assert_eq!(pod["spec"]["subdomain"], "web");
    let status = status(&cluster);
    assert_eq!(labels["controller-revision-hash"], status["updateRevision"]);
    for (field, expected) in [
        ("replicas", 3),
        ("readyReplicas", 3),
        ("currentReplicas", 3),
        ("updatedReplicas", 3),
        ("observedGeneration", 1),
    ] {
        assert_eq!(status[field], expected, "{field}");
    }
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    assert_eq!(cluster.ready_behind("shop", "web"), 3);

    seen.lock().unwrap().clear();
    cluster.modify(Resource::StatefulSets, "shop", "db", |set| {
        set["spec"]["replicas"] = json!(1)
    });
    until(|| cluster.objects(Resource::Pods, "shop").len() == 1).await;
    assert_eq!(
        *seen.lock().unwrap(),
        ["-db-2", "-db-1"],
        "the last goes first"
    );
}

#[tokio::test(start_paused = true)]
async fn parallel_pods_come_at_once() {
    let cluster = Cluster::fast(1);
    images(&cluster);
    let seen = journal(&cluster);
    cluster.apply(set(3, "Parallel")).unwrap();
    until(|| cluster.objects(Resource::Pods, "shop").len() == 3).await;
    assert_eq!(*seen.lock().unwrap(), ["+db-0", "+db-1", "+db-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_partition_splits_the_versions_and_is_moved_down() {
    let cluster = running_set(4, "OrderedReady").await;
    let start = cluster.clock().now();
    let seen = journal(&cluster);
    write(&cluster, "v2", 3).await;
    until(|| status(&cluster)["updatedReplicas"] == 1).await;
    until(|| status(&cluster)["readyReplicas"] == 4).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(versions(&cluster), ["v1", "v1", "v1", "v2"]);
    let split = status(&cluster);
    assert_eq!(split["currentReplicas"], 3);
    assert_ne!(split["currentRevision"], split["updateRevision"]);
    let behind = cluster
        .behind("shop", "web")
        .last()
        .unwrap()
        .versions
        .clone();
    assert_eq!(
        behind,
        BTreeMap::from([("sha256:v1".into(), 3), ("sha256:v2".into(), 1)])
    );

    // What is made anew below the partition keeps the old version.
    assert!(cluster.delete(Resource::Pods, "shop", "db-0"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(versions(&cluster), ["v1", "v1", "v1", "v2"]);

    seen.lock().unwrap().clear();
    write(&cluster, "v2", 0).await;
    rolled_out(&cluster).await;
    let order = [
        "-db-2", "+db-2", "=db-2", "-db-1", "+db-1", "=db-1", "-db-0", "+db-0", "=db-0",
    ];
    assert_eq!(
        *seen.lock().unwrap(),
        order,
        "from the highest down, one at a time"
    );
    assert_eq!(cluster.fewest_ready("shop", "web", start), 3);
}

#[tokio::test(start_paused = true)]
async fn the_template_back_rolls_the_changed_pods_back() {
    let cluster = running_set(3, "OrderedReady").await;
    let first = status(&cluster)["currentRevision"].clone();
    write(&cluster, "v2", 1).await;
    until(|| versions(&cluster) == ["v1", "v2", "v2"]).await;
    until(|| status(&cluster)["availableReplicas"] == 3).await;
    write(&cluster, "v1", 0).await;
    rolled_out(&cluster).await;
    assert_eq!(versions(&cluster), ["v1", "v1", "v1"]);
    let back = status(&cluster);
    assert_eq!(
        back["updateRevision"], first,
        "the old revision, not a third"
    );
    assert_eq!(back["currentRevision"], first);
    let revisions = cluster.objects(Resource::ControllerRevisions, "shop");
    let mut numbers: Vec<_> = revisions.iter().map(|r| r["revision"].as_i64()).collect();
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        [Some(2), Some(3)],
        "the old one is the newest again"
    );
}

#[tokio::test(start_paused = true)]
async fn in_order_a_pod_that_never_gets_ready_blocks_even_the_way_back() {
    let cluster = running_set(3, "OrderedReady").await;
    never_ready(&cluster, "v2");
    write(&cluster, "v2", 2).await;
    until(|| status(&cluster)["updatedReplicas"] == 1).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(versions(&cluster), ["v1", "v1", "v2"]);
    write(&cluster, "v1", 0).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(versions(&cluster), ["v1", "v1", "v2"], "nobody deletes it");
    assert!(cluster.delete(Resource::Pods, "shop", "db-2"));
    until(|| status(&cluster)["availableReplicas"] == 3).await;
    assert_eq!(versions(&cluster), ["v1", "v1", "v1"]);
}

#[tokio::test(start_paused = true)]
async fn in_parallel_the_way_back_needs_no_help() {
    let cluster = running_set(3, "Parallel").await;
    never_ready(&cluster, "v2");
    write(&cluster, "v2", 1).await;
    until(|| status(&cluster)["updatedReplicas"] == 1).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(
        versions(&cluster),
        ["v1", "v1", "v2"],
        "it waits for the first"
    );
    write(&cluster, "v1", 0).await;
    rolled_out(&cluster).await;
    assert_eq!(versions(&cluster), ["v1", "v1", "v1"]);
}

#[tokio::test(start_paused = true)]
async fn on_delete_waits_for_somebody_to_delete() {
    let cluster = running_set(2, "OrderedReady").await;
    cluster.modify(Resource::StatefulSets, "shop", "db", |set| {
        set["spec"]["updateStrategy"] = json!({ "type": "OnDelete" });
        set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("shop/web@sha256:v2");
    });
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(versions(&cluster), ["v1", "v1"]);
    assert!(cluster.delete(Resource::Pods, "shop", "db-0"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(versions(&cluster), ["v2", "v1"]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_available_once_it_was_ready_for_long_enough() {
    let cluster = running_set(2, "OrderedReady").await;
    cluster.modify(Resource::StatefulSets, "shop", "db", |set| {
        set["spec"]["minReadySeconds"] = json!(30);
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    let start = cluster.clock().now();
    write(&cluster, "v2", 0).await;
    rolled_out(&cluster).await;
    let took = cluster.clock().now().duration_since(start).as_secs();
    assert!(
        (60..70).contains(&took),
        "the second waits for the first: {took} s"
    );
}

#[tokio::test(start_paused = true)]
async fn only_some_fields_may_change_and_all_goes_with_the_set() {
    let cluster = running_set(2, "OrderedReady").await;
    let api = any(&cluster, AGENT, ("apps/v1", "StatefulSet"));
    for (change, expected) in [
        (json!({ "podManagementPolicy": "Parallel" }), 422),
        (json!({ "serviceName": "other" }), 422),
        (
            json!({ "updateStrategy": { "rollingUpdate": { "partition": -1 } } }),
            422,
        ),
        (json!({ "minReadySeconds": 1 }), 200),
    ] {
        let patch = Patch::Merge(json!({ "spec": change }));
        let written = api.patch("db", &PatchParams::default(), &patch).await;
        assert_eq!(
            written.map_or_else(crate::support::code, |_| 200),
            expected,
            "{change}"
        );
    }
    cluster.delete(Resource::StatefulSets, "shop", "db");
    until(|| cluster.objects(Resource::Pods, "shop").is_empty()).await;
    until(|| {
        cluster
            .objects(Resource::ControllerRevisions, "shop")
            .is_empty()
    })
    .await;
}
