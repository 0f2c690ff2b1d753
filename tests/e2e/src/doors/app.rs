//! An app behind the doors: two versions, two environments, nothing reaches production by itself.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use kube::api::Api;
use serde_json::json;
use sluice_cluster::crd::Pipeline;
use sluice_sample::{Behaviour, sample_image};
use tokio::time::{Instant, sleep};

use super::{Doors, PLACE};
use crate::app::App;

/// What serves before.
pub(crate) const OLD: &str = "v1.0.0";
/// What is asked for.
pub(crate) const NEW: &str = "v1.1.0";
/// How long each step is watched.
const HOLD: &str = "2s";
const PATIENCE: Duration = Duration::from_secs(180);

/// The two versions, by their digests.
pub(crate) struct Versions {
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Doors {
    /// Starts an app whose new version has passed staging, where its production asks the provider in
    /// chat, too, if so wished.
    pub(crate) async fn app(&self, name: &str, in_chat: bool) -> anyhow::Result<Versions> {
        let cluster = &self.cluster;
        let repository = format!("{}/shop/{name}", cluster.registry);
        let folder = cluster.scratch.path().join(name);
        std::fs::create_dir_all(&folder)?;
        let image = |tag: &str| {
            let behaviour = Behaviour::good();
            sample_image(&cluster.sample(), &repository, tag, &behaviour, &folder)
        };
        let (old, new) = (image(OLD)?, image(NEW)?);
        let push = async |tag: &str, path: &std::path::Path| {
            let name = format!("{repository}:{tag}");
            let pushed = sluice_image::push(path, &name, cluster.insecure).await;
            pushed.with_context(|| format!("{name} cannot be pushed"))
        };
        push(OLD, &old.0).await?;
        let app = App {
            place: &PLACE,
            name,
            repository: &repository,
            hold: HOLD,
        };
        cluster.apply(&app.workloads()).await?;
        let mut pipeline = app.pipeline();
        let production = &mut pipeline["spec"]["environments"][1];
        production["triggers"] = json!([{"manual": {}}, {"webhook": {}}]);
        production["strategy"]["settings"] = json!({"steps": [
            {"weight": "50%", "hold": HOLD}, {"weight": "100%", "hold": HOLD}]});
        if in_chat {
            production["approvals"] = json!([{"plugin": "slack-approval"}]);
        }
        cluster.apply(&[pipeline]).await?;
        self.adopted(name).await?;
        push(NEW, &new.0).await?;
        self.phase((name, "staging", NEW), "Succeeded").await?;
        Ok(Versions {
            old: old.1.to_string(),
            new: new.1.to_string(),
        })
    }

    async fn adopted(&self, name: &str) -> anyhow::Result<()> {
        let api: Api<Pipeline> = Api::namespaced(self.client.clone(), PLACE.delivery);
        let start = Instant::now();
        loop {
            let status = api.get(name).await?.status.unwrap_or_default();
            let seen = |e: &str| {
                status
                    .environments
                    .get(e)
                    .is_some_and(|e| e.stable.is_some())
            };
            if seen("staging") && seen("production") {
                return Ok(());
            }
            ensure!(
                start.elapsed() < PATIENCE,
                "{name} was not adopted: {:?}",
                status.problems
            );
            sleep(Duration::from_millis(500)).await;
        }
    }
}
