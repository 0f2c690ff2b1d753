//! Votes: for what was seen, by whoever is signed in, once.

use axum::http::StatusCode;
use serde_json::{Value, json};
use sluice_core::rollout::{ApprovalRequest, Journal};
use sluice_sim::Resource;

use crate::ask::{Answer, Ask};
use crate::sample::{self, HASH, NAMESPACE, Site};

async fn vote(site: &Site, who: &str, verb: &str, body: Value) -> Answer {
    let path = format!("/api/v1/rollouts/{NAMESPACE}/awaiting/{verb}");
    Ask::json(&path, &body)
        .bearer(&site.token(who))
        .send(&site.web)
        .await
}

fn votes(site: &Site) -> Vec<Value> {
    let found = site.cluster.objects(Resource::Approvals, NAMESPACE);
    found.iter().map(|o| (**o).clone()).collect()
}

fn site(journal: &Journal) -> Site {
    let mut site = Site::new(sample::config());
    site.rollout("awaiting", sample::spec("v1.1.0", 'b'), journal);
    site
}

#[tokio::test(start_paused = true)]
async fn a_vote_is_an_approval_in_the_voters_name() {
    let site = site(&sample::awaiting());
    let body = json!({ "hash": HASH, "reason": " looks\ngood " });
    let answer = vote(&site, "carol@example.com", "approve", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let all = votes(&site);
    let [vote] = all.as_slice() else {
        panic!("{all:?}")
    };
    let rollout = site
        .cluster
        .object(Resource::Rollouts, NAMESPACE, "awaiting")
        .unwrap();
    let spec = &vote["spec"];
    assert_eq!(spec["approver"], "carol@example.com");
    assert_eq!(
        spec["groups"],
        json!(["tech-leads", "system:authenticated"])
    );
    assert_eq!(spec["channel"], "web");
    assert_eq!(spec["decision"], "approve");
    assert_eq!(spec["hash"], HASH);
    assert_eq!(spec["reason"], "looks good");
    assert_eq!(spec["rollout"], "awaiting");
    assert_eq!(spec["rolloutUid"], rollout["metadata"]["uid"]);
    let owner = &vote["metadata"]["ownerReferences"][0];
    assert_eq!(owner["uid"], rollout["metadata"]["uid"]);
    assert_eq!(owner["kind"], "Rollout");
    assert_ne!(owner["controller"], true);
    let name = vote["metadata"]["name"].as_str().unwrap();
    assert!(
        name.starts_with("awaiting-") && name.len() == "awaiting-".len() + 10,
        "{name}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_vote_twice_is_one_vote() {
    let mut site = site(&sample::awaiting());
    for expected in [StatusCode::CREATED, StatusCode::OK, StatusCode::OK] {
        let answer = vote(
            &site,
            "alice@example.com",
            "approve",
            json!({ "hash": HASH }),
        )
        .await;
        assert_eq!(answer.status, expected, "{}", answer.text);
        site.catch_up();
    }
    assert_eq!(votes(&site).len(), 1);
    let no = json!({ "hash": HASH, "reason": "on second thoughts" });
    let answer = vote(&site, "alice@example.com", "reject", no).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let carol = vote(
        &site,
        "carol@example.com",
        "approve",
        json!({ "hash": HASH }),
    )
    .await;
    assert_eq!(carol.status, StatusCode::CREATED);
    assert_eq!(votes(&site).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_vote_for_what_has_changed_is_refused() {
    let mut journal = sample::awaiting();
    let request = journal.approval.as_mut().unwrap();
    *request = ApprovalRequest {
        hash: "0".repeat(64),
        ..request.clone()
    };
    let site = site(&journal);
    let answer = vote(
        &site,
        "alice@example.com",
        "approve",
        json!({ "hash": HASH }),
    )
    .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(answer.code(), "changed");
    assert!(
        answer.text.contains("has changed since you looked"),
        "{}",
        answer.text
    );
    let answer = vote(&site, "alice@example.com", "approve", json!({})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(votes(&site).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn votes_are_for_rollouts_that_ask() {
    for (name, journal) in sample::every_state() {
        let site = site(&journal);
        let answer = vote(
            &site,
            "alice@example.com",
            "approve",
            json!({ "hash": HASH }),
        )
        .await;
        let expected = if name == "awaiting" {
            StatusCode::CREATED
        } else {
            StatusCode::CONFLICT
        };
        assert_eq!(answer.status, expected, "{name}: {}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_no_needs_a_reason() {
    let site = site(&sample::awaiting());
    for body in [
        json!({ "hash": HASH }),
        json!({ "hash": HASH, "reason": "  " }),
    ] {
        let answer = vote(&site, "alice@example.com", "reject", body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let long = json!({ "hash": HASH, "reason": "ä".repeat(501) });
    let answer = vote(&site, "alice@example.com", "reject", long).await;
    assert_eq!(answer.code(), "reason-too-long");
    let just = json!({ "hash": HASH, "reason": "ä".repeat(500) });
    let answer = vote(&site, "alice@example.com", "reject", just).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(votes(&site)[0]["spec"]["decision"], "reject");
}

#[tokio::test(start_paused = true)]
async fn whoever_asked_hears_at_once_that_they_cannot_approve() {
    let mut site = Site::new(sample::config());
    let mut spec = sample::spec("v1.1.0", 'b');
    spec["cause"]["requester"] = json!({ "username": "alice@example.com" });
    site.rollout("awaiting", spec, &sample::awaiting());
    let answer = vote(
        &site,
        "alice@example.com",
        "approve",
        json!({ "hash": HASH }),
    )
    .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.code(), "vote-would-not-count");
    let no = json!({ "hash": HASH, "reason": "a mistake of mine" });
    assert_eq!(
        vote(&site, "alice@example.com", "reject", no).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_took_is_not_taken_for_the_vote() {
    let site = site(&sample::awaiting());
    vote(
        &site,
        "alice@example.com",
        "approve",
        json!({ "hash": HASH }),
    )
    .await;
    let name = votes(&site)[0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    site.cluster
        .modify(Resource::Approvals, NAMESPACE, &name, |object| {
            object["spec"]["approver"] = json!("mallory");
        });
    let answer = vote(
        &site,
        "alice@example.com",
        "approve",
        json!({ "hash": HASH }),
    )
    .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(answer.code(), "name-taken");
}

#[tokio::test(start_paused = true)]
async fn a_closed_environment_takes_no_votes() {
    let site = site(&sample::awaiting());
    site.policy
        .send_replace(std::sync::Arc::new(sluice_core::policy::Policy::absent()));
    let answer = vote(
        &site,
        "alice@example.com",
        "approve",
        json!({ "hash": HASH }),
    )
    .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer.text.contains("there is no policy file"),
        "{}",
        answer.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_vote_that_was_lost_on_the_way_can_be_repeated() {
    let site = site(&sample::awaiting());
    site.cluster.deny(sluice_sim::Denial {
        user: site.cluster.agent(),
        verb: "create".into(),
        resource: "approvals".into(),
        namespace: NAMESPACE.into(),
        ..sluice_sim::Denial::default()
    });
    let answer = vote(
        &site,
        "alice@example.com",
        "approve",
        json!({ "hash": HASH }),
    )
    .await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.code(), "cluster-refused");
    assert_eq!(votes(&site).len(), 0);
}
