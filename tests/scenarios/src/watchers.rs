//! Playing a script beside the agent and the crew, and waiting for what it looks for.

use std::time::Duration;

use serde_json::Value;
use sluice_sim::Resource;

use crate::crew::Crew;
use crate::life::Life;
use crate::stage::Stage;

/// Plays `script` while the agent lives and the crew works.
pub async fn beside<T>(
    stage: &Stage,
    life: &Life,
    crew: &Crew,
    script: impl Future<Output = T>,
) -> T {
    tokio::select! {
        done = script => done,
        () = life.go_on(stage) => panic!("the agent's life ended"),
        () = crew.work(stage) => panic!("the crew left"),
    }
}

/// The status of the newest Rollout of a tag in an environment; null where there is none.
pub fn status(stage: &Stage, environment: &str, tag: &str) -> Value {
    stage
        .cluster
        .objects(Resource::Rollouts, "delivery")
        .iter()
        .rfind(|r| r["spec"]["environment"] == environment && r["spec"]["image"]["tag"] == tag)
        .map(|r| r["status"].clone())
        .unwrap_or_default()
}

/// What the Pipeline remembers of an environment.
pub fn remembered(stage: &Stage, environment: &str) -> Value {
    stage
        .cluster
        .object(Resource::Pipelines, "delivery", "storefront")
        .map(|p| p["status"]["environments"][environment].clone())
        .unwrap_or_default()
}

/// Waits in virtual time until `holds`, or fails with `what` after `limit`.
pub async fn until(stage: &Stage, what: &str, limit: Duration, holds: impl Fn(&Stage) -> bool) {
    let start = stage.cluster.clock().elapsed();
    while !holds(stage) {
        let waited = stage.cluster.clock().elapsed() - start;
        assert!(
            waited < limit,
            "waited {} s in vain until {what}; rollouts: {:#?}",
            limit.as_secs(),
            stage
                .cluster
                .objects(Resource::Rollouts, "delivery")
                .iter()
                .map(|r| format!(
                    "{} {}: {} {}",
                    r["spec"]["environment"],
                    r["spec"]["image"]["tag"],
                    r["status"]["phase"],
                    r["status"]["message"]
                ))
                .collect::<Vec<_>>()
        );
        stage.pass(Duration::from_secs(1)).await;
    }
}
