//! How a scenario ended, without what differs between clusters: digests are named by their tags,
//! generated names by their roles.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use sluice_core::rollout::ROLLOUT_LABEL;
use tokio::time::{Instant, sleep};

use super::ground::{Ground, Release};
use super::play::Play;
use crate::stage::{PRODUCTION, STAGING};

/// Nothing may change for so long at the end.
const QUIET: Duration = Duration::from_secs(4);

/// The end of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Phase of every Rollout, by environment and tag.
    pub rollouts: BTreeMap<String, String>,
    /// Version and pods of every Deployment of the app, canaries included.
    pub deployments: BTreeMap<String, String>,
    /// Tag that the Pipeline remembers as stable, by environment.
    pub stable: BTreeMap<String, String>,
    /// Quarantined tags, by environment.
    pub quarantined: BTreeMap<String, Vec<String>>,
}

impl Ending {
    /// Reads it, once nothing changes any more.
    ///
    /// # Errors
    /// It does not come to rest.
    pub async fn of<G: Ground>(play: &Play<'_, G>) -> Result<Self, String> {
        let start = Instant::now();
        let mut before = Self::now(play).await?;
        loop {
            sleep(QUIET).await;
            let now = Self::now(play).await?;
            if now == before && now.rested(play).await? {
                return Ok(now);
            }
            if start.elapsed() > play.ground.patience() {
                return Err(format!("does not come to rest: {now:#?}"));
            }
            before = now;
        }
    }

    /// Every Rollout is over with its record stored.
    async fn rested<G: Ground>(&self, play: &Play<'_, G>) -> Result<bool, String> {
        let rollouts = play.rollouts().await?;
        Ok(rollouts.iter().all(|r| {
            let journal = r.status.as_ref();
            journal.is_some_and(|j| j.state.ended() && j.recorded && j.outbox.is_empty())
        }))
    }

    async fn now<G: Ground>(play: &Play<'_, G>) -> Result<Self, String> {
        let tag = |image: &str| {
            let known = |r: &&Release| {
                image.ends_with(&play.ground.digest(**r))
                    || image.ends_with(&format!(":{}", r.tag()))
            };
            let found = Release::ALL.iter().find(known);
            found.map_or_else(|| image.to_owned(), |r| r.tag().to_owned())
        };
        let mut found = Self::default();
        for r in play.rollouts().await? {
            let what = format!(
                "{} {}",
                r.spec.body.environment,
                r.spec.body.image.tag.clone().unwrap_or_default()
            );
            let phase = r.status.map(|j| j.phase).unwrap_or_default();
            found.rollouts.insert(what, phase);
        }
        for namespace in [STAGING, PRODUCTION] {
            let api: Api<Deployment> = Api::namespaced(play.ground.client(None), namespace);
            let list = api
                .list(&ListParams::default())
                .await
                .map_err(|e| e.to_string())?;
            for d in list.items {
                let app = play.ground.app();
                let name = d.name_any();
                let role = if name == app {
                    "target"
                } else if d.labels().contains_key(ROLLOUT_LABEL) && name.starts_with(app) {
                    "canary"
                } else {
                    continue;
                };
                let (spec, status) = (d.spec.unwrap_or_default(), d.status.unwrap_or_default());
                let image = spec
                    .template
                    .spec
                    .and_then(|s| s.containers.first()?.image.clone())
                    .unwrap_or_default();
                let text = format!(
                    "{} x{} ready {}",
                    tag(&image),
                    spec.replicas.unwrap_or_default(),
                    status.ready_replicas.unwrap_or_default()
                );
                found
                    .deployments
                    .insert(format!("{namespace} {role}"), text);
            }
        }
        let status = play.pipeline().await?.status.unwrap_or_default();
        for (environment, remembered) in status.environments {
            if let Some(stable) = &remembered.stable {
                found
                    .stable
                    .insert(environment.clone(), tag(&stable.digest));
            }
            let list: Vec<String> = remembered
                .quarantined
                .iter()
                .map(|q| tag(&q.digest))
                .collect();
            if !list.is_empty() {
                found.quarantined.insert(environment, list);
            }
        }
        Ok(found)
    }
}
