//! Callbacks of approval providers: votes of whom the sender vouches for, once, and in time.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sluice_core::rollout::Journal;
use sluice_sim::Resource;
use tokio::time::Instant;

use crate::ask::{Answer, Ask};
use crate::machine::{self, Behind, decided};
use crate::sample::{self, HASH, NAMESPACE, Site};

const SLACK: &str = "/v1/callbacks/slack-approval";

fn site() -> (Site, Arc<Behind>) {
    let behind = Arc::new(Behind::default());
    let policy = sample::POLICY
        .replace(
            "{name: alice, kubernetes: alice@example.com}",
            "{name: alice, kubernetes: alice@example.com, slack: U024BE7LH}",
        )
        .replace(
            "{name: bob, kubernetes: bob@example.com}",
            "{name: bob, kubernetes: bob@example.com, slack: U0B0B}",
        );
    let mut site = machine::site(sample::config(), &behind, &policy);
    site.rollout("awaiting", spec(), &asked(sample::awaiting()));
    site.rollout("holding", spec(), &asked(sample::holding()));
    *behind.answer.lock().unwrap() = Some(decided(true, HASH));
    (site, behind)
}

fn spec() -> Value {
    let mut spec = sample::spec("v1.1.0", 'b');
    spec["approvals"] = json!([{ "plugin": "slack-approval", "settings": {} }]);
    spec
}

/// The plugin has shown the request.
fn asked(mut journal: Journal) -> Journal {
    journal.asked.push(
        serde_json::from_value(json!({ "provider": 0, "hash": HASH, "ticket": "ticket-1" }))
            .unwrap(),
    );
    journal
}

async fn press(site: &Site, person: &str, subject: &str) -> Answer {
    Ask::json(
        SLACK,
        &json!({ "user": "U0EVIL", "approver": "carol@example.com" }),
    )
    .header("x-test-person", person)
    .header("x-test-subject", subject)
    .send(&site.web)
    .await
}

fn votes(site: &Site) -> Vec<Value> {
    let found = site.cluster.objects(Resource::Approvals, NAMESPACE);
    found.iter().map(|o| (**o).clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_button_is_one_vote_however_often_it_comes() {
    let (mut site, _) = site();
    for said in ["recorded\n", "recorded before\n", "recorded before\n"] {
        let answer = press(&site, "U024BE7LH", HASH).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.text, said);
        site.catch_up();
    }
    let all = votes(&site);
    let [vote] = all.as_slice() else {
        panic!("{all:?}")
    };
    let spec = &vote["spec"];
    assert_eq!(spec["approver"], "U024BE7LH");
    assert_eq!(spec["provider"], "slack");
    assert_eq!(spec["channel"], "slack");
    assert_eq!(spec["decision"], "approve");
    assert_eq!(spec["hash"], HASH);
    assert_eq!(spec["reason"], "looks good");
    assert!(
        !vote.to_string().contains("made up"),
        "the plugin's words name nobody"
    );
}

#[tokio::test(start_paused = true)]
async fn an_old_button_is_superseded() {
    let (mut site, _) = site();
    let old = "0".repeat(64);
    let answer = press(&site, "U024BE7LH", &old).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.starts_with("superseded"), "{}", answer.text);
    // The rollout went on: what was asked is not asked any more.
    site.rollout("awaiting", spec(), &asked(sample::holding()));
    let answer = press(&site, "U024BE7LH", HASH).await;
    assert!(answer.text.starts_with("superseded"), "{}", answer.text);
    assert!(votes(&site).is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_may_not_is_told_and_nothing_is_written() {
    let (site, behind) = site();
    let answer = press(&site, "U0B0B", HASH).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.text.starts_with("not recorded: bob may not approve"),
        "{}",
        answer.text
    );
    let answer = press(&site, "U0STRANGER", HASH).await;
    assert!(answer.text.starts_with("not recorded"), "{}", answer.text);
    // The case of an id is another id.
    let answer = press(&site, "u024be7lh", HASH).await;
    assert!(answer.text.starts_with("not recorded"), "{}", answer.text);
    // The plugin read something else than what the button was made for.
    *behind.answer.lock().unwrap() = Some(decided(true, &"1".repeat(64)));
    let answer = press(&site, "U024BE7LH", HASH).await;
    assert!(answer.text.contains("something else"), "{}", answer.text);
    // What the plugin never showed, it has no say in.
    let mut site = site;
    site.rollout("awaiting", spec(), &sample::awaiting());
    let answer = press(&site, "U024BE7LH", HASH).await;
    assert!(answer.text.contains("does not answer"), "{}", answer.text);
    assert!(votes(&site).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_verified_goes_no_further() {
    let (site, _) = site();
    let body = json!({ "user": "U024BE7LH", "hash": HASH });
    let answer = Ask::json(SLACK, &body).send(&site.web).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.code(), "callback-refused");
    let other = Ask::json("/v1/callbacks/nobody", &body).header("x-test-person", "U024BE7LH");
    assert_eq!(other.send(&site.web).await.status, StatusCode::NOT_FOUND);
    let answer = Ask::json(SLACK, &body)
        .header("x-test-person", "U024BE7LH")
        .send(&site.web)
        .await;
    assert_eq!(answer.text, "nothing to do\n");
    assert!(votes(&site).is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_is_acknowledged_within_three_seconds_whatever_happens() {
    let (site, behind) = site();
    *behind.answer.lock().unwrap() = None;
    let begun = Instant::now();
    let answer = press(&site, "U024BE7LH", HASH).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (StatusCode::OK, "received\n")
    );
    assert!(begun.elapsed().as_millis() < 3_000);
    // Places are bounded, and come back when the plugin is given up on.
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(press(&site, "U024BE7LH", HASH).await.status);
    }
    assert!(statuses.contains(&StatusCode::OK));
    *behind.answer.lock().unwrap() = Some(decided(true, HASH));
    tokio::time::sleep(std::time::Duration::from_secs(31)).await;
    assert_eq!(press(&site, "U024BE7LH", HASH).await.text, "recorded\n");
}
