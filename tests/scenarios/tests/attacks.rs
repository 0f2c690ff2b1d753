//! Attacks on approvals and windows (reliability.md section 5), each with its expected outcome.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]

use std::time::Duration;

use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use sluice_cluster::crd::Rollout;
use sluice_core::policy::Policy;
use sluice_scenarios::oracle::production_changes;
use sluice_scenarios::{
    Crew, POLICY, Stage, phase_is, play, rollout_name, status, target, until, why_is,
};
use sluice_sim::Resource;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTES: Duration = Duration::from_secs(20 * 60);

fn timer() -> String {
    POLICY.replace("{role: tech-lead}]}", "{role: tech-lead}], waitTimer: 30m}")
}

fn hash(stage: &Stage) -> String {
    status(stage, "production", "v1.1.0")["approval"]["hash"].to_string()
}

/// Attack 13: an approver loses the role before the gate opens. Their vote is void.
#[test]
fn attack_13_the_vote_of_somebody_who_lost_the_role_is_void() {
    play(&timer(), &Crew::approving(), async |stage, life| {
        stage.push("v1.1.0", 'b');
        let waits = why_is("production", "v1.1.0", "WaitsForTimer");
        until(stage, "the votes are in", HOUR, waits).await;
        let without = timer()
            .replace(
                "devops-lead: {people: [alice]}",
                "devops-lead: {people: [carol]}",
            )
            .replace(
                "people:\n",
                "people:\n  - {name: carol, kubernetes: carol@example.com}\n",
            );
        life.set_policy(Policy::parse(&without).unwrap());
        let missing = |s: &Stage| status(s, "production", "v1.1.0")["why"]["missing"].clone();
        until(stage, "a vote is missing again", MINUTES, |s| {
            missing(s) == json!(["devops-lead"])
        })
        .await;
        // Alice goes on voting for whatever is asked.
        stage.pass(2 * HOUR).await;
        assert_eq!(missing(stage), json!(["devops-lead"]));
        assert!(production_changes(&stage.cluster).is_empty());
    });
}

/// Attack 15: the policy asks for less while votes are pending. What was signed was signed under
/// another policy: it is asked for anew.
#[test]
fn attack_15_a_policy_that_asks_for_less_meanwhile_asks_again() {
    let crew = Crew::voting(&[("alice@example.com", "approve")]);
    play(POLICY, &crew, async |stage, life| {
        stage.push("v1.1.0", 'b');
        until(stage, "one of two has voted", HOUR, |s| {
            status(s, "production", "v1.1.0")["why"]["missing"] == json!(["tech-lead"])
        })
        .await;
        let (first, votes) = (hash(stage), votes(stage));
        let lower = POLICY.replace(
            "[{role: devops-lead}, {role: tech-lead}]",
            "[{role: devops-lead}]",
        );
        life.set_policy(Policy::parse(&lower).unwrap());
        until(stage, "it is asked for anew", MINUTES, |s| hash(s) != first).await;
        let journal = status(stage, "production", "v1.1.0");
        assert_eq!(
            journal["why"]["missing"],
            json!(["devops-lead"]),
            "her vote is void"
        );
        let done = phase_is("production", "v1.1.0", "Succeeded");
        until(stage, "she signed that, too", HOUR, done).await;
        assert_eq!(votes + 1, self::votes(stage));
    });
}

fn votes(stage: &Stage) -> usize {
    stage.cluster.objects(Resource::Approvals, "delivery").len()
}

/// Attack 16: somebody writes into the status that it was approved. The API server refuses it; the
/// agent counts votes and believes no status.
#[test]
fn attack_16_a_forged_status_is_refused_and_opens_nothing() {
    play(POLICY, &Crew::absent(), async |stage, _| {
        stage.push("v1.1.0", 'b');
        let waits = why_is("production", "v1.1.0", "WaitsForVotes");
        until(stage, "it waits for votes", HOUR, &waits).await;
        let name = rollout_name(stage, "production", "v1.1.0");
        for who in ["alice@example.com", sluice_sim::ADMIN] {
            let api: Api<Rollout> = Api::namespaced(stage.cluster.client(who), "delivery");
            for status in [
                json!({"state": {"phase": "Progressing", "index": 2, "stage": {"name": "shift"}}}),
                json!({"phase": "Progressing", "why": null}),
                json!({"epoch": 1_000_000}),
                json!({"slotWantedAt": "2020-01-01T00:00:00Z"}),
            ] {
                let patch = Patch::Merge(json!({"status": status}));
                let written = api
                    .patch_status(&name, &PatchParams::default(), &patch)
                    .await;
                let refusal = written.unwrap_err().to_string();
                assert!(
                    refusal.contains("only the agent writes a status"),
                    "{refusal}"
                );
            }
        }
        stage.pass(HOUR).await;
        assert!(waits(stage));
        assert!(production_changes(&stage.cluster).is_empty());
    });
}

/// The policy with a freeze that begins with the next full minute and lasts for a day.
fn freezes(stage: &Stage) -> String {
    let now = stage.cluster.clock().now().as_second();
    let minute = |second: i64| {
        let text = jiff::Timestamp::from_second(second).unwrap().to_string();
        text.get(..16).unwrap_or_default().to_owned()
    };
    let begin = (now / 60 + 1) * 60;
    let freeze = format!(
        "    windows: [{{freeze: \"{}/{}\", timeZone: UTC, reason: year end}}]\n",
        minute(begin),
        minute(begin + 24 * 3600)
    );
    POLICY.replace(
        "    after: [staging]\n",
        &format!("    after: [staging]\n{freeze}"),
    )
}

/// Attack 38: a freeze begins between the votes and the start. Nothing begins.
#[test]
fn attack_38_a_freeze_that_begins_after_the_votes_holds_the_start() {
    let timer =
        |text: String| text.replace("{role: tech-lead}]}", "{role: tech-lead}], waitTimer: 30m}");
    play(
        &timer(POLICY.into()),
        &Crew::approving(),
        async |stage, life| {
            stage.push("v1.1.0", 'b');
            let waits = why_is("production", "v1.1.0", "WaitsForTimer");
            until(stage, "the votes are in", HOUR, waits).await;
            life.set_policy(Policy::parse(&timer(freezes(stage))).unwrap());
            let frozen = why_is("production", "v1.1.0", "WindowClosed");
            until(stage, "it is frozen", 2 * HOUR, frozen).await;
            assert!(production_changes(&stage.cluster).is_empty());
        },
    );
}

/// Attack 38: a freeze begins in the middle of a canary. It holds before the next step, and going back
/// works all the same.
#[test]
fn attack_38_a_freeze_in_the_middle_of_a_canary_holds_and_going_back_works() {
    play(POLICY, &Crew::approving(), async |stage, life| {
        stage.push("v1.1.0", 'b');
        let watched = why_is("production", "v1.1.0", "Holds");
        until(stage, "the canary is watched", HOUR, watched).await;
        life.set_policy(Policy::parse(&freezes(stage)).unwrap());
        let frozen = why_is("production", "v1.1.0", "WindowClosed");
        until(stage, "it is frozen", MINUTES, &frozen).await;
        let before = production_changes(&stage.cluster).len();
        stage.pass(2 * HOUR).await;
        assert!(frozen(stage));
        assert_eq!(production_changes(&stage.cluster).len(), before);
        let spec = json!({"action": "rollback", "reason": "orders are lost",
                          "rollout": rollout_name(stage, "production", "v1.1.0")});
        Crew::ask(stage, "carol@example.com", "back", spec).await;
        let back = phase_is("production", "v1.1.0", "RolledBack");
        until(stage, "it went back in the freeze", MINUTES, back).await;
        assert_eq!(target(stage)["spec"]["replicas"], 10);
    });
}
