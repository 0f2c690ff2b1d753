//! Others meanwhile: people and GitOps write the Service and the route that lead traffic, pods go, an
//! autoscaler works, the promoted version goes bad, and nobody is there for an hour. The live Service
//! is never without ready pods, and nobody is fought (reliability.md section 6, W10, attacks 32 and 35).

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "indexing JSON by key gives null, never a panic; tests fail by panicking"
)]

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_scenarios::strategies::{ROUTE, Way, policy, route};
use sluice_scenarios::{
    Crew, Life, PRODUCTION, REPOSITORY, Stage, Story, digest, on_virtual_time, oracle, phase_is,
    quiet, remembered, run, sound, status, stuck, target, to_its_end, until, why_is,
};
use sluice_sim::{Behaviour, Fault, Readiness, Resource, WriteRecord};

const HOUR: Duration = Duration::from_secs(3600);
/// Shorter than the progress deadline, after which a hold becomes a rollback.
const A_WHILE: Duration = Duration::from_secs(5 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// Plays a script with v1.0.0 adopted everywhere, v1.1.0 pushed, and production moved this way.
fn play(way: Way, script: impl AsyncFnOnce(&Stage)) {
    sluice_scenarios::play(&policy(), &Crew::approving(), async |stage, _| {
        way.lay(stage);
        stage.push("v1.1.0", 'b');
        script(stage).await;
    });
}

fn why(code: &'static str) -> impl Fn(&Stage) -> bool {
    why_is("production", "v1.1.0", code)
}

fn phase(phase: &'static str) -> impl Fn(&Stage) -> bool {
    phase_is("production", "v1.1.0", phase)
}

async fn comes_to(stage: &Stage, code: &'static str) {
    until(stage, code, HOUR, why(code)).await;
}

fn selector(stage: &Stage) -> Value {
    let service = stage
        .cluster
        .object(Resource::Services, PRODUCTION, "storefront");
    service
        .map(|s| s["spec"]["selector"].clone())
        .unwrap_or_default()
}

fn select(stage: &Stage, selector: &Value) -> bool {
    stage
        .cluster
        .modify(Resource::Services, PRODUCTION, "storefront", |s| {
            s["spec"]["selector"] = selector.clone();
        })
}

fn git() -> Value {
    json!({"app": "storefront"})
}

/// What the agent asked of an object of production after a write, carried out or refused.
fn writes(stage: &Stage, resource: Resource, name: &str, after: u64) -> Vec<WriteRecord> {
    let agent = stage.cluster.agent();
    let mut writes = stage.cluster.writes_after(after);
    writes.retain(|w| {
        w.user == agent && w.resource == resource && w.namespace == PRODUCTION && w.name == name
    });
    writes
}

fn fewest(stage: &Stage) -> usize {
    // The first pods are up within ten seconds.
    let begin = stage.cluster.writes()[0].at + jiff::SignedDuration::from_secs(10);
    stage.cluster.fewest_ready(PRODUCTION, "storefront", begin)
}

fn blamed(stage: &Stage) -> bool {
    remembered(stage, "production")["quarantined"].is_array()
}

/// Nothing of a candidate is left.
fn cleared(stage: &Stage) {
    for resource in [Resource::Deployments, Resource::Services] {
        let left = stage.cluster.objects(resource, PRODUCTION);
        assert_eq!(left.len(), 1, "{resource:?}: {left:#?}");
    }
    assert_eq!(selector(stage), git());
}

#[test]
fn a_person_who_leads_the_service_back_is_not_fought_and_it_goes_on_when_it_is_put_back() {
    play(Way::BlueGreen, async |stage| {
        comes_to(stage, "Watches").await;
        let switched = selector(stage);
        assert_ne!(switched, git());
        assert!(select(stage, &git()));
        let seq = stage.cluster.last_write();
        until(stage, "it holds", MINUTE, why("Drifted")).await;
        stage.pass(A_WHILE).await;
        assert_eq!(
            writes(stage, Resource::Services, "storefront", seq).len(),
            0
        );
        assert!(why("Drifted")(stage), "it still holds");
        assert!(select(stage, &switched));
        until(stage, "it goes on", HOUR, phase("Succeeded")).await;
        stage.pass(MINUTE).await;
        assert_eq!(fewest(stage), 10);
        cleared(stage);
    });
}

#[test]
fn a_service_that_somebody_led_back_for_good_ends_in_a_rollback_without_blame() {
    play(Way::BlueGreen, async |stage| {
        comes_to(stage, "Watches").await;
        assert!(select(stage, &git()));
        until(stage, "it goes back", HOUR, phase("RolledBack")).await;
        stage.pass(MINUTE).await;
        assert_eq!(fewest(stage), 10);
        assert!(!blamed(stage));
        cleared(stage);
    });
}

#[test]
fn a_selector_of_somebody_elses_is_held_and_explained() {
    play(Way::BlueGreen, async |stage| {
        comes_to(stage, "Watches").await;
        let switched = selector(stage);
        let theirs = json!({"app": "storefront", "tier": "web"});
        assert!(select(stage, &theirs));
        let seq = stage.cluster.last_write();
        stage.pass(A_WHILE).await;
        assert_eq!(
            writes(stage, Resource::Services, "storefront", seq).len(),
            0
        );
        assert!(select(stage, &switched));
        until(stage, "it goes on", HOUR, phase("Succeeded")).await;
        cleared(stage);
    });
}

#[test]
fn gitops_that_syncs_the_service_every_minute_never_meets_an_empty_one_nor_a_fight() {
    play(Way::BlueGreen, async |stage| {
        let gitops = async {
            loop {
                stage.pass(MINUTE).await;
                select(stage, &git());
            }
        };
        let over = |s: &Stage| phase("Succeeded")(s) || phase("RolledBack")(s);
        let script = async {
            until(stage, "it is over", HOUR, over).await;
            stage.pass(10 * MINUTE).await;
        };
        tokio::select! {
            () = gitops => {}
            () = script => {}
        }
        assert_eq!(fewest(stage), 10);
        let all = writes(stage, Resource::Services, "storefront", 0);
        assert!(!all.is_empty(), "it did begin");
        for first in &all {
            let minute = all
                .iter()
                .filter(|w| w.at >= first.at && w.at.duration_since(first.at).as_secs() < 60);
            assert!(minute.count() <= 3, "{all:#?}");
        }
        assert!(!blamed(stage));
        cleared(stage);
    });
}

#[test]
fn a_service_that_is_made_anew_finds_the_pods_that_were_always_there() {
    play(Way::BlueGreen, async |stage| {
        comes_to(stage, "Watches").await;
        let old = stage
            .cluster
            .object(Resource::Services, PRODUCTION, "storefront")
            .unwrap();
        let made = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "storefront", "namespace": PRODUCTION},
            "spec": {"selector": git(), "ports": old["spec"]["ports"]},
        });
        let seq = stage.cluster.last_write();
        let at = stage.cluster.clock().now();
        assert!(
            stage
                .cluster
                .delete(Resource::Services, PRODUCTION, "storefront")
        );
        stage.pass(Duration::from_secs(1)).await;
        stage.cluster.apply(made).unwrap();
        let ready = |s: &Stage| s.cluster.ready_behind(PRODUCTION, "storefront") == 10;
        until(stage, "it finds them", MINUTE, ready).await;
        until(stage, "it goes back", HOUR, phase("RolledBack")).await;
        stage.pass(MINUTE).await;
        assert_eq!(
            writes(stage, Resource::Services, "storefront", seq).len(),
            0
        );
        // Between the deletion and the new one's first endpoints: that is not the agent's doing.
        let without = stage
            .cluster
            .time_without_pods(PRODUCTION, "storefront", at);
        assert!(without < Duration::from_secs(5), "{without:?}");
        assert!(!blamed(stage));
        cleared(stage);
    });
}

/// The HTTPRoute of production as somebody else changes it.
fn change_route(stage: &Stage, change: impl FnOnce(&mut Value)) -> bool {
    stage
        .cluster
        .modify(Resource::HttpRoutes, PRODUCTION, ROUTE, |r| {
            change(&mut r["spec"]["rules"]);
        })
}

fn rules(stage: &Stage) -> Value {
    let route = stage
        .cluster
        .object(Resource::HttpRoutes, PRODUCTION, ROUTE);
    route
        .map(|r| r["spec"]["rules"].clone())
        .unwrap_or_default()
}

/// Another rule before all others, another header in an old one.
fn edit(rules: &mut Value) {
    let list = rules.as_array_mut().unwrap();
    list[0]["filters"][0]["requestRedirect"]["hostname"] = json!("office.example.com");
    list[1]["timeouts"]["request"] = json!("20s");
    let first = json!({
        "name": "robots",
        "matches": [{"path": {"type": "Exact", "value": "/robots.txt"}}],
        "backendRefs": [{"group": "", "kind": "Service", "name": "robots", "port": 80, "weight": 1}],
    });
    list.insert(0, first);
}

#[test]
fn rules_that_others_edit_in_the_middle_stay_as_they_wrote_them() {
    play(Way::Route, async |stage| {
        comes_to(stage, "Holds").await;
        assert!(change_route(stage, edit));
        until(stage, "it succeeds", HOUR, phase("Succeeded")).await;
        stage.pass(MINUTE).await;
        let mut wanted = route()["spec"]["rules"].clone();
        edit(&mut wanted);
        assert_eq!(rules(stage).to_string(), wanted.to_string());
        assert_eq!(fewest(stage), 10);
        cleared(stage);
    });
}

#[test]
fn weights_that_a_person_sets_are_held_and_not_fought() {
    play(Way::Route, async |stage| {
        comes_to(stage, "Holds").await;
        let before = rules(stage);
        assert!(change_route(stage, |r| r[1]["backendRefs"][0]["weight"] = json!(7)));
        let seq = stage.cluster.last_write();
        until(stage, "it holds", MINUTE, why("Drifted")).await;
        stage.pass(A_WHILE).await;
        assert_eq!(writes(stage, Resource::HttpRoutes, ROUTE, seq).len(), 0);
        assert!(change_route(stage, |r| r.clone_from(&before)));
        until(stage, "it goes on", HOUR, phase("Succeeded")).await;
        cleared(stage);
    });
}

#[test]
fn weights_that_a_person_leaves_end_in_a_rollback_without_a_dead_reference() {
    play(Way::Route, async |stage| {
        comes_to(stage, "Holds").await;
        assert!(change_route(stage, |r| r[1]["backendRefs"][0]["weight"] = json!(7)));
        until(stage, "it goes back", HOUR, phase("RolledBack")).await;
        stage.pass(MINUTE).await;
        let left = rules(stage)[1]["backendRefs"].to_string();
        assert!(!left.contains("candidate"), "{left}");
        assert!(!blamed(stage));
        assert_eq!(fewest(stage), 10);
        cleared(stage);
    });
}

/// From now on new pods of the release are never ready: those that run, run on.
fn goes_bad(stage: &Stage) {
    let never = Behaviour::serving("v1.1.0").readiness(Readiness::Never);
    stage.cluster.images().set(REPOSITORY, &digest('b'), never);
}

#[test]
fn a_promoted_version_that_goes_bad_leaves_the_old_one_until_it_is_back() {
    for (way, at) in [
        (Way::Route, "Promoting"),
        (Way::Ingress, "Promoting"),
        (Way::BlueGreen, "Finishing"),
        (Way::Canary, "Promoting"),
    ] {
        play(way, async |stage| {
            until(stage, at, HOUR, phase(at)).await;
            goes_bad(stage);
            until(stage, "it goes back", HOUR, phase("RolledBack")).await;
            stage.pass(MINUTE).await;
            assert_eq!(fewest(stage), 10, "{way:?}");
            assert!(
                target(stage).to_string().contains("storefront:v1.0.0"),
                "{way:?}"
            );
            cleared(stage);
        });
    }
}

/// A pod of the candidate is evicted.
fn evict(stage: &Stage) -> bool {
    let pods = stage.cluster.objects(Resource::Pods, PRODUCTION);
    let candidate = pods
        .iter()
        .find(|p| p["metadata"]["labels"]["sluice.dev/role"] == "canary")
        .and_then(|p| p["metadata"]["name"].as_str());
    candidate.is_some_and(|name| stage.cluster.delete(Resource::Pods, PRODUCTION, name))
}

#[test]
fn pods_of_a_candidate_that_are_moved_elsewhere_do_not_end_it() {
    for (way, code, least) in [
        (Way::Route, "Holds", 10),
        (Way::Ingress, "Holds", 10),
        (Way::BlueGreen, "Holds", 10),
        // The candidate serves: one of its ten pods is away for a moment.
        (Way::BlueGreen, "Watches", 9),
    ] {
        play(way, async |stage| {
            comes_to(stage, code).await;
            assert!(evict(stage));
            until(stage, "it succeeds", HOUR, phase("Succeeded")).await;
            stage.pass(MINUTE).await;
            assert!(fewest(stage) >= least, "{way:?} {code}: {}", fewest(stage));
            cleared(stage);
        });
    }
}

#[test]
fn an_autoscaler_keeps_its_number_of_pods_while_a_route_is_shared() {
    play(Way::Route, async |stage| {
        let autoscaler = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "storefront", "namespace": PRODUCTION},
            "spec": {
                "scaleTargetRef":
                    {"apiVersion": "apps/v1", "kind": "Deployment", "name": "storefront"},
                "minReplicas": 10, "maxReplicas": 14,
            },
        });
        stage.cluster.apply(autoscaler).unwrap();
        let mut wanted = [12, 14, 13, 10, 11].into_iter().cycle();
        let scales = async {
            loop {
                stage.pass(Duration::from_secs(15)).await;
                let replicas = json!(wanted.next());
                stage
                    .cluster
                    .modify(Resource::Deployments, PRODUCTION, "storefront", |d| {
                        d["spec"]["replicas"] = replicas;
                    });
            }
        };
        tokio::select! {
            () = scales => {}
            () = until(stage, "it succeeds", HOUR, phase("Succeeded")) => {}
        }
        for w in writes(stage, Resource::Deployments, "storefront", 0) {
            let count = |s: &Option<sluice_sim::Summary>| s.as_ref().and_then(|s| s.replicas);
            assert_eq!(count(&w.before), count(&w.after), "{}", w.body);
        }
        assert!(fewest(stage) >= 10);
        stage.pass(MINUTE).await;
        assert_eq!(
            rules(stage).to_string(),
            route()["spec"]["rules"].to_string()
        );
        cleared(stage);
    });
}

/// The agent dies when a write of its was carried out, and for an hour there is none.
async fn an_hour_alone(write: u64) -> Result<String, String> {
    let stage = Story::BlueGreen.stage(1);
    let plan = stage.cluster.faults(&stage.cluster.agent());
    plan.at(write, Fault::CrashAfter);
    let begin = stage.cluster.clock().now();
    stage.push("v1.0.0", 'a');
    let life = Life::new(&stage).resting(HOUR);
    let crew = Crew::approving();
    let play = async {
        to_its_end(&stage, Story::BlueGreen).await;
        quiet(&stage).await
    };
    tokio::select! {
        ended = play => ended?,
        () = life.go_on(&stage) => return Err("the agent's life ended".into()),
        () = crew.work(&stage) => return Err("the crew left".into()),
        why = stuck(&stage) => return Err(why),
    }
    sound(&stage, Story::BlueGreen, begin)?;
    let state = oracle::final_state(&stage.cluster);
    if state.deployments.len() != 2 {
        return Err(format!("{:?}", state.deployments));
    }
    let phase = status(&stage, "production", "v1.1.0")["phase"].to_string();
    match phase.as_str() {
        "\"Succeeded\"" | "\"RolledBack\"" => Ok(phase),
        other => Err(format!("ends {other}")),
    }
}

#[test]
fn an_hour_without_an_agent_in_any_phase_of_blue_green_empties_nothing() {
    let started = Instant::now();
    let calm = on_virtual_time(run(Story::BlueGreen, 1, &[])).unwrap();
    let first = calm
        .listing
        .iter()
        .position(|w| w.contains("-production-"))
        .unwrap();
    let (mut runs, mut ends) = (0, std::collections::BTreeMap::new());
    let mut failures = Vec::new();
    for write in (u64::try_from(first).unwrap()..=calm.writes).step_by(2) {
        runs += 1;
        match on_virtual_time(an_hour_alone(write)) {
            Ok(phase) => *ends.entry(phase).or_insert(0) += 1,
            Err(why) => failures.push(format!("after write {write}: {why}")),
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "an hour without an agent in blue-green: {runs} runs, {} failures, {ends:?}; {:.0} s",
        failures.len(),
        started.elapsed().as_secs_f64()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
