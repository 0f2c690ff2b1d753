//! Scaling, and the bound that no interleaving of template changes and scaling may break.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_sim::{Behaviour, Cluster, Resource};

use crate::support::{deployment, images, running, service, settled};

fn set(cluster: &Cluster, change: impl FnOnce(&mut Value)) {
    cluster.modify(Resource::Deployments, "shop", "web", change);
}

fn sizes(cluster: &Cluster) -> Vec<i64> {
    let mut sizes: Vec<i64> = cluster
        .objects(Resource::ReplicaSets, "shop")
        .iter()
        .filter_map(|set| set["spec"]["replicas"].as_i64())
        .filter(|size| *size > 0)
        .collect();
    sizes.sort_unstable();
    sizes
}

#[tokio::test(start_paused = true)]
async fn scaling_up_in_the_middle_of_a_rollout_is_shared_out() {
    let cluster = running(10).await;
    let slow = Behaviour::serving("v2").startup(Duration::from_secs(3600));
    cluster.images().set("shop/web", "sha256:v2", slow);
    set(&cluster, |web| {
        web["spec"]["strategy"]["rollingUpdate"] = json!({ "maxSurge": 3, "maxUnavailable": 2 });
        web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("shop/web@sha256:v2");
    });
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(
        sizes(&cluster),
        [5, 8],
        "the example of the Kubernetes documentation"
    );
    set(&cluster, |web| web["spec"]["replicas"] = json!(15));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(
        sizes(&cluster),
        [7, 11],
        "15 + 3, five more than before, in proportion"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployment_scales_to_nothing_and_back() {
    let cluster = running(4).await;
    set(&cluster, |web| web["spec"]["replicas"] = json!(0));
    settled(&cluster).await;
    assert_eq!(cluster.ready_behind("shop", "web"), 0);
    set(&cluster, |web| web["spec"]["replicas"] = json!(2));
    settled(&cluster).await;
    assert_eq!(cluster.ready_behind("shop", "web"), 2);
    assert_eq!(cluster.objects(Resource::ReplicaSets, "shop").len(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Image(u8),
    Replicas(i64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..=4_u8).prop_map(Step::Image),
        (1..=12_i64).prop_map(Step::Replicas),
        (0..=3000_u64).prop_map(Step::Wait),
    ]
}

/// What the observer found.
#[derive(Default)]
struct Watchdog {
    /// Bounds (`replicas - maxUnavailable`) that held lately: a controller acts on what it read.
    bounds: VecDeque<(jiff::Timestamp, i64)>,
    last: i64,
    broken: Vec<String>,
}

async fn run(
    seed: u64,
    surge: Value,
    unavailable: Value,
    start: u32,
    steps: &[Step],
) -> Vec<String> {
    let cluster = Cluster::builder().seed(seed).fast();
    images(&cluster);
    cluster.apply(service()).unwrap();
    let mut wanted = deployment(start, "shop/web@sha256:v1");
    wanted["spec"]["strategy"] = json!({
        "type": "RollingUpdate",
        "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable },
    });
    cluster.apply(wanted).unwrap();
    settled(&cluster).await;

    let watchdog = Arc::new(Mutex::new(Watchdog {
        last: i64::from(start),
        ..Watchdog::default()
    }));
    let dog = Arc::clone(&watchdog);
    let percent = |value: &Value, of: i64| match value.as_i64() {
        Some(count) => count,
        None => {
            value
                .as_str()
                .unwrap()
                .trim_end_matches('%')
                .parse::<i64>()
                .unwrap()
                * of
                / 100
        }
    };
    cluster.on_event(move |moment| {
        let web = moment.object(Resource::Deployments, "shop", "web").unwrap();
        let replicas = web["spec"]["replicas"].as_i64().unwrap();
        let rolling = &web["spec"]["strategy"]["rollingUpdate"];
        let spare = percent(&rolling["maxUnavailable"], replicas);
        let none = spare == 0 && (rolling["maxSurge"] == 0 || rolling["maxSurge"] == "0%");
        let mut dog = dog.lock().unwrap();
        dog.bounds
            .push_back((moment.at(), replicas - if none { 1 } else { spare }));
        let old = moment.at() - SignedDuration::from_millis(100);
        while dog.bounds.len() > 1 && dog.bounds[1].0 < old {
            dog.bounds.pop_front();
        }
        let bound = dog.bounds.iter().map(|(_, bound)| *bound).min().unwrap();
        let ready = moment.ready_behind("shop", "web") as i64;
        if ready < dog.last && ready < bound {
            let problem = format!("{}: {} -> {ready}, bound {bound}", moment.at(), dog.last);
            dog.broken.push(problem);
        }
        dog.last = ready;
    });
    for step in steps {
        match step {
            Step::Image(version) => set(&cluster, |web| {
                let image = format!("shop/web@sha256:v{version}");
                web["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
            }),
            Step::Replicas(replicas) => {
                // Shrinking in the middle of a rollout takes from every ReplicaSet in proportion,
                // ready or not, in Kubernetes as here: that is not what the bound is about.
                let rolling = sizes(&cluster).len() > 1;
                set(&cluster, |web| {
                    if !rolling || web["spec"]["replicas"].as_i64() < Some(*replicas) {
                        web["spec"]["replicas"] = json!(replicas);
                    }
                });
            }
            Step::Wait(ms) => tokio::time::sleep(Duration::from_millis(*ms)).await,
        }
    }
    settled(&cluster).await;
    std::mem::take(&mut watchdog.lock().unwrap().broken)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn availability_keeps_its_bound(
        seed in 0..1_000_u64,
        surge in prop_oneof![Just(json!("25%")), Just(json!(0)), Just(json!(1)), Just(json!("100%"))],
        unavailable in prop_oneof![Just(json!("25%")), Just(json!(0)), Just(json!(2)), Just(json!("50%"))],
        start in 1..=10_u32,
        steps in prop::collection::vec(step(), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let broken = runtime.block_on(run(seed, surge, unavailable, start, &steps));
        prop_assert!(broken.is_empty(), "{broken:?}");
    }
}
