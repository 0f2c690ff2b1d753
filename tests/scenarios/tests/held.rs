//! What is closed, broken or gone holds only what depends on it, says so in one message, and loses
//! nothing.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]

use std::time::Duration;

use serde_json::json;
use sluice_core::policy::Policy;
use sluice_scenarios::oracle::production_changes;
use sluice_scenarios::{
    Crew, Life, POLICY, PRODUCTION, Stage, beside, digest, on_virtual_time, remembered, status,
    until,
};
use sluice_sim::Resource;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTES: Duration = Duration::from_secs(20 * 60);

fn phase_is(
    environment: &'static str,
    tag: &'static str,
    phase: &'static str,
) -> impl Fn(&Stage) -> bool {
    move |stage| status(stage, environment, tag)["phase"] == phase
}

/// Plays a script with v1.0.0 adopted everywhere and the agent and this crew at work.
fn play<F: AsyncFnOnce(&Stage, &Life)>(crew: &Crew, script: F) {
    on_virtual_time(async {
        let stage = Stage::new(7);
        stage.push("v1.0.0", 'a');
        let life = Life::new(&stage);
        beside(&stage, &life, crew, async {
            until(&stage, "the baseline is adopted", MINUTES, |s| {
                remembered(s, "production")["stable"].is_object()
            })
            .await;
            script(&stage, &life).await;
        })
        .await;
    });
}

#[test]
fn without_a_policy_nothing_moves_anywhere() {
    play(&Crew::approving(), async |stage, life| {
        life.set_policy(Policy::absent());
        stage.pass(Duration::from_secs(5)).await;
        stage.push("v1.1.0", 'b');
        stage.pass(HOUR).await;
        assert!(
            stage
                .cluster
                .objects(Resource::Rollouts, "delivery")
                .is_empty()
        );
        assert!(production_changes(&stage.cluster).is_empty());
        for environment in ["staging", "production"] {
            let waiting = remembered(stage, environment)["waiting"].to_string();
            assert!(waiting.contains("closed"), "{environment}: {waiting}");
        }
    });
}

#[test]
fn an_environment_that_no_policy_names_stays_closed() {
    play(&Crew::approving(), async |stage, life| {
        let text = POLICY.replace("\n  production:", "\n  elsewhere:");
        life.set_policy(Policy::parse(&text).unwrap());
        stage.push("v1.1.0", 'b');
        until(
            stage,
            "staging has it",
            HOUR,
            phase_is("staging", "v1.1.0", "Succeeded"),
        )
        .await;
        stage.pass(HOUR).await;
        assert!(production_changes(&stage.cluster).is_empty());
        let waiting = remembered(stage, "production")["waiting"].to_string();
        assert!(waiting.contains("closed"), "{waiting}");
    });
}

#[test]
fn a_registry_that_is_down_holds_only_new_releases_and_loses_none() {
    play(&Crew::approving(), async |stage, _| {
        stage.registry.set_down(true);
        stage.push("v1.1.0", 'b');
        stage.pass(HOUR).await;
        let waiting = remembered(stage, "staging")["waiting"].to_string();
        assert!(waiting.contains("registry"), "{waiting}");
        assert!(
            stage
                .cluster
                .objects(Resource::Rollouts, "delivery")
                .is_empty()
        );
        stage.registry.set_down(false);
        until(
            stage,
            "it is delivered",
            HOUR,
            phase_is("production", "v1.1.0", "Succeeded"),
        )
        .await;
        assert!(remembered(stage, "staging")["waiting"].is_null());
    });
}

#[test]
fn a_missing_deployment_holds_only_its_environment() {
    play(&Crew::approving(), async |stage, _| {
        stage
            .cluster
            .delete(Resource::Deployments, PRODUCTION, "storefront");
        stage.push("v1.1.0", 'b');
        until(
            stage,
            "staging has it",
            HOUR,
            phase_is("staging", "v1.1.0", "Succeeded"),
        )
        .await;
        stage.pass(Duration::from_secs(90)).await;
        let waiting = remembered(stage, "production")["waiting"].to_string();
        assert!(
            waiting.contains("shop/storefront does not exist"),
            "{waiting}"
        );
    });
}

#[test]
fn a_missing_plugin_holds_only_who_needs_it_and_then_it_goes_on() {
    play(&Crew::approving(), async |stage, _| {
        stage.plugins.set_missing("canary", true);
        stage.push("v1.1.0", 'b');
        until(stage, "production holds", HOUR, |s| {
            status(s, "production", "v1.1.0")["why"]["code"] == "PluginMissing"
        })
        .await;
        assert!(
            status(stage, "production", "v1.1.0")["message"]
                .to_string()
                .contains("canary")
        );
        assert!(production_changes(&stage.cluster).is_empty());
        stage.plugins.set_missing("canary", false);
        until(
            stage,
            "it goes on",
            HOUR,
            phase_is("production", "v1.1.0", "Succeeded"),
        )
        .await;
    });
}

#[test]
fn a_hanging_smoke_test_is_never_a_pass() {
    play(&Crew::approving(), async |stage, _| {
        stage.plugins.set_hanging("http-smoke", true);
        stage.push("v1.1.0", 'b');
        until(stage, "staging holds", HOUR, |s| {
            status(s, "staging", "v1.1.0")["why"]["code"] == "CheckInconclusive"
        })
        .await;
        // In time for the deadline it answers again: nothing is lost.
        stage.pass(Duration::from_secs(120)).await;
        assert_eq!(status(stage, "staging", "v1.1.0")["phase"], "Promoting");
        stage.plugins.set_hanging("http-smoke", false);
        until(
            stage,
            "it goes on",
            HOUR,
            phase_is("staging", "v1.1.0", "Succeeded"),
        )
        .await;
    });
}

#[test]
fn a_smoke_test_that_hangs_for_good_rolls_back_without_blaming_the_digest() {
    play(&Crew::approving(), async |stage, _| {
        stage.plugins.set_hanging("http-smoke", true);
        stage.push("v1.1.0", 'b');
        until(
            stage,
            "it is rolled back",
            HOUR,
            phase_is("staging", "v1.1.0", "RolledBack"),
        )
        .await;
        assert!(
            remembered(stage, "staging")["quarantined"].is_null(),
            "an outage of ours"
        );
        assert_eq!(
            remembered(stage, "staging")["stable"]["digest"],
            digest('a')
        );
    });
}

#[test]
fn a_policy_that_closes_while_votes_are_counted_holds_and_opens_again() {
    play(&Crew::absent(), async |stage, life| {
        stage.push("v1.1.0", 'b');
        until(stage, "it is asked for votes", HOUR, |s| {
            status(s, "production", "v1.1.0")["why"]["code"] == "WaitsForVotes"
        })
        .await;
        life.set_policy(Policy::absent());
        until(stage, "it is closed", HOUR, |s| {
            status(s, "production", "v1.1.0")["why"]["code"] == "Closed"
        })
        .await;
        life.set_policy(Policy::parse(POLICY).unwrap());
        until(stage, "it waits for votes again", HOUR, |s| {
            status(s, "production", "v1.1.0")["why"]["code"] == "WaitsForVotes"
        })
        .await;
        assert!(production_changes(&stage.cluster).is_empty());
    });
}

#[test]
fn a_no_of_a_required_role_ends_it_and_the_digest_is_not_proposed_again() {
    let crew = Crew::voting(&[
        ("alice@example.com", "approve"),
        ("bob@example.com", "reject"),
    ]);
    play(&crew, async |stage, _| {
        stage.push("v1.1.0", 'b');
        until(
            stage,
            "it is rejected",
            HOUR,
            phase_is("production", "v1.1.0", "Rejected"),
        )
        .await;
        stage.pass(HOUR).await;
        let all = stage.cluster.objects(Resource::Rollouts, "delivery");
        assert_eq!(
            all.iter()
                .filter(|r| r["spec"]["environment"] == "production")
                .count(),
            1
        );
        assert!(production_changes(&stage.cluster).is_empty());
    });
}

#[test]
fn who_asked_for_it_and_who_has_no_role_cannot_open_the_gate() {
    let crew = Crew::voting(&[
        ("alice@example.com", "approve"),
        ("bob@example.com", "approve"),
        ("carol@example.com", "approve"),
    ]);
    play(&crew, async |stage, _| {
        stage.plugins.set_missing("canary", true);
        stage.push("v1.1.0", 'b');
        until(
            stage,
            "staging has it",
            HOUR,
            phase_is("staging", "v1.1.0", "Succeeded"),
        )
        .await;
        until(stage, "production is proposed", HOUR, |s| {
            status(s, "production", "v1.1.0").is_object()
        })
        .await;
        let name = stage
            .cluster
            .objects(Resource::Rollouts, "delivery")
            .iter()
            .find(|r| r["spec"]["environment"] == "production")
            .map(|r| r["metadata"]["name"].clone());
        Crew::ask(
            stage,
            "carol@example.com",
            "cancel",
            json!({"action": "abort", "rollout": name}),
        )
        .await;
        until(
            stage,
            "it is cancelled",
            HOUR,
            phase_is("production", "v1.1.0", "Cancelled"),
        )
        .await;
        stage.plugins.set_missing("canary", false);
        Crew::ask(
            stage,
            "alice@example.com",
            "by-alice",
            json!({"action": "deploy", "pipeline": "storefront", "environment": "production",
                   "tag": "v1.1.0"}),
        )
        .await;
        until(stage, "alice's own wish waits", HOUR, |s| {
            s.cluster
                .objects(Resource::Rollouts, "delivery")
                .iter()
                .any(|r| {
                    r["spec"]["cause"]["requester"]["username"] == "alice@example.com"
                        && r["status"]["why"]["code"] == "WaitsForVotes"
                })
        })
        .await;
        stage.pass(HOUR).await;
        assert!(production_changes(&stage.cluster).is_empty());
        let waiting = stage
            .cluster
            .objects(Resource::Rollouts, "delivery")
            .iter()
            .find(|r| r["spec"]["cause"]["requester"].is_object())
            .map(|r| r["status"].clone())
            .unwrap();
        assert_eq!(waiting["why"]["missing"], json!(["devops-lead"]));
        let text = waiting["message"].to_string();
        assert!(
            text.contains("carol@example.com") && text.contains("alice"),
            "{text}"
        );
    });
}

#[test]
fn a_person_goes_back_to_the_version_before_and_it_sticks() {
    play(&Crew::approving(), async |stage, _| {
        stage.push("v1.1.0", 'b');
        until(
            stage,
            "it serves",
            HOUR,
            phase_is("production", "v1.1.0", "Succeeded"),
        )
        .await;
        Crew::ask(
            stage,
            "carol@example.com",
            "go-back",
            json!({"action": "rollback", "pipeline": "storefront", "environment": "production",
                   "reason": "orders are lost"}),
        )
        .await;
        until(
            stage,
            "v1.0.0 is back",
            HOUR,
            phase_is("production", "v1.0.0", "Succeeded"),
        )
        .await;
        stage.pass(HOUR).await;
        let production = stage
            .cluster
            .object(Resource::Deployments, PRODUCTION, "storefront")
            .unwrap();
        let image = production["spec"]["template"]["spec"]["containers"][0]["image"].to_string();
        assert!(
            image.contains("storefront:v1.0.0"),
            "the template of then, byte for byte: {image}"
        );
        let state = remembered(stage, "production");
        assert_eq!(state["stable"]["digest"], digest('a'));
        assert_eq!(state["quarantined"][0]["digest"], digest('b'));
    });
}

#[test]
fn an_abort_in_the_canary_puts_the_stable_version_back() {
    play(&Crew::approving(), async |stage, _| {
        stage.push("v1.1.0", 'b');
        until(stage, "the canary is watched", HOUR, |s| {
            status(s, "production", "v1.1.0")["why"]["code"] == "Holds"
        })
        .await;
        let name = stage
            .cluster
            .objects(Resource::Rollouts, "delivery")
            .iter()
            .find(|r| r["spec"]["environment"] == "production")
            .map(|r| r["metadata"]["name"].clone());
        Crew::ask(
            stage,
            "carol@example.com",
            "stop-it",
            json!({"action": "abort", "rollout": name, "reason": "not today"}),
        )
        .await;
        until(
            stage,
            "it is back",
            MINUTES,
            phase_is("production", "v1.1.0", "RolledBack"),
        )
        .await;
        assert_eq!(
            stage
                .cluster
                .objects(Resource::Deployments, PRODUCTION)
                .len(),
            1
        );
        let state = remembered(stage, "production");
        assert!(
            state["quarantined"].is_null(),
            "an abort is nobody's verdict"
        );
    });
}

#[test]
fn a_target_deleted_in_the_middle_ends_failed_and_is_not_resurrected() {
    play(&Crew::approving(), async |stage, _| {
        stage.push("v1.1.0", 'b');
        until(stage, "the canary is watched", HOUR, |s| {
            status(s, "production", "v1.1.0")["why"]["code"] == "Holds"
        })
        .await;
        stage
            .cluster
            .delete(Resource::Deployments, PRODUCTION, "storefront");
        until(
            stage,
            "it is over",
            HOUR,
            phase_is("production", "v1.1.0", "Failed"),
        )
        .await;
        stage.pass(HOUR).await;
        let left = stage.cluster.objects(Resource::Deployments, PRODUCTION);
        assert!(left.is_empty(), "nothing is left: {left:?}");
    });
}
