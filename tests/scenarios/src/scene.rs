//! What most scenarios begin with: v1.0.0 adopted everywhere, under some policy.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sluice_core::policy::Policy;
use sluice_sim::Resource;

use crate::crew::Crew;
use crate::life::Life;
use crate::on_virtual_time;
use crate::stage::{PRODUCTION, Stage};
use crate::watchers::{beside, remembered, status, until};

/// The baseline is adopted within this time.
const ADOPTED: Duration = Duration::from_secs(20 * 60);

/// Plays a script under a policy, with v1.0.0 adopted everywhere and the agent and this crew at work.
pub fn play(policy: &str, crew: &Crew, script: impl AsyncFnOnce(&Stage, &Life)) {
    on_virtual_time(async {
        let mut stage = Stage::new(7);
        stage.policy = Arc::new(Policy::parse(policy).expect("a policy"));
        stage.push("v1.0.0", 'a');
        let life = Life::new(&stage);
        beside(&stage, &life, crew, async {
            until(&stage, "the baseline is adopted", ADOPTED, |s| {
                remembered(s, "production")["stable"].is_object()
            })
            .await;
            script(&stage, &life).await;
        })
        .await;
    });
}

/// Whether the newest Rollout of a tag is in this phase.
pub fn phase_is(
    environment: &'static str,
    tag: &'static str,
    phase: &'static str,
) -> impl Fn(&Stage) -> bool {
    move |stage| status(stage, environment, tag)["phase"] == phase
}

/// Whether it is there for this reason.
pub fn why_is(
    environment: &'static str,
    tag: &'static str,
    code: &'static str,
) -> impl Fn(&Stage) -> bool {
    move |stage| status(stage, environment, tag)["why"]["code"] == code
}

/// The answer to a Request: its status; null as long as there is none.
pub fn answer(stage: &Stage, name: &str) -> Value {
    stage
        .cluster
        .object(Resource::Requests, "delivery", name)
        .map(|r| r["status"].clone())
        .unwrap_or_default()
}

/// Waits for the answer to a Request.
pub async fn answered(stage: &Stage, name: &str) -> Value {
    let limit = Duration::from_secs(60);
    until(stage, &format!("{name} is answered"), limit, |s| {
        answer(s, name).is_object()
    })
    .await;
    answer(stage, name)
}

/// Production's target as it stands, without what the API server counts.
pub fn target(stage: &Stage) -> Value {
    let found = stage
        .cluster
        .object(Resource::Deployments, PRODUCTION, "storefront");
    found.map(|d| Value::clone(&d)).unwrap_or_default()
}

/// Name of the newest Rollout of a tag in an environment.
pub fn rollout_name(stage: &Stage, environment: &str, tag: &str) -> String {
    let all = stage.cluster.objects(Resource::Rollouts, "delivery");
    all.iter()
        .rfind(|r| r["spec"]["environment"] == environment && r["spec"]["image"]["tag"] == tag)
        .and_then(|r| r["metadata"]["name"].as_str().map(str::to_owned))
        .unwrap_or_default()
}
