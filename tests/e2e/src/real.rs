//! The ground of the scenarios, on the real cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kube::Client;
use serde_json::json;
use sluice_sample::{Behaviour, sample_image};
use sluice_scenarios::both::{ALICE, BOB, CAROL, Ground, Play, Release};
use tokio::time::{Instant, sleep};

use crate::app::{App, HOME, PRODUCTION};
use crate::cluster::Cluster;
use crate::told::told;

/// Something that must come, on two busy cores.
const PATIENCE: Duration = Duration::from_secs(180);

/// An app of its own in the cluster of all.
pub(crate) struct Real {
    cluster: Arc<Cluster>,
    app: String,
    repository: String,
    clients: BTreeMap<String, Client>,
    admin: Client,
    images: BTreeMap<Release, (PathBuf, String)>,
}

fn behaviour(release: Release) -> Behaviour {
    match release {
        Release::Stable | Release::Good => Behaviour::good(),
        Release::SickInProduction => Behaviour::unhealthy_in_production(),
        Release::NeverReady => Behaviour::never_ready(),
    }
}

impl Real {
    /// Builds its images, starts v1.0.0 in both environments, makes the Pipeline, and waits until what
    /// serves was adopted.
    pub(crate) async fn start(
        cluster: &Arc<Cluster>,
        app: &str,
        hold: &str,
    ) -> anyhow::Result<Self> {
        let repository = format!("{}/shop/{app}", cluster.registry);
        let folder = cluster.scratch.path().join(app);
        std::fs::create_dir_all(&folder)?;
        let mut images = BTreeMap::new();
        for release in Release::ALL {
            let (path, digest) = sample_image(
                &cluster.sample(),
                &repository,
                release.tag(),
                &behaviour(release),
                &folder,
            )?;
            images.insert(release, (path, digest.to_string()));
        }
        let mut clients = BTreeMap::new();
        for person in [ALICE, BOB, CAROL] {
            clients.insert(person.to_owned(), cluster.client(Some(person)).await?);
        }
        let ground = Self {
            cluster: cluster.clone(),
            app: app.to_owned(),
            repository,
            clients,
            admin: cluster.client(None).await?,
            images,
        };
        ground.push(Release::Stable).await.map_err(told)?;
        let manifests = App {
            place: &HOME,
            name: app,
            repository: &ground.repository,
            hold,
        };
        cluster.apply(&manifests.workloads()).await?;
        cluster.apply(&[manifests.pipeline()]).await?;
        ground.adopted().await?;
        Ok(ground)
    }

    /// A scenario's hands.
    pub(crate) fn play(&self) -> Play<'_, Self> {
        Play { ground: self }
    }

    async fn adopted(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let status = self
                .play()
                .pipeline()
                .await
                .map_err(told)?
                .status
                .unwrap_or_default();
            let of = |e: &str| status.environments.get(e);
            let done = |e: &str| of(e).is_some_and(|e| e.stable.is_some());
            if done("staging") && done("production") {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                anyhow::bail!(
                    "{} was not adopted: staging waits for {:?}, production for {:?}; {:?}",
                    self.app,
                    of("staging").and_then(|e| e.waiting.clone()),
                    of("production").and_then(|e| e.waiting.clone()),
                    status.problems
                );
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Pushes an image of this behaviour under a tag that no [`Release`] has.
    pub(crate) async fn push_as(&self, tag: &str, release: Release) -> anyhow::Result<()> {
        let folder = self.cluster.scratch.path().join(&self.app);
        let program = self.cluster.sample();
        let (path, _) = sample_image(
            &program,
            &self.repository,
            tag,
            &behaviour(release),
            &folder,
        )?;
        self.push_file(&path, tag).await
    }

    async fn push_file(&self, path: &std::path::Path, tag: &str) -> anyhow::Result<()> {
        let name = format!("{}:{tag}", self.repository);
        sluice_image::push(path, &name, self.cluster.insecure)
            .await
            .with_context(|| format!("{name} cannot be pushed"))?;
        Ok(())
    }
}

impl Ground for Real {
    fn app(&self) -> &str {
        &self.app
    }

    fn repository(&self) -> &str {
        &self.repository
    }

    fn client(&self, person: Option<&str>) -> Client {
        let own = person.and_then(|name| self.clients.get(name));
        own.unwrap_or(&self.admin).clone()
    }

    fn digest(&self, release: Release) -> String {
        self.images
            .get(&release)
            .map(|(_, digest)| digest.clone())
            .unwrap_or_default()
    }

    async fn push(&self, release: Release) -> Result<(), String> {
        let Some((path, _)) = self.images.get(&release) else {
            return Err("this release was not built".into());
        };
        self.push_file(path, release.tag())
            .await
            .map_err(|e| format!("{e:#}"))
    }

    /// Without metrics a real autoscaler still keeps within its bounds: these move it.
    async fn autoscale(&self, replicas: u32) -> Result<(), String> {
        let autoscaler = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": self.app, "namespace": PRODUCTION},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.app},
                "minReplicas": replicas, "maxReplicas": 20,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 80}}}],
            },
        });
        self.cluster
            .apply(&[autoscaler])
            .await
            .map_err(|e| format!("{e:#}"))?;
        let start = Instant::now();
        loop {
            let spec = self.play().target().await?.spec;
            if spec
                .and_then(|s| s.replicas)
                .and_then(|n| u32::try_from(n).ok())
                == Some(replicas)
            {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("the autoscaler did not set {replicas} replicas"));
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}
