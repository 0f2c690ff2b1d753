//! How many Rollouts are under way at the same time (requirement G13): never more than the policy lets,
//! in the order in which they came to the line, whatever dies in between.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_core::policy::Policy;
use sluice_scenarios::{Crew, Life, POLICY, Stage, beside, digest, on_virtual_time, until};
use sluice_sim::{Fault, Resource};

const HOURS: Duration = Duration::from_secs(5 * 3600);
const SERVICES: usize = 8;

/// The limit for one environment, and for all of them.
const CAPS: [(&str, &str); 2] = [
    (
        "  production:\n",
        "    limits: {concurrentRollouts: 2}\n  production:\n",
    ),
    (
        "environments:\n",
        "limits: {concurrentRollouts: 2}\nenvironments:\n",
    ),
];

/// What the log of changes shows of the Rollouts.
#[derive(Default)]
struct Seen {
    most: usize,
    /// Names in the order in which they began, with the instant at which each came to the line.
    began: Vec<(String, String)>,
}

fn is_under_way(rollout: &Value) -> bool {
    let status = &rollout["status"];
    match status["state"]["phase"].as_str() {
        Some("Progressing" | "Promoting" | "RollingBack") => true,
        Some("Recording") => status["startedAt"].is_string(),
        _ => false,
    }
}

/// A stage with some more services in staging, each with its own Pipeline.
fn crowd(policy: &str) -> (Stage, Arc<Mutex<Seen>>) {
    let mut stage = Stage::new(11);
    stage.policy = Arc::new(Policy::parse(policy).unwrap());
    for n in 0..SERVICES {
        let (strategy, smoke) = (json!({"plugin": "rolling"}), json!({}));
        stage.add_service(&format!("svc-{n}"), 2, &strategy, &smoke);
    }
    stage.push("v1.0.0", 'a');
    let seen = Arc::new(Mutex::new(Seen::default()));
    let log = seen.clone();
    stage.cluster.on_event(move |moment| {
        if moment.resource() != Resource::Rollouts {
            return;
        }
        let all = moment.objects(Resource::Rollouts, "delivery");
        let mut log = log.lock().unwrap();
        log.most = log.most.max(all.iter().filter(|r| is_under_way(r)).count());
        let changed = moment.after();
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let name = text(&changed["metadata"]["name"]);
        if is_under_way(changed) && !log.began.iter().any(|(_, known)| *known == name) {
            log.began
                .push((text(&changed["status"]["slotWantedAt"]), name));
        }
    });
    (stage, seen)
}

/// All are asked for in the same instant, the watches are so late, and the agent dies at these of its
/// writes.
fn released_at_once(policy: &str, lag: Duration, deaths: &[(u64, Fault)]) {
    on_virtual_time(async {
        let (stage, seen) = crowd(policy);
        let plan = stage.cluster.faults(&stage.cluster.agent());
        let life = Life::new(&stage);
        beside(&stage, &life, &Crew::absent(), async {
            until(&stage, "every baseline is adopted", HOURS, |s| {
                (0..SERVICES).all(|n| {
                    s.cluster
                        .object(Resource::Pipelines, "delivery", &format!("svc-{n}"))
                        .is_some_and(|p| {
                            p["status"]["environments"]["staging"]["stable"].is_object()
                        })
                })
            })
            .await;
            if !lag.is_zero() {
                plan.latency(Duration::from_millis(5)..=Duration::from_millis(100));
                plan.watch_lag(lag);
            }
            let so_far = plan.writes();
            for (write, fault) in deaths {
                plan.at(so_far + write, *fault);
            }
            for n in 0..SERVICES {
                let spec = json!({"action": "deploy", "pipeline": format!("svc-{n}"),
                                  "environment": "staging", "digest": digest('b')});
                Crew::ask(&stage, "alice@example.com", &format!("ask-{n}"), spec).await;
            }
            until(&stage, "all have succeeded", HOURS, |s| {
                let all = s.cluster.objects(Resource::Rollouts, "delivery");
                all.len() == SERVICES && all.iter().all(|r| r["status"]["phase"] == "Succeeded")
            })
            .await;
        })
        .await;
        assert_eq!(plan.fired().len(), deaths.len(), "the agent died as often");
        let seen = seen.lock().unwrap();
        assert_eq!(seen.most, 2, "both places are used, and no third");
        let mut line = seen.began.clone();
        assert_eq!(line.len(), SERVICES);
        assert!(line.iter().all(|(since, _)| !since.is_empty()));
        line.sort();
        assert_eq!(seen.began, line, "who came first begins first");
    });
}

#[test]
fn no_more_than_the_policy_lets_are_under_way_and_the_first_in_line_go_first() {
    for (at, cap) in CAPS {
        released_at_once(&POLICY.replace(at, cap), Duration::ZERO, &[]);
    }
}

/// What a cache does not show yet has begun all the same. Watches that are later than the agent is
/// patient are read around.
#[test]
fn caches_that_are_behind_give_no_place_away_twice() {
    let policy = POLICY.replace(CAPS[0].0, CAPS[0].1);
    for lag in [200, 1500, 8000] {
        released_at_once(&policy, Duration::from_millis(lag), &[]);
    }
}

#[test]
fn an_agent_that_dies_over_and_over_gives_no_place_away_twice() {
    let policy = POLICY.replace(CAPS[0].0, CAPS[0].1);
    for fault in [Fault::CrashBefore, Fault::CrashAfter] {
        for first in [5, 9, 13] {
            let deaths: Vec<(u64, Fault)> = (0..8).map(|n| (first + 11 * n, fault)).collect();
            released_at_once(&policy, Duration::ZERO, &deaths);
        }
    }
}

/// Who still waits for votes, and who only looks, holds nobody up.
#[test]
fn who_cannot_begin_takes_no_place() {
    let policy = POLICY.replace(
        CAPS[1].0,
        "limits: {concurrentRollouts: 1}\nenvironments:\n",
    );
    on_virtual_time(async {
        let (stage, seen) = crowd(&policy);
        let life = Life::new(&stage);
        beside(&stage, &life, &Crew::absent(), async {
            stage.pass(Duration::from_secs(60)).await;
            stage.push("v1.1.0", 'b');
            until(&stage, "production waits for votes", HOURS, |s| {
                let all = s.cluster.objects(Resource::Rollouts, "delivery");
                all.iter()
                    .any(|r| r["status"]["why"]["code"] == "WaitsForVotes")
            })
            .await;
            for (name, dry) in [("ask-0", true), ("ask-1", false)] {
                let spec = json!({"action": "deploy", "pipeline": name.replace("ask", "svc"),
                                  "environment": "staging", "digest": digest('b'), "dryRun": dry});
                Crew::ask(&stage, "alice@example.com", name, spec).await;
            }
            until(&stage, "both are over", HOURS, |s| {
                let ends: BTreeMap<String, String> = s
                    .cluster
                    .objects(Resource::Rollouts, "delivery")
                    .iter()
                    .map(|r| {
                        (
                            r["spec"]["pipeline"].to_string(),
                            r["status"]["phase"].to_string(),
                        )
                    })
                    .collect();
                ends.get("\"svc-0\"").is_some_and(|p| p == "\"Planned\"")
                    && ends.get("\"svc-1\"").is_some_and(|p| p == "\"Succeeded\"")
            })
            .await;
        })
        .await;
        assert_eq!(seen.lock().unwrap().most, 1);
    });
}
