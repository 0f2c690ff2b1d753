//! Wishes: abort, pause and the others become Requests.

use axum::http::StatusCode;
use serde_json::{Value, json};
use sluice_core::rollout::{Handled, Journal};
use sluice_sim::Resource;

use crate::ask::{Answer, Ask};
use crate::sample::{self, NAMESPACE, Site};

async fn wish(site: &Site, rollout: &str, verb: &str, body: Value) -> Answer {
    let path = format!("/api/v1/rollouts/{NAMESPACE}/{rollout}/{verb}");
    Ask::json(&path, &body)
        .bearer(&site.token("alice@example.com"))
        .send(&site.web)
        .await
}

fn requests(site: &Site) -> Vec<Value> {
    let found = site.cluster.objects(Resource::Requests, NAMESPACE);
    found.iter().map(|o| (**o).clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_wish_is_a_request_in_the_persons_name() {
    let mut site = Site::new(sample::config());
    site.rollout("holding", sample::spec("v1.1.0", 'b'), &sample::holding());
    let answer = wish(&site, "holding", "abort", json!({ "reason": "error rate" })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let all = requests(&site);
    let spec = &all[0]["spec"];
    assert_eq!(spec["action"], "abort");
    assert_eq!(spec["rollout"], "holding");
    assert_eq!(spec["requester"], "alice@example.com");
    assert_eq!(spec["channel"], "web");
    assert_eq!(spec["reason"], "error rate");
    assert_eq!(all[0]["metadata"]["ownerReferences"][0]["name"], "holding");
}

#[tokio::test(start_paused = true)]
async fn a_button_pressed_twice_is_one_wish_until_the_agent_has_acted() {
    let mut site = Site::new(sample::config());
    let spec = || sample::spec("v1.1.0", 'b');
    site.rollout("holding", spec(), &sample::holding());
    for expected in [StatusCode::CREATED, StatusCode::OK] {
        let answer = wish(&site, "holding", "pause", json!({})).await;
        assert_eq!(answer.status, expected, "{}", answer.text);
    }
    assert_eq!(requests(&site).len(), 1);
    let uid = requests(&site)[0]["metadata"]["uid"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut acted = sample::holding();
    acted.handled.push(Handled {
        uid: uid.clone(),
        refused: None,
    });
    site.rollout("holding", spec(), &acted);
    // The old page's button once more: it still is the old wish.
    let answer = wish(&site, "holding", "pause", json!({ "seen": uid })).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let answer = wish(&site, "holding", "pause", json!({})).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "the same as with what is seen now"
    );
    assert_eq!(requests(&site).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_serving_version_can_be_taken_back_to_the_one_before() {
    let mut site = Site::new(sample::config());
    let journal = sample::every_state()
        .into_iter()
        .find(|(n, _)| *n == "succeeded")
        .unwrap()
        .1;
    site.rollout("done-v1.0.0", sample::spec("v1.0.0", 'a'), &journal);
    site.rollout("other", sample::spec("v1.0.1", 'd'), &journal);
    site.pipeline(
        "storefront",
        sample::pipeline_spec(),
        sample::pipeline_status(),
    );
    let answer = wish(&site, "other", "rollback", json!({})).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "it is not what serves");
    let answer = wish(&site, "done-v1.0.0", "rollback", json!({})).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let spec = requests(&site)[0]["spec"].clone();
    assert_eq!(spec["action"], "rollback");
    assert_eq!(spec["pipeline"], "storefront");
    assert_eq!(spec["environment"], "production");
    assert_eq!(spec["digest"], sample::digest('9'));
    assert_eq!(spec.get("rollout"), None);
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused() {
    let states = sample::every_state();
    let may: [(&str, &[&str]); 5] = [
        (
            "abort",
            &[
                "queued",
                "planning",
                "awaiting",
                "shifting",
                "checking",
                "holding",
                "paused",
                "promoting",
            ],
        ),
        (
            "rollback",
            &["shifting", "checking", "holding", "paused", "promoting"],
        ),
        (
            "pause",
            &[
                "queued", "planning", "awaiting", "shifting", "checking", "holding",
            ],
        ),
        ("resume", &["paused"]),
        ("promote", &["holding", "paused"]),
    ];
    for (verb, expected) in may {
        let mut worked = Vec::new();
        for (name, journal) in &states {
            let mut site = Site::new(sample::config());
            site.rollout(name, sample::spec("v1.1.0", 'b'), journal);
            let answer = wish(&site, name, verb, json!({})).await;
            match answer.status {
                StatusCode::CREATED => worked.push(*name),
                StatusCode::CONFLICT => assert_eq!(answer.code(), "not-now"),
                other => panic!("{verb} {name}: {other} {}", answer.text),
            }
        }
        assert_eq!(worked, expected, "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn wishes_do_not_pile_up() {
    let mut site = Site::new(sample::config());
    let uids: Vec<String> = (0..60).map(|n| format!("uid-{n}")).collect();
    let mut journal: Journal = sample::holding();
    journal.handled = uids
        .iter()
        .map(|uid| Handled {
            uid: uid.clone(),
            refused: None,
        })
        .collect();
    site.rollout("holding", sample::spec("v1.1.0", 'b'), &journal);
    let mut last = StatusCode::CREATED;
    for uid in &uids {
        last = wish(&site, "holding", "pause", json!({ "seen": uid }))
            .await
            .status;
        site.catch_up();
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(requests(&site).len(), 32);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_not_there() {
    let site = Site::new(sample::config());
    let answer = wish(&site, "nowhere", "abort", json!({})).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.code(), "not-found");
}
