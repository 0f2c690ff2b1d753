//! The real driver: pods as servers, Services as proxies, the API over HTTP.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use sluice_sim::{ADMIN, Behaviour, Cluster, Resource, Rule, Run};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(30);

fn deployment(replicas: u32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "shop" },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": "web" } },
            "strategy": { "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{
                    "name": "web", "image": image, "ports": [{ "containerPort": 8080 }],
                }]},
            },
        },
    })
}

async fn running() -> Cluster {
    let cluster = Cluster::real().unwrap();
    for version in ["v1", "v2"] {
        let behaviour = Behaviour::serving(version)
            .startup(Duration::from_millis(100))
            .rule(
                Rule::at("/slow")
                    .slow(Duration::from_millis(700))
                    .answers(200, json!("done")),
            );
        cluster
            .images()
            .set("shop/web", &format!("sha256:{version}"), behaviour);
    }
    cluster
        .apply(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": "web", "namespace": "shop" },
            "spec": { "selector": { "app": "web" }, "ports": [{ "port": 8000, "targetPort": 8080 }] },
        }))
        .unwrap();
    cluster.apply(deployment(3, "shop/web@sha256:v1")).unwrap();
    until(|| cluster.ready_behind("shop", "web") == 3).await;
    assert_eq!(cluster.problems(), [""; 0]);
    cluster
}

async fn until(mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.expect("in time");
}

fn front(cluster: &Cluster) -> SocketAddr {
    let service = cluster.object(Resource::Services, "shop", "web").unwrap();
    format!("{}:8000", service["spec"]["clusterIP"].as_str().unwrap())
        .parse()
        .unwrap()
}

/// One GET on a fresh connection: status and `x-version`.
async fn get(address: SocketAddr, path: &str) -> Result<(u16, String), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let asking = async {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| text(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| text(&error))?;
        let request = http::Request::get(path)
            .header("host", "web")
            .header("connection", "close")
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let answering = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| text(&error))?;
            let version = response.headers()["x-version"].to_str().unwrap().to_owned();
            let status = response.status().as_u16();
            response
                .into_body()
                .collect()
                .await
                .map_err(|error| text(&error))?;
            Ok((status, version))
        };
        let (answer, _) = tokio::join!(answering, connection);
        answer
    };
    tokio::time::timeout(Duration::from_secs(10), asking)
        .await
        .map_err(|error| text(&error))?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_fails_while_versions_change() {
    let cluster = running().await;
    let address = front(&cluster);
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..4 {
        let stop = Arc::clone(&stop);
        clients.spawn(async move {
            let mut answers: BTreeMap<String, usize> = BTreeMap::new();
            let mut failures = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                // One of the clients always has a request under way when a pod is stopped.
                let path = if client == 0 { "/slow" } else { "/" };
                match get(address, path).await {
                    Ok((200, version)) => *answers.entry(version).or_default() += 1,
                    other => failures.push(format!("{other:?}")),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            (answers, failures)
        });
    }
    let api: Api<Deployment> = Api::namespaced(cluster.client(ADMIN), "shop");
    for version in ["v2", "v1", "v2"] {
        let image = format!("shop/web@sha256:{version}");
        let change = json!({ "spec": { "template": { "spec": { "containers": [{
            "name": "web", "image": image,
        }]}}}});
        api.patch("web", &PatchParams::default(), &Patch::Strategic(change))
            .await
            .unwrap();
        until(|| {
            let pods = cluster.objects(Resource::Pods, "shop");
            pods.len() == 3
                && pods.iter().all(|pod| {
                    pod["status"]["containerStatuses"][0]["imageID"] == image.as_str()
                        && pod["metadata"]["deletionTimestamp"].is_null()
                })
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut total: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(client) = clients.join_next().await {
        let (answers, failures) = client.unwrap();
        assert!(failures.is_empty(), "{failures:?}");
        for (version, count) in answers {
            *total.entry(version).or_default() += count;
        }
    }
    assert!(
        total.values().sum::<usize>() > 300 && total.len() == 2,
        "{total:?}"
    );
    println!("answers by version: {total:?}");
    assert_eq!(cluster.problems(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_shared_out_evenly_and_pods_have_addresses() {
    let cluster = running().await;
    let mut canary = deployment(1, "shop/web@sha256:v2");
    canary["metadata"]["name"] = json!("web-canary");
    canary["spec"]["selector"]["matchLabels"]["track"] = json!("canary");
    canary["spec"]["template"]["metadata"]["labels"]["track"] = json!("canary");
    cluster.apply(canary).unwrap();
    until(|| cluster.ready_behind("shop", "web") == 4).await;
    let address = front(&cluster);
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..400 {
        *versions
            .entry(get(address, "/").await.unwrap().1)
            .or_default() += 1;
    }
    // 100 expected; five standard deviations are 43.
    assert!((57..=143).contains(&versions["v2"]), "{versions:?}");

    for pod in cluster.objects(Resource::Pods, "shop") {
        let ip = pod["status"]["podIP"].as_str().unwrap();
        let direct: SocketAddr = format!("{ip}:8080").parse().unwrap();
        assert_eq!(get(direct, "/ready").await.unwrap().0, 200);
        assert_eq!(get(direct, "/nothing").await.unwrap().0, 404);
        // The model answers as the socket does.
        assert_eq!(cluster.ask_pod(ip, "/nothing").await.unwrap().status, 404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_live_side_by_side_and_close_with_their_handle() {
    let (one, two) = (running().await, running().await);
    let (first, second) = (front(&one), front(&two));
    assert_ne!(first.ip(), second.ip());
    let client = one.client(ADMIN);
    drop(one);
    until_refused(first).await;
    assert_eq!(get(second, "/").await.unwrap().0, 200);
    drop(client);

    let lone = two.clone();
    drop(two);
    assert_eq!(get(second, "/").await.unwrap().0, 200, "a handle is left");
    assert!(lone.delete(Resource::Services, "shop", "web"));
    until_refused(second).await;
}

async fn until_refused(address: SocketAddr) {
    let waiting = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting)
        .await
        .expect("closed in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_without_pods_closes_connections() {
    let cluster = running().await;
    cluster.modify(Resource::Deployments, "shop", "web", |web| {
        web["spec"]["replicas"] = json!(0)
    });
    until(|| cluster.ready_behind("shop", "web") == 0).await;
    assert!(get(front(&cluster), "/").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_kube_client_comes_in_by_kubeconfig() {
    let cluster = running().await;
    cluster.user("alice@example.com", &["devops-leads"]);
    let address = cluster.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    assert!(
        cluster.serve("0.0.0.0:0".parse().unwrap()).await.is_err(),
        "loopback only"
    );
    let yaml = cluster.kubeconfig(address, "alice@example.com");
    let kubeconfig = Kubeconfig::from_yaml(&yaml).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    let client = Client::try_from(config).unwrap();
    let version = client.apiserver_version().await.unwrap();
    assert_eq!(version.minor, "36");
    let groups = client.list_api_groups().await.unwrap();
    assert!(groups.groups.iter().any(|group| group.name == "sluice.dev"));
    let resources = client
        .list_api_group_resources("sluice.dev/v1alpha1")
        .await
        .unwrap();
    assert!(
        resources
            .resources
            .iter()
            .any(|resource| resource.name == "rollouts/status")
    );

    let api: Api<Deployment> = Api::namespaced(client.clone(), "shop");
    assert_eq!(
        api.list(&ListParams::default()).await.unwrap().items.len(),
        1
    );
    let changed = tokio::spawn({
        let api = api.clone();
        async move {
            let done = |web: Option<&Deployment>| {
                web.and_then(|web| web.status.as_ref()?.available_replicas) == Some(2)
            };
            kube::runtime::wait::await_condition(api, "web", done)
                .await
                .unwrap();
        }
    });
    let scale = Patch::Merge(json!({ "spec": { "replicas": 2 } }));
    api.patch("web", &PatchParams::default(), &scale)
        .await
        .unwrap();
    tokio::time::timeout(LIMIT, changed)
        .await
        .expect("a watch over HTTP")
        .unwrap();
    assert_eq!(cluster.writes().last().unwrap().user, "alice@example.com");

    let mut stranger = Config::new(format!("http://{address}").parse().unwrap());
    stranger.auth_info.token = Some("wrong".to_owned().into());
    let refused = Client::try_from(stranger)
        .unwrap()
        .apiserver_version()
        .await
        .unwrap_err();
    let kube::Error::Api(status) = refused else {
        panic!("{refused}")
    };
    assert_eq!(status.code, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_fails_while_a_selector_switches() {
    let cluster = running().await;
    let mut green = deployment(3, "shop/web@sha256:v2");
    green["metadata"]["name"] = json!("web-green");
    green["spec"]["selector"]["matchLabels"] = json!({ "app": "web-green" });
    green["spec"]["template"]["metadata"]["labels"] = json!({ "app": "web-green" });
    cluster.apply(green).unwrap();
    until(|| {
        let green = cluster
            .object(Resource::Deployments, "shop", "web-green")
            .unwrap();
        green["status"]["availableReplicas"] == 3
    })
    .await;
    let address = front(&cluster);
    let stop = Arc::new(AtomicBool::new(false));
    let client = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut failures = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                match get(address, "/").await {
                    Ok((200, _)) => {}
                    other => failures.push(format!("{other:?}")),
                }
            }
            failures
        }
    });
    let services: Api<k8s_openapi::api::core::v1::Service> =
        Api::namespaced(cluster.client(ADMIN), "shop");
    for (from, to, version) in [("web", "web-green", "v2"), ("web-green", "web", "v1")] {
        let switch = json!([
            { "op": "test", "path": "/spec/selector/app", "value": from },
            { "op": "replace", "path": "/spec/selector/app", "value": to },
        ]);
        let switch = Patch::Json::<()>(serde_json::from_value(switch).unwrap());
        services
            .patch("web", &PatchParams::default(), &switch)
            .await
            .unwrap();
        for _ in 0..20 {
            let (_, answered) = get(address, "/").await.unwrap();
            assert_eq!(answered, version, "from the write on");
        }
    }
    stop.store(true, Ordering::Relaxed);
    let failures = client.await.unwrap();
    assert!(failures.is_empty(), "{failures:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_run_and_numbered_pods_follow_on_the_wall_clock() {
    let cluster = running().await;
    let migrating = Behaviour::serving("v2").run(
        Run::fails(7)
            .after(Duration::from_millis(200))
            .message("locked"),
    );
    cluster.images().set("shop/web", "sha256:v2", migrating);
    cluster
        .apply(json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "name": "migrate", "namespace": "shop" },
            "spec": { "backoffLimit": 0, "template": { "spec": {
                "restartPolicy": "Never",
                "containers": [{ "name": "migrate", "image": "shop/web@sha256:v2" }],
            } } },
        }))
        .unwrap();
    let mut set = deployment(2, "shop/web@sha256:v1");
    set["kind"] = json!("StatefulSet");
    set["metadata"]["name"] = json!("db");
    set["spec"].as_object_mut().unwrap().remove("strategy");
    cluster.apply(set).unwrap();
    until(|| {
        let job = cluster.object(Resource::Jobs, "shop", "migrate").unwrap();
        job["status"]["failed"] == 1
    })
    .await;
    assert_eq!(cluster.runs()[0].exit_code, Some(7));
    until(|| cluster.ready_behind("shop", "web") == 5).await;
    let pod = cluster.object(Resource::Pods, "shop", "db-1").unwrap();
    let ip = pod["status"]["podIP"].as_str().unwrap();
    assert_eq!(
        get(format!("{ip}:8080").parse().unwrap(), "/")
            .await
            .unwrap()
            .0,
        200
    );
    assert_eq!(cluster.problems(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_shares_connections_out_by_weight() {
    let cluster = running().await;
    let mut candidate = deployment(1, "shop/web@sha256:v2");
    candidate["metadata"]["name"] = json!("candidate");
    candidate["spec"]["selector"]["matchLabels"] = json!({ "app": "candidate" });
    candidate["spec"]["template"]["metadata"]["labels"] = json!({ "app": "candidate" });
    cluster.apply(candidate).unwrap();
    cluster
        .apply(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": "candidate", "namespace": "shop" },
            "spec": { "selector": { "app": "candidate" }, "ports": [{ "port": 8000, "targetPort": 8080 }] },
        }))
        .unwrap();
    until(|| cluster.ready_behind("shop", "candidate") == 1).await;
    let route = |stable: i64, candidate: i64| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": { "name": "web", "namespace": "shop" },
            "spec": { "rules": [{ "backendRefs": [
                { "name": "web", "port": 8000, "weight": stable },
                { "name": "candidate", "port": 8000, "weight": candidate },
            ] }] },
        })
    };
    cluster.apply(route(1, 0)).unwrap();
    let gateway = cluster.route_front("shop", "web", "").unwrap();
    assert_eq!(cluster.route_front("shop", "web", "").unwrap(), gateway);
    let served = |share: f64| {
        let cluster = cluster.clone();
        move || {
            let last = cluster.route_shares("shop", "web", "").pop();
            last.is_some_and(|last| last.versions.get("sha256:v2").copied().unwrap_or(0.0) == share)
        }
    };
    until(served(0.0)).await;
    for _ in 0..40 {
        assert_eq!(get(gateway, "/").await.unwrap().1, "v1");
    }
    // One pod of four, and half of the requests.
    cluster.apply(route(1, 1)).unwrap();
    until(served(0.5)).await;
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..400 {
        let (_, version) = get(gateway, "/").await.unwrap();
        *versions.entry(version).or_default() += 1;
    }
    // 200 expected; five standard deviations are 50.
    assert!((150..=250).contains(&versions["v2"]), "{versions:?}");
    assert_eq!(cluster.problems(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_container_answers_nobody_until_it_runs_again() {
    let cluster = running().await;
    let pods = cluster.objects(Resource::Pods, "shop");
    let ip = pods[0]["status"]["podIP"].as_str().unwrap().to_owned();
    let address: SocketAddr = format!("{ip}:8080").parse().unwrap();
    assert_eq!(get(address, "/").await.unwrap().0, 200);
    let crashing = Behaviour::serving("v1").crashes_after(Duration::from_millis(200));
    cluster.images().set("shop/web", "sha256:v1", crashing);
    assert_eq!(cluster.restart_pods("shop", "sha256:v1"), 3);
    until(|| cluster.ready_behind("shop", "web") == 3).await;
    until(|| cluster.ready_behind("shop", "web") == 0).await;
    assert!(get(address, "/").await.is_err(), "exited");
}
