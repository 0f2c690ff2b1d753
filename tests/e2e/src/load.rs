//! Visitors: a pod that opens so many fresh connections a second through a Service, and what they met.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::Client;
use kube::api::{Api, DeleteParams, LogParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::app::{PRODUCTION, restricted_container, restricted_pod};
use crate::cluster::Cluster;
use crate::table::Traffic;

/// Fresh connections a second.
const RATE: u32 = 200;
/// It stops by itself long before anybody forgets it.
const SECONDS: u32 = 900;

/// A running load on a Service, or on what stands before it.
pub(crate) struct Load {
    namespace: String,
    name: String,
    client: Client,
}

/// What visitors met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Met {
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) by_version: Vec<(String, u64)>,
    pub(crate) errors: Vec<String>,
}

impl Met {
    /// What goes into the table, with what else is worth a line.
    ///
    /// # Errors
    /// A request failed, or none was sent.
    pub(crate) fn unharmed(self, notes: Vec<String>) -> anyhow::Result<Traffic> {
        ensure!(
            self.sent > 0 && self.failed == 0,
            "{} of {} requests failed:\n{}",
            self.failed,
            self.sent,
            self.errors.join("\n")
        );
        Ok(Traffic {
            sent: Some(self.sent),
            failed: Some(self.failed),
            notes,
            skipped: None,
        })
    }

    /// Percent of the answers that came from this version.
    pub(crate) fn share(&self, version: &str) -> f64 {
        let all: u64 = self.by_version.iter().map(|(_, n)| n).sum();
        let own = self.by_version.iter().find(|(v, _)| v == version);
        #[expect(clippy::cast_precision_loss, reason = "counts of thousands")]
        let percent = own.map_or(0.0, |(_, n)| *n as f64 * 100.0 / all.max(1) as f64);
        percent
    }

    /// Answers from known versions.
    pub(crate) fn answered(&self) -> u64 {
        self.by_version.iter().map(|(_, n)| n).sum()
    }
}

impl Load {
    /// Starts it on the production Service of an app, and waits until it counts.
    pub(crate) async fn start(cluster: &Cluster, app: &str, image: &str) -> anyhow::Result<Self> {
        let client = cluster.client(None).await?;
        let services: Api<Service> = Api::namespaced(client.clone(), PRODUCTION);
        let address = services
            .get(app)
            .await?
            .spec
            .and_then(|s| s.cluster_ip)
            .context("the Service has no address")?;
        Self::at(
            cluster,
            PRODUCTION,
            app,
            &format!("http://{address}:80/"),
            image,
        )
        .await
    }

    /// Starts it on an address, and waits until it counts.
    pub(crate) async fn at(
        cluster: &Cluster,
        namespace: &str,
        app: &str,
        url: &str,
        image: &str,
    ) -> anyhow::Result<Self> {
        let client = cluster.client(None).await?;
        let name = format!("load-{app}");
        cluster
            .apply(&[json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": restricted_pod(),
                    "containers": [{
                        "name": "load", "image": image,
                        "args": ["load", "--url", url,
                                 "--rate", RATE.to_string(), "--seconds", SECONDS.to_string()],
                        "securityContext": restricted_container(),
                        "resources": {"requests": {"cpu": "50m", "memory": "16Mi"}},
                    }],
                },
            })])
            .await?;
        let load = Self {
            namespace: namespace.to_owned(),
            name,
            client,
        };
        let start = Instant::now();
        while load.lines().await.is_ok_and(|lines| lines.len() < 2) || load.lines().await.is_err() {
            if start.elapsed() > Duration::from_secs(60) {
                bail!("the load does not start: {:?}", load.lines().await);
            }
            sleep(Duration::from_millis(500)).await;
        }
        Ok(load)
    }

    /// What was met in a span of time, by whole seconds within it; all of it without bounds.
    pub(crate) async fn met(
        &self,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> anyhow::Result<Met> {
        let mut met = Met::default();
        for line in self.lines().await? {
            let Some(at) = line["at"]
                .as_str()
                .and_then(|t| t.parse::<Timestamp>().ok())
            else {
                continue;
            };
            // A line speaks of the second before it.
            let second = jiff::SignedDuration::from_secs(1);
            if from.is_some_and(|from| at < from + second) || until.is_some_and(|until| at > until)
            {
                continue;
            }
            let count = |name: &str| line[name].as_u64().unwrap_or(0);
            met.sent += count("sent");
            if let Some(errors) = line["errors"].as_object() {
                for (kind, n) in errors {
                    met.failed += n.as_u64().unwrap_or(0);
                    met.errors.push(format!("{at} {kind}: {n}"));
                }
            }
            for (version, n) in line["by_version"].as_object().into_iter().flatten() {
                let n = n.as_u64().unwrap_or(0);
                match met.by_version.iter_mut().find(|(v, _)| v == version) {
                    Some((_, known)) => *known += n,
                    None => met.by_version.push((version.clone(), n)),
                }
            }
        }
        Ok(met)
    }

    async fn lines(&self) -> anyhow::Result<Vec<Value>> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let text = pods.logs(&self.name, &LogParams::default()).await?;
        // The total at the end has marks; the lines of seconds have none.
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line.get("marks").is_none())
            .collect())
    }

    /// Ends it.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.client, &self.namespace);
        pods.delete(&self.name, &DeleteParams::default()).await?;
        Ok(())
    }
}
