//! What leaves out part of the usual way, or all of it: no canary (A7), broken glass (A11), a dry run
//! (A8), and machines that ask.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]

use std::time::Duration;

use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use sluice_cluster::crd::Request;
use sluice_core::plugin::Severity;
use sluice_core::policy::Policy;
use sluice_scenarios::oracle::production_changes;
use sluice_scenarios::{
    Crew, POLICY, PRODUCTION, Stage, answered, phase_is, play, remembered, rollout_name, status,
    target, until, why_is,
};
use sluice_sim::Resource;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTES: Duration = Duration::from_secs(20 * 60);

/// Nothing comes to production by itself; carol is a lead, too.
fn policy(production: &str) -> String {
    POLICY
        .replace(
            "devops-lead: {people: [alice]}",
            "devops-lead: {people: [alice, carol]}",
        )
        .replace(
            "people:\n",
            "people:\n  - {name: carol, kubernetes: carol@example.com}\n",
        )
        .replace(
            "triggers: [upstream, manual]",
            "triggers: [manual, webhook]",
        )
        .replace(
            "    after: [staging]\n",
            &format!("    after: [staging]\n{production}"),
        )
}

async fn in_staging(stage: &Stage, tag: &'static str, letter: char) {
    stage.push(tag, letter);
    let there = phase_is("staging", tag, "Succeeded");
    until(stage, "staging has it", HOUR, there).await;
}

async fn ask(stage: &Stage, who: &str, name: &str, tag: &str, more: Value) -> Value {
    let mut spec = json!({"action": "deploy", "pipeline": "storefront",
                          "environment": "production", "tag": tag});
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        spec[key] = value;
    }
    Crew::ask(stage, who, name, spec).await;
    answered(stage, name).await
}

const SKIPS: &str = "    skipCanary: {allowedFor: [devops-lead]}\n";

#[test]
fn a_release_that_skips_its_canary_goes_to_everybody_in_one_checked_step() {
    play(&policy(SKIPS), &Crew::approving(), async |stage, _| {
        in_staging(stage, "v1.1.0", 'b').await;
        let skip = json!({"skipCanary": true, "reason": "the site is down"});
        for (who, name, more, why) in [
            (
                "bob@example.com",
                "no-right",
                skip.clone(),
                "may not skip the canary",
            ),
            (
                "carol@example.com",
                "silent",
                json!({"skipCanary": true}),
                "needs a reason",
            ),
        ] {
            let status = ask(stage, who, name, "v1.1.0", more).await;
            assert_eq!(status["state"], "refused", "{name}: {status}");
            assert!(status["message"].to_string().contains(why), "{status}");
        }
        let status_of = ask(stage, "carol@example.com", "skip", "v1.1.0", skip).await;
        assert_eq!(status_of["state"], "accepted", "{status_of}");
        let done = phase_is("production", "v1.1.0", "Succeeded");
        until(stage, "it serves", HOUR, done).await;
        let journal = status(stage, "production", "v1.1.0");
        let steps = journal["plan"]["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 1, "{steps:?}");
        assert_eq!(steps[0]["achievedBp"], 10_000);
        let checks = journal["checks"].as_array().unwrap();
        assert!(!checks.is_empty(), "it was checked all the same");
        let agent = stage.cluster.agent();
        let canaries = stage.cluster.writes().into_iter().filter(|w| {
            w.user == agent
                && w.verb == "create"
                && w.resource == Resource::Deployments
                && w.namespace == PRODUCTION
        });
        assert_eq!(canaries.count(), 0);
        let told = stage.plugins.told();
        let loud: Vec<_> = told
            .iter()
            .filter(|e| e.title.contains("SKIPS THE CANARY"))
            .collect();
        assert!(
            loud.iter()
                .any(|e| e.kind == "approval-requested" && e.severity == Severity::Critical),
            "{loud:#?}"
        );
    });
}

#[test]
fn a_bad_release_that_skips_its_canary_is_still_found_out() {
    play(&policy(SKIPS), &Crew::approving(), async |stage, _| {
        in_staging(stage, "v1.2.0", 'c').await;
        let skip = json!({"skipCanary": true, "reason": "the site is down"});
        ask(stage, "carol@example.com", "skip", "v1.2.0", skip).await;
        let back = phase_is("production", "v1.2.0", "RolledBack");
        until(stage, "it goes back", HOUR, back).await;
        assert_eq!(target(stage)["spec"]["replicas"], 10);
    });
}

/// Closed but for an hour on Sundays at night.
const GLASS: &str = "    windows: [{allow: \"SUN 03:00-04:00\", timeZone: UTC}]
    breakGlass: {role: devops-lead, people: 2}
";

fn glass() -> Value {
    json!({"breakGlass": true, "reason": "orders are lost"})
}

#[test]
fn broken_glass_opens_the_gate_outside_of_the_window_for_two_people() {
    let crew = Crew::voting(&[
        ("alice@example.com", "approve"),
        ("carol@example.com", "approve"),
    ]);
    play(&policy(GLASS), &crew, async |stage, _| {
        stage.push("v1.1.0", 'b');
        // Not even in staging was it yet.
        let status = ask(stage, "carol@example.com", "glass", "v1.1.0", glass()).await;
        assert_eq!(status["state"], "accepted", "{status}");
        let done = phase_is("production", "v1.1.0", "Succeeded");
        until(stage, "it serves", HOUR, done).await;
    });
}

#[test]
fn broken_glass_needs_the_second_person_and_the_role() {
    let crew = Crew::voting(&[
        ("carol@example.com", "approve"),
        ("bob@example.com", "approve"),
    ]);
    play(&policy(GLASS), &crew, async |stage, _| {
        stage.push("v1.1.0", 'b');
        let status = ask(stage, "bob@example.com", "no-right", "v1.1.0", glass()).await;
        assert_eq!(status["state"], "refused", "{status}");
        ask(stage, "carol@example.com", "glass", "v1.1.0", glass()).await;
        let waits = why_is("production", "v1.1.0", "WaitsForVotes");
        until(stage, "it waits", MINUTES, &waits).await;
        stage.pass(HOUR).await;
        assert!(waits(stage), "bob holds another role");
        assert!(production_changes(&stage.cluster).is_empty());
    });
}

/// Without the wish the window stays closed, whoever approves.
#[test]
fn the_usual_way_waits_for_the_window() {
    play(&policy(GLASS), &Crew::approving(), async |stage, _| {
        in_staging(stage, "v1.1.0", 'b').await;
        ask(stage, "carol@example.com", "plain", "v1.1.0", json!({})).await;
        let closed = why_is("production", "v1.1.0", "WindowClosed");
        until(stage, "it waits", MINUTES, closed).await;
        assert!(production_changes(&stage.cluster).is_empty());
    });
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    play(&policy(""), &Crew::absent(), async |stage, _| {
        in_staging(stage, "v1.1.0", 'b').await;
        // Somebody's real release waits for votes: that holds a dry run as little as anything.
        ask(stage, "alice@example.com", "real", "v1.1.0", json!({})).await;
        let waits = why_is("production", "v1.1.0", "WaitsForVotes");
        until(stage, "it waits", MINUTES, waits).await;
        let real = rollout_name(stage, "production", "v1.1.0");
        let (before, memory) = (target(stage), remembered(stage, "production"));
        let seq = stage.cluster.last_write();
        let dry = json!({"dryRun": true});
        let status = ask(stage, "bob@example.com", "dry", "v1.1.0", dry).await;
        assert_eq!(status["state"], "accepted", "{status}");
        let name = status["rollout"].as_str().unwrap().to_owned();
        let journal = |stage: &Stage, name: &str| {
            stage
                .cluster
                .object(Resource::Rollouts, "delivery", name)
                .map(|r| r["status"].clone())
                .unwrap_or_default()
        };
        until(stage, "it is planned", MINUTES, |s| {
            journal(s, &name)["phase"] == "Planned"
        })
        .await;
        stage.pass(MINUTES).await;
        let message = journal(stage, &name)["message"].to_string();
        for part in ["10 %", "50 %", "100 %", "devops-lead and tech-lead", &real] {
            assert!(message.contains(part), "{part:?} is not in {message}");
        }
        assert_eq!(
            target(stage).to_string(),
            before.to_string(),
            "byte for byte"
        );
        assert_eq!(remembered(stage, "production"), memory, "no mark anywhere");
        let agent = stage.cluster.agent();
        let touched: Vec<_> = stage
            .cluster
            .writes_after(seq)
            .into_iter()
            .filter(|w| w.user == agent && w.namespace == PRODUCTION)
            .collect();
        assert!(touched.is_empty(), "{touched:#?}");
        assert_eq!(
            journal(stage, &real)["why"]["code"],
            "WaitsForVotes",
            "undisturbed"
        );
        assert_eq!(journal(stage, &name)["recorded"], true);
    });
}

/// Looking often pushes nothing out that happened.
#[test]
fn ended_dry_runs_are_removed_like_all_others_and_push_nothing_out() {
    play(&policy(""), &Crew::absent(), async |stage, _| {
        in_staging(stage, "v1.1.0", 'b').await;
        for n in 0..25 {
            let dry = json!({"dryRun": true});
            let name = format!("dry-{n}");
            ask(stage, "bob@example.com", &name, "v1.1.0", dry).await;
        }
        stage.pass(HOUR).await;
        let all = stage.cluster.objects(Resource::Rollouts, "delivery");
        let dry = all.iter().filter(|r| r["spec"]["dryRun"] == true).count();
        assert_eq!((dry, all.len()), (20, 21));
    });
}

const CALLERS: &str = "callers:
  jenkins: {hmac: {secret: ci/jenkins}, pipelines: [storefront], environments: [production]}
  other-ci: {hmac: {secret: ci/other}, pipelines: [checkout], environments: [production]}
environments:
";

/// The agent writes what a hook let in.
async fn called(stage: &Stage, name: &str, caller: &str, more: Value) -> Value {
    let mut spec = json!({"action": "deploy", "pipeline": "storefront",
                          "environment": "production", "tag": "v1.1.0", "requester": caller,
                          "provider": "caller", "channel": "webhook"});
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        spec[key] = value;
    }
    let request: Request = serde_json::from_value(json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Request",
        "metadata": {"name": name, "namespace": "delivery"}, "spec": spec,
    }))
    .unwrap();
    let agent = stage.cluster.client(&stage.cluster.agent());
    let api: Api<Request> = Api::namespaced(agent, "delivery");
    api.create(&PostParams::default(), &request).await.unwrap();
    answered(stage, name).await
}

#[test]
fn a_machine_may_propose_what_the_policy_of_now_lets_it_and_nothing_else() {
    let rules = policy(SKIPS).replace("environments:\n", CALLERS);
    play(&rules, &Crew::approving(), async |stage, life| {
        let mut pipeline = stage
            .cluster
            .object(Resource::Pipelines, "delivery", "storefront")
            .map(|p| Value::clone(&p))
            .unwrap();
        pipeline["spec"]["environments"][1]["triggers"] = json!([{"manual": {}}, {"webhook": {}}]);
        stage.cluster.apply(pipeline).unwrap();
        in_staging(stage, "v1.1.0", 'b').await;
        let skip = json!({"skipCanary": true, "reason": "quick"});
        let web = json!({"channel": "web"});
        for (name, caller, more, why) in [
            (
                "staging",
                "jenkins",
                json!({"environment": "staging"}),
                "does not list",
            ),
            ("other", "other-ci", json!({}), "does not list"),
            ("stranger", "nobody", json!({}), "does not name nobody"),
            ("by-web", "jenkins", web, "a hook is for machines"),
            (
                "skips",
                "jenkins",
                skip,
                "a machine may propose a version and nothing else",
            ),
            (
                "breaks",
                "jenkins",
                json!({"breakGlass": true, "reason": "x"}),
                "may not break the glass",
            ),
            (
                "back",
                "jenkins",
                json!({"action": "rollback"}),
                "nothing else",
            ),
            (
                "lifts",
                "jenkins",
                json!({"action": "liftQuarantine"}),
                "nothing else",
            ),
        ] {
            let status = called(stage, name, caller, more).await;
            assert_eq!(status["state"], "refused", "{name}: {status}");
            let message = status["message"].to_string();
            assert!(message.contains(why), "{name}: {message}");
        }
        let person = json!({"provider": "kubernetes", "requester": "alice@example.com"});
        let status = called(stage, "as-alice", "jenkins", person).await;
        assert_eq!(
            status["state"], "refused",
            "a hook never speaks for a person: {status}"
        );
        // What was let in when the call came does not count, but the policy of now.
        life.set_policy(Policy::parse(&policy(SKIPS)).unwrap());
        let status = called(stage, "too-late", "jenkins", json!({})).await;
        assert_eq!(status["state"], "refused", "{status}");
        life.set_policy((*stage.policy).clone());
        let status = called(stage, "good", "jenkins", json!({})).await;
        assert_eq!(status["state"], "accepted", "{status}");
        let done = phase_is("production", "v1.1.0", "Succeeded");
        until(stage, "it serves", HOUR, done).await;
        let all = stage.cluster.objects(Resource::Rollouts, "delivery");
        let made = all
            .iter()
            .find(|r| r["spec"]["environment"] == "production")
            .unwrap();
        assert_eq!(made["spec"]["cause"]["trigger"], "webhook");
        assert_eq!(made["spec"]["cause"]["requester"]["provider"], "caller");
    });
}

/// The success says until when going back is as easy, and afterwards it is not.
#[test]
fn going_back_is_open_for_its_window_and_the_success_says_so() {
    let window = policy("    rollback: {window: 2h}\n");
    play(&window, &Crew::approving(), async |stage, _| {
        in_staging(stage, "v1.1.0", 'b').await;
        ask(stage, "carol@example.com", "deploy", "v1.1.0", json!({})).await;
        let done = phase_is("production", "v1.1.0", "Succeeded");
        until(stage, "it serves", HOUR, done).await;
        let message = status(stage, "production", "v1.1.0")["message"].to_string();
        assert!(
            message.contains("going back needs no approval until"),
            "{message}"
        );
        stage.pass(2 * HOUR + MINUTES).await;
        let spec = json!({"action": "rollback", "pipeline": "storefront",
                          "environment": "production", "reason": "too late"});
        Crew::ask(stage, "carol@example.com", "back", spec).await;
        let status = answered(stage, "back").await;
        assert_eq!(status["state"], "refused", "{status}");
        assert!(status["message"].to_string().contains("window"), "{status}");
    });
}
