//! What nobody may overlook: a global stop, a policy file that cannot be read, an emergency.

use std::sync::Arc;

use serde_json::{Value, json};
use sluice_core::policy::Policy;
use sluice_core::problem::Problem;

use crate::ask::Ask;
use crate::sample::{self, Site};

fn site() -> Site {
    let mut config = sample::config();
    config.public_read = true;
    let mut site = Site::new(config);
    site.pipeline(
        "storefront",
        sample::pipeline_spec(),
        sample::pipeline_status(),
    );
    site.rollout("awaiting", sample::spec("v1.1.0", 'b'), &sample::awaiting());
    site
}

async fn pages(site: &Site) -> Vec<String> {
    let mut out = Vec::new();
    for path in [
        "/",
        "/fragment/overview",
        "/rollouts/delivery/awaiting",
        "/fragment/rollouts/delivery/awaiting",
    ] {
        out.push(Ask::get(path).send(&site.web).await.text);
    }
    out
}

async fn api(site: &Site) -> Value {
    Ask::get("/api/v1/pipelines").send(&site.web).await.json()
}

#[tokio::test(start_paused = true)]
async fn a_global_stop_stands_above_every_page() {
    let mut site = site();
    for page in pages(&site).await {
        assert!(!page.contains("Everything is stopped"));
    }
    site.request(
        "stop-1",
        json!({ "action": "stop", "requester": "alice@example.com", "reason": "the database is down",
                "until": sample::after(3600) }),
        json!({ "state": "accepted", "message": "" }),
    );
    for page in pages(&site).await {
        assert!(
            page.contains("<b>Everything is stopped</b> by alice"),
            "{page}"
        );
        assert!(page.contains("the database is down") && page.contains("It lifts by itself"));
    }
    assert_eq!(api(&site).await["stop"]["reason"], "the database is down");
    site.dial.turn(jiff::SignedDuration::from_hours(1));
    for page in pages(&site).await {
        assert!(
            !page.contains("Everything is stopped"),
            "it lifts by itself"
        );
    }
    assert_eq!(api(&site).await.get("stop"), None);
}

#[tokio::test(start_paused = true)]
async fn a_policy_file_that_cannot_be_read_says_so_everywhere() {
    let site = site();
    let good = Policy::parse(sample::POLICY).unwrap();
    let problem = Problem::new("environments.production", "is not a map").at(12, 3);
    site.policy
        .send_replace(Arc::new(good.kept_since(sample::before(120), &[problem])));
    for page in pages(&site).await {
        assert!(
            page.contains("<b>The policy file cannot be read</b> since"),
            "{page}"
        );
        assert!(page.contains("its last good content is in force"));
        assert!(page.contains("environments.production"));
    }
    assert_eq!(api(&site).await["outdated"]["problems"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_emergency_shouts_and_a_dry_run_says_that_it_is_one() {
    let mut site = site();
    let mut spec = sample::spec("v1.1.0", 'b');
    spec["emergency"] = json!({ "skipCanary": true, "breakGlass": true });
    site.rollout("awaiting", spec, &sample::awaiting());
    let page = Ask::get("/rollouts/delivery/awaiting")
        .send(&site.web)
        .await
        .text;
    assert!(
        page.contains("<b>BREAKS THE GLASS, SKIPS THE CANARY</b>"),
        "{page}"
    );
    let mut spec = sample::spec("v1.1.0", 'b');
    spec["dryRun"] = json!(true);
    site.rollout("awaiting", spec, &sample::awaiting());
    let page = Ask::get("/rollouts/delivery/awaiting")
        .send(&site.web)
        .await
        .text;
    assert!(
        page.contains("<b>Dry run</b>") && !page.contains("BREAKS"),
        "{page}"
    );
}
