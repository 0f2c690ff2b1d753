//! The global stop (requirement G24): everything but ways back holds before its next step, whoever
//! stopped it says why, and it lifts by a person or by itself.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]

use std::time::Duration;

use serde_json::json;
use sluice_scenarios::oracle::production_changes;
use sluice_scenarios::{
    Crew, POLICY, Stage, answer, answered, phase_is, play, rollout_name, target, until, why_is,
};
use sluice_sim::Resource;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTES: Duration = Duration::from_secs(20 * 60);

async fn stop(stage: &Stage, name: &str) {
    let spec = json!({"action": "stop", "reason": "the database is down"});
    Crew::ask(stage, "carol@example.com", name, spec).await;
    let status = answered(stage, name).await;
    assert_eq!(status["state"], "accepted", "{status}");
}

async fn watched(stage: &Stage) {
    stage.push("v1.1.0", 'b');
    let holds = why_is("production", "v1.1.0", "Holds");
    until(stage, "the canary is watched", HOUR, holds).await;
}

#[test]
fn in_the_middle_of_a_canary_it_holds_before_the_next_step_and_goes_on_after_a_start() {
    play(POLICY, &Crew::approving(), async |stage, _| {
        watched(stage).await;
        stop(stage, "halt").await;
        let stopped = why_is("production", "v1.1.0", "Stopped");
        until(stage, "it holds", MINUTES, &stopped).await;
        let before = production_changes(&stage.cluster).len();
        stage.pass(HOUR).await;
        assert!(stopped(stage), "for as long as nobody starts it");
        assert_eq!(production_changes(&stage.cluster).len(), before);
        assert_eq!(
            target(stage)["spec"]["replicas"],
            9,
            "the canary has its share"
        );
        let spec = json!({"action": "start", "reason": "it is up again"});
        // Carol may stop; only who approves somewhere may start again.
        Crew::ask(stage, "carol@example.com", "not-hers", spec.clone()).await;
        let status = answered(stage, "not-hers").await;
        assert_eq!(status["state"], "refused", "{status}");
        stage.pass(MINUTES).await;
        assert!(stopped(stage));
        Crew::ask(stage, "bob@example.com", "go", spec).await;
        let status = answered(stage, "go").await;
        assert_eq!(
            status["message"],
            "the stop by kubernetes:carol@example.com is lifted"
        );
        let done = phase_is("production", "v1.1.0", "Succeeded");
        until(stage, "it goes on", HOUR, done).await;
    });
}

/// Nothing begins while it holds: neither what waits at its gate with every vote, nor what is new.
#[test]
fn nothing_new_begins() {
    play(POLICY, &Crew::approving(), async |stage, _| {
        stop(stage, "halt").await;
        stage.push("v1.1.0", 'b');
        let stopped = why_is("staging", "v1.1.0", "Stopped");
        until(stage, "staging holds", HOUR, stopped).await;
        stage.pass(HOUR).await;
        assert!(production_changes(&stage.cluster).is_empty());
        let agent = stage.cluster.agent();
        let workloads = stage
            .cluster
            .writes()
            .iter()
            .filter(|w| w.user == agent && w.resource == Resource::Deployments)
            .count();
        assert_eq!(workloads, 0);
    });
}

#[test]
fn it_lifts_by_itself_at_its_time() {
    play(POLICY, &Crew::approving(), async |stage, _| {
        watched(stage).await;
        let until_then = stage.cluster.clock().now() + Duration::from_secs(30 * 60);
        let spec =
            json!({"action": "stop", "reason": "a deploy of the network", "until": until_then});
        Crew::ask(stage, "carol@example.com", "halt", spec).await;
        let stopped = why_is("production", "v1.1.0", "Stopped");
        until(stage, "it holds", MINUTES, &stopped).await;
        let done = phase_is("production", "v1.1.0", "Succeeded");
        until(stage, "it goes on by itself", HOUR, |s| !stopped(s)).await;
        let late = stage.cluster.clock().now().duration_since(until_then);
        assert!((0..=2).contains(&late.as_secs()), "{late}");
        until(stage, "it ends well", HOUR, done).await;
    });
}

#[test]
fn under_a_stop_an_abort_puts_the_stable_version_back() {
    play(POLICY, &Crew::approving(), async |stage, _| {
        watched(stage).await;
        stop(stage, "halt").await;
        let spec = json!({"action": "abort", "reason": "not today",
                          "rollout": rollout_name(stage, "production", "v1.1.0")});
        Crew::ask(stage, "carol@example.com", "abort", spec).await;
        let back = phase_is("production", "v1.1.0", "RolledBack");
        until(stage, "it is back", MINUTES, back).await;
        assert_eq!(target(stage)["spec"]["replicas"], 10);
    });
}

/// A bad release that is stopped in its canary is still found out, and goes back.
#[test]
fn under_a_stop_a_way_back_to_the_version_before_goes_through() {
    play(POLICY, &Crew::approving(), async |stage, _| {
        stage.push("v1.1.0", 'b');
        let serves = phase_is("production", "v1.1.0", "Succeeded");
        until(stage, "v1.1.0 serves", HOUR, serves).await;
        stop(stage, "halt").await;
        let spec = json!({"action": "rollback", "pipeline": "storefront",
                          "environment": "production", "reason": "orders are lost"});
        Crew::ask(stage, "carol@example.com", "back", spec).await;
        let back = phase_is("production", "v1.0.0", "Succeeded");
        until(stage, "v1.0.0 serves", MINUTES, back).await;
    });
}

#[test]
fn what_makes_no_sense_is_refused_and_a_wish_about_nothing_gets_an_answer() {
    play(POLICY, &Crew::absent(), async |stage, _| {
        let past = stage.cluster.clock().now() - Duration::from_secs(60);
        for (name, spec, why) in [
            ("silent", json!({"action": "stop"}), "needs a reason"),
            (
                "past",
                json!({"action": "stop", "reason": "x", "until": past}),
                "has passed already",
            ),
            ("idle", json!({"action": "start"}), "nothing is stopped"),
            (
                "narrow",
                json!({"action": "stop", "reason": "x", "pipeline": "storefront",
                       "environment": "production"}),
                "leave out pipeline",
            ),
            ("lost", json!({"action": "deploy"}), "names neither"),
        ] {
            Crew::ask(stage, "bob@example.com", name, spec).await;
            let status = answered(stage, name).await;
            assert_eq!(status["state"], "refused", "{name}: {status}");
            let message = status["message"].to_string();
            assert!(message.contains(why), "{name}: {message}");
        }
    });
}

/// What is kept of it is bounded; the stop that holds is never removed.
#[test]
fn old_wishes_are_removed_and_the_one_in_force_stays() {
    play(POLICY, &Crew::absent(), async |stage, _| {
        stop(stage, "first").await;
        for n in 0..80 {
            let name = format!("no-{n}");
            Crew::ask(
                stage,
                "carol@example.com",
                &name,
                json!({"action": "start"}),
            )
            .await;
            answered(stage, &name).await;
        }
        stage.pass(MINUTES).await;
        let left = stage.cluster.objects(Resource::Requests, "delivery").len();
        assert_eq!(left, 51, "fifty without effect, and the stop");
        assert_eq!(answer(stage, "first")["state"], "accepted");
        assert!(answer(stage, "no-0").is_null(), "the oldest went");
        assert_eq!(answer(stage, "no-79")["state"], "refused");
        stage.push("v1.1.0", 'b');
        let stopped = why_is("staging", "v1.1.0", "Stopped");
        until(stage, "it still holds", HOUR, stopped).await;
    });
}
