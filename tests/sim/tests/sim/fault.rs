//! Planned faults: what is carried out, what the client learns, who hangs.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchParams};
use serde_json::json;
use sluice_sim::{AGENT, AgentClient, Cluster, Fault};

use crate::support::{code, within};

fn api(instance: &AgentClient) -> Api<ConfigMap> {
    Api::namespaced(instance.client.clone(), "shop")
}

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap()
}

async fn names(cluster: &Cluster) -> Vec<String> {
    let api = api(&cluster.client_instance("someone"));
    let list = api.list(&ListParams::default()).await.unwrap();
    list.items
        .into_iter()
        .filter_map(|map| map.metadata.name)
        .collect()
}

async fn hangs<T>(future: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_secs(3600), future)
        .await
        .is_err()
}

#[tokio::test(start_paused = true)]
async fn a_crash_silences_one_instance_for_ever() {
    for (fault, applied) in [(Fault::CrashBefore, false), (Fault::CrashAfter, true)] {
        let cluster = Cluster::fast(1);
        cluster.faults(AGENT).at(2, fault);
        let first = cluster.client_instance(AGENT);
        let api1 = api(&first);
        api1.create(&PostParams::default(), &map("a"))
            .await
            .unwrap();
        assert!(!first.is_crashed());
        let (params, body) = (PostParams::default(), map("b"));
        let crash = async {
            tokio::select! {
                () = first.crashed() => {}
                _ = api1.create(&params, &body) => panic!("answered"),
            }
        };
        tokio::time::timeout(Duration::from_secs(1), crash)
            .await
            .expect("the signal");
        assert_eq!(
            names(&cluster).await.contains(&"b".to_owned()),
            applied,
            "{fault:?}"
        );
        assert!(hangs(api1.get("a")).await, "reads hang too");
        assert!(hangs(api1.create(&PostParams::default(), &map("c"))).await);

        let second = cluster.client_instance(AGENT);
        api(&second)
            .create(&PostParams::default(), &map("d"))
            .await
            .unwrap();
        assert!(
            !names(&cluster).await.contains(&"c".to_owned()),
            "the dead write nothing"
        );
        assert_eq!(cluster.faults(AGENT).fired(), [(2, fault)]);
        assert_eq!(
            cluster.faults(AGENT).writes(),
            3,
            "numbers go on over instances"
        );
        let instances: Vec<u64> = cluster
            .writes()
            .iter()
            .map(|write| write.instance)
            .collect();
        assert_eq!(instances.last(), Some(&second.id()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_one_instance_and_lets_its_writes_arrive_late() {
    let cluster = Cluster::fast(1);
    cluster.faults(AGENT).at(1, Fault::Pause);
    let (first, second) = (
        cluster.client_instance(AGENT),
        cluster.client_instance(AGENT),
    );
    let (api1, api2) = (api(&first), api(&second));
    let params = PostParams::default();
    let mut events = api1
        .watch(&WatchParams::default(), "0")
        .await
        .unwrap()
        .boxed();

    assert!(hangs(api1.create(&params, &map("a"))).await);
    assert!(first.is_paused() && !second.is_paused());
    assert!(hangs(api1.create(&params, &map("b"))).await, "all of it");
    assert!(hangs(api1.get("a")).await, "reads too");
    api2.create(&params, &map("b")).await.unwrap();
    assert!(hangs(events.next()).await, "and events");
    assert_eq!(names(&cluster).await, ["b"], "held, not carried out");

    // Nobody waits for these two answers any more; they are on their way all the same.
    first.resume();
    within(Duration::from_secs(1), events.next())
        .await
        .unwrap()
        .unwrap();
    api1.get("a").await.unwrap();
    let writes = cluster.writes();
    let late: Vec<_> = writes
        .iter()
        .map(|write| (write.instance, write.name.as_str(), write.code))
        .collect();
    assert_eq!(
        late,
        [
            (second.id(), "b", 201),
            (first.id(), "a", 201),
            (first.id(), "b", 409),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_paused_client_gets_its_answers_in_the_end() {
    let cluster = Cluster::fast(1);
    let instance = cluster.client_instance(AGENT);
    let api = api(&instance);
    let start = tokio::time::Instant::now();
    instance.pause();
    let resume = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        instance.resume();
    };
    let created = async {
        api.create(&PostParams::default(), &map("a")).await.unwrap();
    };
    let listed = async {
        api.list(&ListParams::default()).await.unwrap();
    };
    tokio::join!(created, listed, resume);
    assert_eq!(start.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_held_write_is_overtaken_by_the_next() {
    let cluster = Cluster::fast(1);
    cluster
        .faults(AGENT)
        .at(1, Fault::Hold(Duration::from_secs(20)));
    let api = api(&cluster.client_instance(AGENT));
    let params = PostParams::default();
    let held = async {
        api.create(&params, &map("a")).await.unwrap();
    };
    let quick = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        api.create(&params, &map("b")).await.unwrap();
        names(&cluster).await
    };
    let ((), quick) = tokio::join!(held, quick);
    assert_eq!(quick, ["b"]);
    assert_eq!(names(&cluster).await, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn errors_come_with_and_without_effect() {
    for (fault, answer, applied) in [
        (Fault::Conflict, 409, false),
        (Fault::ServerErrorNotApplied, 503, false),
        (Fault::ServerErrorApplied, 503, true),
        (Fault::TimeoutApplied(Duration::from_secs(30)), 504, true),
    ] {
        let cluster = Cluster::fast(1);
        cluster.faults(AGENT).at(1, fault);
        let api = api(&cluster.client_instance(AGENT));
        let start = tokio::time::Instant::now();
        let refused = api
            .create(&PostParams::default(), &map("a"))
            .await
            .unwrap_err();
        assert_eq!(code(refused), answer, "{fault:?}");
        assert_eq!(!names(&cluster).await.is_empty(), applied, "{fault:?}");
        let waited = start.elapsed() >= Duration::from_secs(30);
        assert_eq!(waited, matches!(fault, Fault::TimeoutApplied(_)));
        let write = &cluster.writes()[0];
        assert_eq!(
            (write.number, write.accepted()),
            (Some(1), applied),
            "the log tells the truth"
        );
        // Only that one write is hit.
        api.create(&PostParams::default(), &map("b")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn reads_leases_and_dry_runs_have_no_number() {
    let cluster = Cluster::fast(1);
    let faults = cluster.faults(AGENT);
    let instance = cluster.client_instance(AGENT);
    let leases: Api<Lease> = Api::namespaced(instance.client.clone(), "delivery");
    let lease = serde_json::from_value(json!({ "metadata": { "name": "l" } })).unwrap();
    leases.create(&PostParams::default(), &lease).await.unwrap();
    let api = api(&instance);
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    api.create(&dry, &map("a")).await.unwrap();
    assert_eq!(faults.writes(), 0);
    api.create(&PostParams::default(), &map("a")).await.unwrap();
    assert_eq!(faults.writes(), 1);
    faults.count_events_and_leases();
    let renew = json!({ "spec": { "holderIdentity": "x" } });
    leases
        .patch("l", &PatchParams::default(), &Patch::Merge(&renew))
        .await
        .unwrap();
    assert_eq!(faults.writes(), 2);
}

#[tokio::test(start_paused = true)]
async fn latency_is_drawn_from_the_seed() {
    let elapsed = |seed| async move {
        let cluster = Cluster::builder().seed(seed).fast();
        cluster
            .faults(AGENT)
            .latency(Duration::from_millis(10)..=Duration::from_millis(500));
        let api = api(&cluster.client_instance(AGENT));
        let start = tokio::time::Instant::now();
        for _ in 0..10 {
            api.list(&ListParams::default()).await.unwrap();
        }
        start.elapsed()
    };
    let (one, again, other) = (elapsed(1).await, elapsed(1).await, elapsed(2).await);
    assert!(
        one >= Duration::from_millis(100) && one <= Duration::from_secs(6),
        "{one:?}"
    );
    assert_eq!(one, again);
    assert_ne!(one, other);
}
