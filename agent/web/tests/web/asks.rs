//! Wishes about an environment or about everything, by the API.

use axum::http::StatusCode;
use serde_json::{Value, json};
use sluice_core::policy::Policy;
use sluice_sim::Resource;

use crate::ask::{Answer, Ask};
use crate::sample::{self, NAMESPACE, Site};

const DEPLOY: &str = "/api/v1/pipelines/delivery/storefront/deploy";

fn site() -> Site {
    let mut site = Site::new(sample::config());
    site.pipeline(
        "storefront",
        sample::pipeline_spec(),
        sample::pipeline_status(),
    );
    site
}

async fn ask(site: &Site, path: &str, body: Value) -> Answer {
    Ask::json(path, &body)
        .bearer(&site.token("alice@example.com"))
        .send(&site.web)
        .await
}

fn requests(site: &Site) -> Vec<Value> {
    let found = site.cluster.objects(Resource::Requests, NAMESPACE);
    found.iter().map(|o| (**o).clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_version_is_asked_for_in_the_persons_name() {
    let site = site();
    let body = json!({
        "environment": "production", "tag": "v1.2.0", "reason": "a fix", "dryRun": true,
        "requester": "carol@example.com", "provider": "plugin",
    });
    let answer = ask(&site, DEPLOY, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let all = requests(&site);
    assert_eq!(
        all[0]["spec"],
        json!({
            "action": "deploy", "pipeline": "storefront", "environment": "production",
            "tag": "v1.2.0", "reason": "a fix", "dryRun": true, "channel": "web",
            "requester": "alice@example.com", "groups": all[0]["spec"]["groups"],
        })
    );
    assert_eq!(all[0]["metadata"]["ownerReferences"][0]["kind"], "Pipeline");
}

#[tokio::test(start_paused = true)]
async fn a_key_makes_several_tries_one_wish() {
    let site = site();
    let body = json!({ "environment": "production", "tag": "v1.2.0" });
    let token = site.token("alice@example.com");
    let send = |key: &str, body: &Value| {
        Ask::json(DEPLOY, body)
            .bearer(&token)
            .header("idempotency-key", key)
            .send(&site.web)
    };
    assert_eq!(send("build-7", &body).await.status, StatusCode::CREATED);
    assert_eq!(send("build-7", &body).await.status, StatusCode::OK);
    assert_eq!(send("build-8", &body).await.status, StatusCode::CREATED);
    let other = json!({ "environment": "production", "tag": "v1.3.0" });
    assert_eq!(send("build-7", &other).await.code(), "name-taken");
    assert_eq!(send(&"x".repeat(129), &body).await.code(), "bad-key");
    // Without a key each is a wish of its own.
    for _ in 0..2 {
        let answer = ask(&site, DEPLOY, body.clone()).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
    assert_eq!(requests(&site).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_leaves_out_part_of_the_way_needs_the_policy_and_a_reason() {
    let site = site();
    let body = |flag: &str, reason: Option<&str>| {
        let mut body = json!({ "environment": "production", "tag": "v1.2.0", "reason": reason });
        body[flag] = json!(true);
        body
    };
    for flag in ["skipCanary", "breakGlass"] {
        let answer = ask(&site, DEPLOY, body(flag, Some("an outage"))).await;
        assert_eq!(
            answer.status,
            StatusCode::FORBIDDEN,
            "{flag}: the policy offers it to nobody"
        );
    }
    let people = sample::POLICY.replace("{people: [alice]}", "{people: [alice, carol]}");
    let policy = people.replace(
        "    permissions: {abort",
        "    skipCanary: {allowedFor: [devops-lead]}\n    breakGlass: {role: devops-lead, people: 2}\n    permissions: {abort",
    );
    site.policy
        .send_replace(std::sync::Arc::new(Policy::parse(&policy).unwrap()));
    for flag in ["skipCanary", "breakGlass"] {
        let answer = ask(&site, DEPLOY, body(flag, None)).await;
        assert_eq!(answer.code(), "reason-missing", "{flag}");
        let answer = ask(&site, DEPLOY, body(flag, Some("an outage"))).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let bob = Ask::json(DEPLOY, &body(flag, Some("an outage")))
            .bearer(&site.token("bob@example.com"))
            .send(&site.web)
            .await;
        assert_eq!(bob.status, StatusCode::FORBIDDEN, "{flag}");
    }
    let words = json!({ "environment": "production", "tag": "v1", "skipCanary": "yes please" });
    assert_eq!(ask(&site, DEPLOY, words).await.code(), "bad-body");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_or_not_named() {
    let site = site();
    for (path, body, code) in [
        (DEPLOY, json!({ "tag": "v1" }), "environment-missing"),
        (
            DEPLOY,
            json!({ "environment": "moon", "tag": "v1" }),
            "not-found",
        ),
        (DEPLOY, json!({ "environment": "production" }), "no-version"),
        (
            DEPLOY,
            json!({ "environment": "production", "tag": "v1", "digest": sample::digest('a') }),
            "two-versions",
        ),
        (
            "/api/v1/pipelines/delivery/nowhere/deploy",
            json!({ "environment": "production", "tag": "v1" }),
            "not-found",
        ),
        (
            "/api/v1/pipelines/delivery/storefront/lift",
            json!({ "environment": "production", "tag": "v1.0.9" }),
            "reason-missing",
        ),
        (
            "/api/v1/namespaces/delivery/stop",
            json!({}),
            "reason-missing",
        ),
        (
            "/api/v1/namespaces/delivery/stop",
            json!({ "reason": "x", "until": sample::before(1) }),
            "bad-until",
        ),
        (
            "/api/v1/namespaces/delivery/stop",
            json!({ "reason": "x", "until": "tomorrow" }),
            "bad-until",
        ),
    ] {
        let answer = ask(&site, path, body.clone()).await;
        assert_eq!(answer.code(), code, "{path} {body}: {}", answer.text);
    }
    assert!(requests(&site).is_empty());
}

#[tokio::test(start_paused = true)]
async fn everything_is_stopped_until_and_started() {
    let site = site();
    let until = sample::after(3600);
    let stop = json!({ "reason": "the database is down", "until": until });
    let answer = ask(&site, "/api/v1/namespaces/delivery/stop", stop).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let start = json!({ "reason": "it is up", "until": until });
    ask(&site, "/api/v1/namespaces/delivery/start", start).await;
    let mut all = requests(&site);
    all.sort_by_key(|r| r["spec"]["action"].to_string());
    assert_eq!(all[0]["spec"]["action"], "start");
    assert_eq!(all[0]["spec"].get("until"), None, "a start has no end");
    assert_eq!(all[1]["spec"]["until"], json!(until));
    for request in &all {
        assert_eq!(request["spec"].get("pipeline"), None);
        assert_eq!(request["spec"].get("rollout"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn lists_of_what_is_in_quarantine_and_what_was_refused() {
    let mut site = site();
    site.request(
        "deploy-1",
        json!({ "action": "deploy", "pipeline": "storefront", "environment": "production",
                "tag": "v3.0.0", "requester": "bob@example.com" }),
        json!({ "state": "refused", "message": "the tag v3.0.0 fits none of v1.*\nit is not signed" }),
    );
    let token = site.token("bob@example.com");
    let get = |path: &str| Ask::get(path).bearer(&token).send(&site.web);
    let listed = get("/api/v1/quarantine").await.json();
    let row = &listed["quarantine"][0];
    assert_eq!(row["version"], "v1.0.9");
    assert_eq!(
        row["digest"],
        sample::digest('e'),
        "whole: it is what one lifts"
    );
    assert_eq!(row["environment"], "production");
    let listed = get("/api/v1/refusals").await.json();
    let rows = listed["refusals"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["version"], "v2.0.0");
    assert_eq!(rows[1]["by"], "bob@example.com");
    assert_eq!(
        rows[1]["reasons"],
        json!(["the tag v3.0.0 fits none of v1.*", "it is not signed"])
    );
}

#[tokio::test(start_paused = true)]
async fn wishes_about_a_pipeline_do_not_pile_up() {
    let mut site = site();
    let body = json!({ "environment": "production", "tag": "v1.2.0" });
    for _ in 0..32 {
        assert_eq!(
            ask(&site, DEPLOY, body.clone()).await.status,
            StatusCode::CREATED
        );
    }
    site.catch_up();
    let answer = ask(&site, DEPLOY, body).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.code(), "too-many-wishes");
}
