//! What an image says of itself and who signed it (requirement C3): read once, about the digest that is
//! let in, and never guessed.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]

use std::time::Duration;

use serde_json::{Value, json};
use sluice_core::image::facts::{ImageFacts, SOURCE};
use sluice_scenarios::{
    Crew, POLICY, REPOSITORY, Stage, answer, answered, digest, phase_is, play, remembered, status,
    target, until, why_is,
};
use sluice_sim::Resource;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTES: Duration = Duration::from_secs(20 * 60);
const SIGNERS: &str = "signers:
  release-ci: {keyless: {issuer: 'https://token.actions.example.com', identity: 'https://git.example.com/shop/.github/workflows/release.yaml@refs/heads/main'}}
environments:
";

/// Production asks for this of its images.
fn policy(images: &str) -> String {
    POLICY
        .replace("environments:\n", SIGNERS)
        .replace("tags: ['v*']}", &format!("tags: ['v*'], {images}}}"))
}

fn facts(source: &str) -> ImageFacts {
    let mut facts = ImageFacts::default();
    assert!(facts.keep(SOURCE, source));
    facts
}

fn refused(stage: &Stage) -> String {
    remembered(stage, "production")["refused"]["reasons"].to_string()
}

#[test]
fn an_unsigned_image_is_refused_and_let_in_soon_after_it_is_signed() {
    let signed = policy("signedBy: [release-ci]");
    play(&signed, &Crew::approving(), async |stage, _| {
        stage.push("v1.1.0", 'b');
        until(stage, "it is refused", HOUR, |s| {
            refused(s).contains("not signed by release-ci")
        })
        .await;
        let (_, before) = stage.registry.reads(&digest('b'));
        stage.pass(HOUR).await;
        let (described, verified) = stage.registry.reads(&digest('b'));
        assert!(refused(stage).contains("not signed by release-ci"));
        // One question for each set of keys and signers: staging's and production's.
        assert_eq!(described, 2, "described once for each policy");
        let looks = verified - before;
        assert!((30..=60).contains(&looks), "{looks} looks in an hour");
        stage.registry.sign(&digest('b'), "release-ci");
        let soon = Duration::from_secs(180);
        until(stage, "it is let in", soon, |s| {
            status(s, "production", "v1.1.0").is_object()
        })
        .await;
        let done = phase_is("production", "v1.1.0", "Succeeded");
        until(stage, "it serves", HOUR, done).await;
        let (described, at_the_end) = stage.registry.reads(&digest('b'));
        stage.pass(HOUR).await;
        assert_eq!(
            stage.registry.reads(&digest('b')),
            (described, at_the_end),
            "what is known is not asked again"
        );
        let all = stage.cluster.objects(Resource::Rollouts, "delivery");
        let made = all
            .iter()
            .find(|r| r["spec"]["environment"] == "production")
            .unwrap();
        let proof = &made["spec"]["image"]["about"]["signatures"][0];
        assert_eq!(proof["signer"], "release-ci", "{proof}");
    });
}

#[test]
fn an_image_from_elsewhere_is_refused_by_its_annotation() {
    let source =
        policy("annotations: {org.opencontainers.image.source: 'https://git.example.com/shop/*'}");
    play(&source, &Crew::approving(), async |stage, _| {
        stage.registry.set_facts(
            &digest('b'),
            facts("https://git.example.com/evil/storefront"),
        );
        stage.push("v1.1.0", 'b');
        until(stage, "it is refused", HOUR, |s| {
            refused(s).contains("evil/storefront")
        })
        .await;
        stage.registry.set_facts(
            &digest('c'),
            facts("https://git.example.com/shop/storefront"),
        );
        stage.push("v1.2.0", 'c');
        until(stage, "the next one is let in", HOUR, |s| {
            status(s, "production", "v1.2.0").is_object()
        })
        .await;
        assert!(status(stage, "production", "v1.1.0").is_null());
    });
}

/// What cannot be read is neither a yes nor a no; and it keeps no way back from its turn.
#[test]
fn a_registry_that_shows_no_image_holds_what_needs_it_and_nothing_else() {
    let signed = policy("signedBy: [release-ci]")
        .replace("triggers: [upstream, manual]", "triggers: [manual]");
    play(&signed, &Crew::approving(), async |stage, _| {
        stage.registry.set_silent(true);
        stage.registry.sign(&digest('b'), "release-ci");
        stage.push("v1.1.0", 'b');
        // Staging asks for nothing of it: the outage is not its business.
        let there = phase_is("staging", "v1.1.0", "Succeeded");
        until(stage, "staging has it", HOUR, there).await;
        let deploy = json!({"action": "deploy", "pipeline": "storefront",
                            "environment": "production", "tag": "v1.1.0"});
        Crew::ask(stage, "carol@example.com", "deploy", deploy).await;
        let waiting = |s: &Stage| remembered(s, "production")["waiting"].to_string();
        until(stage, "it is held", MINUTES, |s| {
            waiting(s).contains("no manifest comes")
        })
        .await;
        stage.pass(HOUR).await;
        assert!(answer(stage, "deploy").is_null(), "neither yes nor no");
        let (described, _) = stage.registry.reads(&digest('b'));
        assert!(
            (60..400).contains(&described),
            "{described} tries in an hour"
        );
        let back = json!({"action": "rollback", "pipeline": "storefront",
                          "environment": "production", "reason": "orders are lost"});
        Crew::ask(stage, "carol@example.com", "back", back).await;
        let status_of = answered(stage, "back").await;
        assert!(
            status_of["message"]
                .to_string()
                .contains("no such earlier revision"),
            "it had its turn: {status_of}"
        );
        stage.registry.set_silent(false);
        let done = phase_is("production", "v1.1.0", "Succeeded");
        until(stage, "it serves", HOUR, done).await;
        assert!(remembered(stage, "production")["waiting"].is_null());
    });
}

/// Attack 1: the tag names another image after the votes. What was approved goes on; the other image
/// needs its own votes.
#[test]
fn attack_1_a_tag_that_is_pointed_elsewhere_after_the_votes_changes_nothing() {
    let timer = POLICY.replace("{role: tech-lead}]}", "{role: tech-lead}], waitTimer: 10m}");
    play(&timer, &Crew::approving(), async |stage, _| {
        stage.push("v1.1.0", 'b');
        let waits = why_is("production", "v1.1.0", "WaitsForTimer");
        until(stage, "the votes are in", HOUR, waits).await;
        stage.push("v1.1.0", 'd');
        until(stage, "what was approved serves", HOUR, |s| {
            let all = s.cluster.objects(Resource::Rollouts, "delivery");
            all.iter().any(|r| {
                r["spec"]["environment"] == "production"
                    && r["spec"]["image"]["digest"] == digest('b')
                    && r["status"]["phase"] == "Succeeded"
            })
        })
        .await;
        let image = target(stage)["spec"]["template"]["spec"]["containers"][0]["image"].clone();
        assert_eq!(image, format!("{REPOSITORY}@{}", digest('b')));
        let written: Vec<Value> = stage
            .cluster
            .writes()
            .into_iter()
            .filter(|w| w.namespace == "shop" && w.body.to_string().contains(&digest('d')))
            .map(|w| w.body)
            .collect();
        assert!(written.is_empty(), "{written:#?}");
    });
}
