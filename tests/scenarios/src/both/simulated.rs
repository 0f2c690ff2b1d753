//! The scenarios on the simulated cluster, in virtual time.

use std::time::Duration;

use kube::Client;
use serde_json::json;
use sluice_sim::Resource;

use super::ending::Ending;
use super::ground::{Ground, Release};
use super::play::Play;
use super::scenario::Scenario;
use crate::crew::Crew;
use crate::life::Life;
use crate::on_virtual_time;
use crate::stage::{PRODUCTION, REPOSITORY, Stage, digest};
use crate::watchers::beside;

struct Simulated<'a> {
    stage: &'a Stage,
}

fn letter(release: Release) -> char {
    match release {
        Release::Stable => 'a',
        Release::Good => 'b',
        Release::SickInProduction => 'c',
        Release::NeverReady => 'd',
    }
}

impl Ground for Simulated<'_> {
    fn app(&self) -> &str {
        "storefront"
    }

    fn repository(&self) -> &str {
        REPOSITORY
    }

    fn client(&self, person: Option<&str>) -> Client {
        self.stage
            .cluster
            .client(person.unwrap_or(sluice_sim::ADMIN))
    }

    fn digest(&self, release: Release) -> String {
        digest(letter(release))
    }

    async fn push(&self, release: Release) -> Result<(), String> {
        self.stage.push(release.tag(), letter(release));
        Ok(())
    }

    /// The simulator has no autoscaler of its own: it is played.
    async fn autoscale(&self, replicas: u32) -> Result<(), String> {
        let cluster = &self.stage.cluster;
        let autoscaler = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": self.app(), "namespace": PRODUCTION},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.app()},
                "minReplicas": replicas, "maxReplicas": 20,
            },
        });
        if cluster
            .object(Resource::HorizontalPodAutoscalers, PRODUCTION, self.app())
            .is_none()
        {
            cluster.apply(autoscaler).map_err(|e| e.to_string())?;
        }
        let api: kube::Api<k8s_openapi::api::apps::v1::Deployment> =
            kube::Api::namespaced(self.client(None), PRODUCTION);
        let change = kube::api::Patch::Merge(json!({"spec": {"replicas": replicas}}));
        api.patch(self.app(), &kube::api::PatchParams::default(), &change)
            .await
            .map(|_| ())
            .map_err(|e| e.to_string())
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(3 * 3600)
    }
}

/// Plays a scenario and says how it ended.
///
/// # Errors
/// A sentence about what did not come.
pub fn on_the_simulator(scenario: Scenario) -> Result<Ending, String> {
    on_virtual_time(async {
        let stage = Stage::new(11);
        stage.push("v1.0.0", 'a');
        let life = Life::new(&stage);
        let ground = Simulated { stage: &stage };
        let play = Play { ground: &ground };
        beside(&stage, &life, &Crew::absent(), async {
            adopted(&play).await?;
            scenario.play(&play).await?;
            Ending::of(&play).await
        })
        .await
    })
}

/// Waits until what serves was adopted in both environments.
async fn adopted(play: &Play<'_, Simulated<'_>>) -> Result<(), String> {
    loop {
        let status = play.pipeline().await?.status.unwrap_or_default();
        let done = |e: &str| {
            status
                .environments
                .get(e)
                .is_some_and(|e| e.stable.is_some())
        };
        if done("staging") && done("production") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
