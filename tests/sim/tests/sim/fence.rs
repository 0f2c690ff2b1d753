//! The epoch on everything that the agent writes, and faults of writes of every kind.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::{Value, json};
use sluice_sim::{ADMIN, AGENT, Cluster, Fault, Resource};

use crate::support::{any, code, deployment, manifest, running, service};

fn job() -> Value {
    json!({
        "spec": {
            "suspend": true,
            "template": { "spec": {
                "restartPolicy": "Never",
                "containers": [{ "name": "it", "image": "shop/web@sha256:v1" }],
            } },
        },
    })
}

/// One body of each kind that bears an epoch.
fn fenced() -> Vec<((&'static str, &'static str), Value)> {
    let workload = |mut body: Value| {
        body["spec"]["replicas"] = json!(0);
        body
    };
    let web = || deployment(0, "shop/web@sha256:v1");
    let mut daemons = web();
    daemons["spec"].as_object_mut().unwrap().remove("replicas");
    vec![
        (("apps/v1", "Deployment"), workload(web())),
        (("apps/v1", "StatefulSet"), workload(web())),
        (("apps/v1", "DaemonSet"), daemons),
        (("v1", "Service"), service()),
        (("batch/v1", "Job"), job()),
        (
            ("networking.k8s.io/v1", "Ingress"),
            json!({ "spec": { "defaultBackend": { "service": { "name": "web" } } } }),
        ),
        (
            ("gateway.networking.k8s.io/v1", "HTTPRoute"),
            json!({ "spec": {} }),
        ),
    ]
}

fn named(kind: (&str, &str), mut body: Value) -> Value {
    body["apiVersion"] = json!(kind.0);
    body["kind"] = json!(kind.1);
    body["metadata"] = json!({ "name": "it", "namespace": "shop" });
    body
}

#[tokio::test(start_paused = true)]
async fn nothing_that_the_agent_writes_takes_an_older_epoch() {
    for (kind, body) in fenced() {
        let cluster = Cluster::fast(1);
        cluster.apply(named(kind, body)).unwrap();
        let stamp = async |user: &str, epoch: Value| {
            let change = json!({ "metadata": { "annotations": { "sluice.dev/epoch": epoch } } });
            any(&cluster, user, kind)
                .patch("it", &PatchParams::default(), &Patch::Merge(&change))
                .await
                .map_or_else(code, |_| 200)
        };
        for (user, epoch, expected) in [
            (AGENT, json!("7"), 200),
            (AGENT, json!("6"), 403),
            (AGENT, json!(null), 403),
            (AGENT, json!("7"), 200),
            (AGENT, json!("x"), 403),
            (AGENT, json!("8"), 200),
            (ADMIN, json!("1"), 200),
        ] {
            assert_eq!(
                stamp(user, epoch.clone()).await,
                expected,
                "{kind:?} {user} {epoch}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn writes_of_every_kind_are_numbered_and_can_fail() {
    let cluster = Cluster::fast(1);
    let mut kinds = fenced();
    let configured = || json!({ "data": {} });
    kinds.push((("v1", "ConfigMap"), configured()));
    kinds.push((("v1", "Secret"), configured()));
    let faults = cluster.faults(AGENT);
    for (index, (kind, body)) in kinds.iter().enumerate() {
        let body = manifest(named(*kind, body.clone()));
        let api = any(&cluster, AGENT, *kind);
        let first = u64::try_from(index).unwrap() * 3 + 1;
        faults.at(first, Fault::Conflict);
        faults.at(first + 1, Fault::ServerErrorApplied);
        let create = async || {
            let made = api.create(&PostParams::default(), &body).await;
            made.map_or_else(code, |_| 201)
        };
        assert_eq!(create().await, 409, "not carried out: {kind:?}");
        assert_eq!(create().await, 503, "carried out: {kind:?}");
        assert_eq!(create().await, 409, "it is there: {kind:?}");
    }
    assert_eq!(faults.writes(), u64::try_from(kinds.len()).unwrap() * 3);
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_deleted_only_if_it_is_the_one() {
    let cluster = running(1).await;
    let pod = cluster.objects(Resource::Pods, "shop")[0].clone();
    let text = |pointer: &str| pod.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let name = text("/metadata/name");
    let api = any(&cluster, AGENT, ("v1", "Pod"));
    let delete = async |uid: &str, version: &str| {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: Some(version.to_owned()),
            }),
            ..DeleteParams::default()
        };
        api.delete(&name, &params).await.map_or_else(code, |_| 200)
    };
    let (uid, version) = (text("/metadata/uid"), text("/metadata/resourceVersion"));
    assert_eq!(delete("another", &version).await, 409);
    assert_eq!(delete(&uid, "1").await, 409);
    assert_eq!(cluster.ready_behind("shop", "web"), 1);
    assert_eq!(delete(&uid, &version).await, 200);
    assert_eq!(cluster.ready_behind("shop", "web"), 0);
}
