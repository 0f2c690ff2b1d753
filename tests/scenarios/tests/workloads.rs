//! What is no single Deployment: StatefulSets split by their partition, DaemonSets, groups in lockstep,
//! and configuration whose version goes with the image. Each story undisturbed, and again with a fault
//! at every write.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_core::policy::Policy;
use sluice_scenarios::oracle::{final_state, gate_was_open};
use sluice_scenarios::strategies::{Way, policy};
use sluice_scenarios::{
    Crew, Life, PRODUCTION, REPOSITORY, STAGING, Stage, beside, digest, on_virtual_time,
    remembered, status, until,
};
use sluice_sim::{Fault, Resource};

const LONG: Duration = Duration::from_secs(3 * 3600);

/// How a story ended, without what differs between runs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    rollouts: BTreeMap<String, String>,
    stable: BTreeMap<String, String>,
    deployments: BTreeMap<String, String>,
    /// Ready pods by namespace and image.
    pods: BTreeMap<String, usize>,
    /// Partition of each StatefulSet.
    partitions: BTreeMap<String, String>,
    /// ConfigMaps in production.
    config: usize,
}

fn end(stage: &Stage) -> End {
    let state = final_state(&stage.cluster);
    let mut partitions = BTreeMap::new();
    for namespace in [STAGING, PRODUCTION] {
        for set in stage.cluster.objects(Resource::StatefulSets, namespace) {
            let partition = &set["spec"]["updateStrategy"]["rollingUpdate"]["partition"];
            partitions.insert(namespace.to_owned(), partition.to_string());
        }
    }
    End {
        rollouts: state.rollouts,
        stable: state.stable,
        deployments: state.deployments,
        pods: [STAGING, PRODUCTION]
            .into_iter()
            .flat_map(|namespace| pods(stage, namespace, "storefront"))
            .collect(),
        partitions,
        config: stage
            .cluster
            .objects(Resource::ConfigMaps, PRODUCTION)
            .len(),
    }
}

/// Ready pods of an app, by namespace and version.
fn pods(stage: &Stage, namespace: &str, app: &str) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for pod in stage.cluster.objects(Resource::Pods, namespace) {
        let conditions = pod["status"]["conditions"].as_array();
        let ready = conditions.is_some_and(|c| {
            c.iter()
                .any(|c| c["type"] == "Ready" && c["status"] == "True")
        });
        if pod["metadata"]["labels"]["app"] == app && ready {
            let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
            let version = image.trim_start_matches(REPOSITORY);
            *out.entry(format!("{namespace}{version}")).or_insert(0) += 1;
        }
    }
    out
}

/// A story: what stands there, what is pushed, and where it ends.
#[derive(Clone, Copy)]
struct Story {
    lay: fn(&Stage),
    release: (&'static str, char),
    last: &'static str,
}

/// Plays it with these faults, and with a script after the push. Returns the end, and how many writes
/// there were.
fn play(story: Story, faults: &[(u64, Fault)], script: impl AsyncFnOnce(&Stage)) -> (End, u64) {
    on_virtual_time(async {
        let mut stage = Stage::new(7);
        stage.policy = Arc::new(Policy::parse(&policy()).unwrap());
        (story.lay)(&stage);
        let plan = stage.cluster.faults(&stage.cluster.agent());
        for (write, fault) in faults {
            plan.at(*write, *fault);
        }
        stage.push("v1.0.0", 'a');
        let life = Life::new(&stage);
        let (tag, letter) = story.release;
        beside(&stage, &life, &Crew::approving(), async {
            until(&stage, "everything is adopted", LONG, |s| {
                ["staging", "production"]
                    .iter()
                    .all(|e| remembered(s, e)["stable"].is_object())
            })
            .await;
            stage.push(tag, letter);
            script(&stage).await;
            until(&stage, "it is over", LONG, |s| {
                let last = status(s, story.last, tag);
                last["state"]["phase"] == "Ended" && last["recorded"] == true
            })
            .await;
            stage.pass(Duration::from_secs(120)).await;
        })
        .await;
        gate_was_open(&stage.cluster).unwrap();
        let problems = stage.cluster.problems();
        assert!(problems.is_empty(), "{problems:?}");
        (end(&stage), plan.writes())
    })
}

/// Once undisturbed; then with a fault at every write, which must come to the same end.
fn whatever_fails(story: Story) -> End {
    let (calm, writes) = play(story, &[], async |_| {});
    let mut failures = Vec::new();
    for write in 1..=writes {
        let turn = usize::try_from(write).unwrap() % Fault::ALL.len();
        let fault = Fault::ALL[turn];
        let (found, _) = play(story, &[(write, fault)], async |_| {});
        if found != calm {
            failures.push(format!("{fault:?} at write {write}: {found:#?}"));
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "{writes} writes, {} failures",
        failures.len()
    );
    assert!(
        failures.is_empty(),
        "not {calm:#?} but {}",
        failures.join("\n")
    );
    calm
}

/// Changes where an environment's Pipeline points.
fn point(stage: &Stage, environment: usize, change: impl FnOnce(&mut Value)) {
    stage
        .cluster
        .modify(Resource::Pipelines, "delivery", "storefront", |p| {
            change(&mut p["spec"]["environments"][environment]["target"]);
        });
}

/// Another kind of workload in the place of a Deployment.
fn instead(stage: &Stage, environment: usize, namespace: &str, kind: &str, replicas: u32) {
    let found = stage
        .cluster
        .object(Resource::Deployments, namespace, "storefront")
        .unwrap();
    let template = found["spec"]["template"].clone();
    stage
        .cluster
        .delete(Resource::Deployments, namespace, "storefront");
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": "storefront", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": "storefront"}},
            "template": template,
        },
    });
    if kind == "StatefulSet" {
        object["spec"]["replicas"] = json!(replicas);
        object["spec"]["serviceName"] = json!("storefront");
    }
    stage.cluster.apply(object).unwrap();
    let field = if kind == "StatefulSet" {
        "statefulSet"
    } else {
        "daemonSet"
    };
    point(stage, environment, |target| {
        target.as_object_mut().unwrap().remove("deployment");
        target[field] = json!("storefront");
    });
}

fn set_in_production(stage: &Stage) {
    instead(stage, 1, PRODUCTION, "StatefulSet", 10);
}

fn set_in_staging(stage: &Stage) {
    instead(stage, 0, STAGING, "StatefulSet", 3);
}

fn daemon_in_staging(stage: &Stage) {
    instead(stage, 0, STAGING, "DaemonSet", 0);
}

#[test]
fn a_stateful_set_is_split_by_its_partition() {
    let story = Story {
        lay: set_in_production,
        release: ("v1.1.0", 'b'),
        last: "production",
    };
    let new = format!("shop@{}", digest('b'));
    let (end, _) = play(story, &[], async |stage| {
        for (step, share) in [(0, 1), (1, 5)] {
            until(stage, "the step is watched", LONG, |s| {
                let state = &status(s, "production", "v1.1.0")["state"];
                state["index"] == step && state["stage"]["name"] == "Hold"
            })
            .await;
            assert_eq!(pods(stage, PRODUCTION, "storefront")[&new], share);
        }
    });
    assert_eq!(end.rollouts["production v1.1.0"], "Succeeded");
    assert_eq!(end.pods[&new], 10);
    assert_eq!(end.partitions["shop"], "0");
    assert_eq!(end.stable["production"], digest('b'));
}

#[test]
fn a_bad_release_of_a_stateful_set_goes_back_whatever_fails() {
    let end = whatever_fails(Story {
        lay: set_in_production,
        release: ("v1.2.0", 'c'),
        last: "production",
    });
    assert_eq!(end.rollouts["production v1.2.0"], "RolledBack");
    assert_eq!(end.pods["shop:v1.0.0"], 10);
    assert_eq!(end.partitions["shop"], "0");
}

#[test]
fn a_pod_that_never_gets_ready_is_taken_out_of_the_way() {
    let end = whatever_fails(Story {
        lay: set_in_staging,
        release: ("v1.3.0", 'd'),
        last: "staging",
    });
    assert_eq!(end.rollouts["staging v1.3.0"], "RolledBack");
    assert_eq!(end.pods["staging:v1.0.0"], 3);
}

#[test]
fn a_daemon_set_goes_all_at_once() {
    let (end, _) = play(
        Story {
            lay: daemon_in_staging,
            release: ("v1.1.0", 'b'),
            last: "staging",
        },
        &[],
        async |_| {},
    );
    assert_eq!(end.rollouts["staging v1.1.0"], "Succeeded");
    assert_eq!(end.pods[&format!("staging@{}", digest('b'))], 3);
}

/// A worker of the same image goes with the storefront.
fn with_worker(stage: &Stage) {
    let worker = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "worker", "namespace": PRODUCTION},
        "spec": {
            "replicas": 4, "selector": {"matchLabels": {"app": "worker"}},
            "template": {
                "metadata": {"labels": {"app": "worker"}},
                "spec": {"containers": [
                    {"name": "work", "image": format!("{REPOSITORY}:v1.0.0")}]},
            },
        },
    });
    stage.cluster.apply(worker).unwrap();
    point(stage, 1, |target| {
        target["with"] = json!([{"deployment": "worker"}])
    });
}

#[test]
fn a_worker_goes_in_lockstep() {
    let story = Story {
        lay: with_worker,
        release: ("v1.1.0", 'b'),
        last: "production",
    };
    let new = format!("shop@{}", digest('b'));
    let (end, _) = play(story, &[], async |stage| {
        until(stage, "half is watched", LONG, |s| {
            let state = &status(s, "production", "v1.1.0")["state"];
            state["index"] == 1 && state["stage"]["name"] == "Hold"
        })
        .await;
        assert_eq!(pods(stage, PRODUCTION, "storefront")[&new], 5);
        assert_eq!(pods(stage, PRODUCTION, "worker")[&new], 2);
    });
    assert_eq!(end.rollouts["production v1.1.0"], "Succeeded");
    assert!(end.deployments["shop/worker"].contains(&digest('b')));
    assert!(end.deployments["shop/worker"].ends_with("x4 ready 4"));
    assert_eq!(end.deployments.len(), 3, "no canary is left: {end:#?}");
}

#[test]
fn a_group_goes_back_together_whatever_fails() {
    let end = whatever_fails(Story {
        lay: with_worker,
        release: ("v1.2.0", 'c'),
        last: "production",
    });
    assert_eq!(end.rollouts["production v1.2.0"], "RolledBack");
    for workload in ["shop/storefront", "shop/worker"] {
        assert!(
            end.deployments[workload].contains("storefront:v1.0.0"),
            "{end:#?}"
        );
    }
    assert_eq!(end.deployments.len(), 3, "no canary is left: {end:#?}");
}

fn with_worker_behind_a_route(stage: &Stage) {
    with_worker(stage);
    Way::Route.lay(stage);
}

fn with_worker_and_no_room(stage: &Stage) {
    with_worker(stage);
    Way::NoSurge.lay(stage);
}

#[test]
fn a_worker_follows_a_route_in_the_last_step_whatever_fails() {
    let story = Story {
        lay: with_worker_behind_a_route,
        release: ("v1.1.0", 'b'),
        last: "production",
    };
    play(story, &[], async |stage| {
        until(stage, "half is watched", LONG, |s| {
            let state = &status(s, "production", "v1.1.0")["state"];
            state["index"] == 1 && state["stage"]["name"] == "Hold"
        })
        .await;
        let old = pods(stage, PRODUCTION, "worker");
        assert_eq!(old["shop:v1.0.0"], 4, "it has no candidate of its own");
    });
    let end = whatever_fails(story);
    assert_eq!(end.rollouts["production v1.1.0"], "Succeeded");
    assert!(end.deployments["shop/worker"].contains(&digest('b')));
    assert_eq!(end.deployments.len(), 3, "no candidate is left: {end:#?}");
}

#[test]
fn a_group_without_room_goes_in_lockstep() {
    let (end, _) = play(
        Story {
            lay: with_worker_and_no_room,
            release: ("v1.1.0", 'b'),
            last: "production",
        },
        &[],
        async |_| {},
    );
    assert_eq!(end.rollouts["production v1.1.0"], "Succeeded");
    assert!(end.deployments["shop/worker"].ends_with("x4 ready 4"));
    assert_eq!(end.deployments.len(), 3, "no canary is left: {end:#?}");
}

/// The storefront reads a ConfigMap whose version goes with it.
fn with_config(stage: &Stage) {
    stage
        .cluster
        .apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "storefront-config", "namespace": PRODUCTION},
            "data": {"GREETING": "hello"},
        }))
        .unwrap();
    stage
        .cluster
        .modify(Resource::Deployments, PRODUCTION, "storefront", |d| {
            d["spec"]["template"]["spec"]["containers"][0]["envFrom"] =
                json!([{"configMapRef": {"name": "storefront-config"}}]);
        });
    point(stage, 1, |target| {
        target["config"] = json!([{"configMap": "storefront-config"}]);
    });
}

/// The ConfigMap that the storefront reads.
fn read_by(stage: &Stage) -> String {
    let found = stage
        .cluster
        .object(Resource::Deployments, PRODUCTION, "storefront")
        .unwrap();
    let from = &found["spec"]["template"]["spec"]["containers"][0]["envFrom"][0];
    from["configMapRef"]["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_release_keeps_its_version_of_the_configuration() {
    let story = Story {
        lay: with_config,
        release: ("v1.1.0", 'b'),
        last: "production",
    };
    let (end, _) = play(story, &[], async |stage| {
        until(stage, "it is over", LONG, |s| {
            status(s, "production", "v1.1.0")["state"]["phase"] == "Ended"
        })
        .await;
        let name = read_by(stage);
        assert!(name.starts_with("storefront-config-sluice-"), "{name}");
        let copy = stage
            .cluster
            .object(Resource::ConfigMaps, PRODUCTION, &name)
            .unwrap();
        assert_eq!(copy["immutable"], true);
        assert_eq!(copy["data"]["GREETING"], "hello");
        // Somebody changes it in place: what serves keeps its own.
        stage
            .cluster
            .modify(Resource::ConfigMaps, PRODUCTION, "storefront-config", |c| {
                c["data"]["GREETING"] = json!("good day");
            });
        stage.pass(Duration::from_secs(120)).await;
        assert_eq!(read_by(stage), name);
    });
    assert_eq!(end.rollouts["production v1.1.0"], "Succeeded");
    assert_eq!(end.config, 2);
}

#[test]
fn the_copy_of_a_bad_release_goes_whatever_fails() {
    let end = whatever_fails(Story {
        lay: with_config,
        release: ("v1.2.0", 'c'),
        last: "production",
    });
    assert_eq!(end.rollouts["production v1.2.0"], "RolledBack");
    assert_eq!(end.config, 1, "the source alone is left");
}
