//! Every way to shift traffic, with real pods under 200 fresh connections a second: a good release, a
//! bad one, and for blue-green the way back by hand. No request fails; the table has the seconds to
//! decide and to undo.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use sluice_cluster::crd::Rollout;
use sluice_core::hook::{HookState, HookWhen};
use sluice_core::rollout::{Journal, Why};
use sluice_sample::{Behaviour, sample_image};
use tokio::time::{Instant, sleep};

use crate::app::{DELIVERY, STAGING};
use crate::cluster::Cluster;
use crate::load::Load;
use crate::probe::Probe;
use crate::shape::Shape;
use crate::table::Traffic;

/// Something that must come, on two busy cores.
const PATIENCE: Duration = Duration::from_secs(120);
/// A switch, and a switch back, from the decision to the last visitor of the other colour.
const SWITCH: SignedDuration = SignedDuration::from_secs(2);
/// From a check that failed to the decision to go back.
const DECIDES: SignedDuration = SignedDuration::from_secs(1);
/// What the last pods still have to answer.
const DRAINS: Duration = Duration::from_secs(8);

/// A shape on the cluster.
struct Stage<'a> {
    cluster: &'a Arc<Cluster>,
    shape: Shape,
    repository: String,
    images: BTreeMap<&'static str, PathBuf>,
}

/// v1.1.0 and v1.3.0 are good, v1.2.0 says that it is not well.
fn releases() -> [(&'static str, Behaviour); 4] {
    [
        ("v1.0.0", Behaviour::good()),
        ("v1.1.0", Behaviour::good()),
        ("v1.2.0", Behaviour::unhealthy()),
        ("v1.3.0", Behaviour::good()),
    ]
}

pub(crate) async fn check(cluster: &Arc<Cluster>, shape: Shape) -> anyhow::Result<Traffic> {
    if matches!(shape, Shape::Route) && !knows_routes(cluster).await? {
        return Ok(Traffic::skipped(
            "the cluster does not know HTTPRoutes: install the Gateway API's definitions",
        ));
    }
    let stage = Stage::start(cluster, shape).await?;
    let (address, door) = stage.address().await?;
    let load = Load::at(
        cluster,
        STAGING,
        shape.name(),
        &format!("http://{address}/"),
        &format!("{}:v1.0.0", stage.repository),
    )
    .await?;
    let probe = match &cluster.bed {
        Some(_) => Some(Probe::start(address)?),
        None => None,
    };
    let begin = Timestamp::now();
    let mut notes = vec![format!("through {door}")];
    if shape == Shape::BlueGreen {
        stage.switched_and_back(probe.as_ref(), &mut notes).await?;
        stage.bad("v1.2.0", &mut notes).await?;
        stage.good("v1.3.0", &mut notes).await?;
    } else {
        stage.good("v1.1.0", &mut notes).await?;
        stage.bad("v1.2.0", &mut notes).await?;
    }
    sleep(DRAINS).await;
    let met = load.met(Some(begin), None).await?;
    if shape == Shape::BlueGreen {
        let bad = met.share("v1.2.0");
        ensure!(bad == 0.0, "{bad} % of the visitors met the bad release");
    }
    load.stop().await?;
    stage.nothing_is_left().await?;
    stage.cleared().await?;
    met.unharmed(notes)
}

async fn knows_routes(cluster: &Cluster) -> anyhow::Result<bool> {
    let path = ["get", "--raw", "/apis/gateway.networking.k8s.io/v1"];
    Ok(cluster.try_kubectl(None, &path, "").await?.ok)
}

impl<'a> Stage<'a> {
    /// v1.0.0 serves, and was adopted.
    async fn start(cluster: &'a Arc<Cluster>, shape: Shape) -> anyhow::Result<Self> {
        let repository = format!("{}/shop/{}", cluster.registry, shape.name());
        let folder = cluster.scratch.path().join(shape.name());
        std::fs::create_dir_all(&folder)?;
        let mut images = BTreeMap::new();
        for (tag, behaviour) in releases() {
            let program = cluster.sample();
            let (path, _) = sample_image(&program, &repository, tag, &behaviour, &folder)?;
            images.insert(tag, path);
        }
        let stage = Self {
            cluster,
            shape,
            repository,
            images,
        };
        stage.push("v1.0.0").await?;
        cluster.apply(&shape.objects(&stage.repository)).await?;
        cluster.apply(&[shape.pipeline(&stage.repository)]).await?;
        stage.adopted().await?;
        Ok(stage)
    }

    async fn push(&self, tag: &str) -> anyhow::Result<()> {
        let path = self.images.get(tag).context("this release was not built")?;
        let name = format!("{}:{tag}", self.repository);
        sluice_image::push(path, &name, self.cluster.insecure)
            .await
            .with_context(|| format!("{name} cannot be pushed"))?;
        Ok(())
    }

    async fn adopted(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        let path = "jsonpath={.status.environments.staging}";
        let name = self.shape.name();
        let arguments = ["get", "pipeline", name, "-n", DELIVERY, "-o", path];
        loop {
            let said = self.cluster.kubectl(None, &arguments).await?.out;
            if said.contains("\"stable\"") {
                return Ok(());
            }
            ensure!(start.elapsed() < PATIENCE, "{name} was not adopted: {said}");
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Where visitors come in, and by what.
    async fn address(&self) -> anyhow::Result<(SocketAddr, &'static str)> {
        let name = self.shape.name();
        if let Some(bed) = &self.cluster.bed {
            if self.shape == Shape::Route
                && let Some(address) = bed.routes_address()
            {
                bed.route_accepted(STAGING, name).await?;
                return Ok((address, "the gateway"));
            }
            if self.shape == Shape::Ingress
                && let Some(address) = bed.ingresses_address()
            {
                return Ok((address, "the gateway, as ingress-nginx"));
            }
        }
        let path = "jsonpath={.spec.clusterIP}:80";
        let arguments = ["get", "service", name, "-n", STAGING, "-o", path];
        let said = self.cluster.kubectl(None, &arguments).await?.out;
        Ok((said.parse()?, "the Service"))
    }

    /// The newest Rollout of a tag, once it is as `holds` says.
    async fn until(
        &self,
        tag: &str,
        what: &str,
        holds: impl Fn(&Journal) -> bool,
    ) -> anyhow::Result<(Rollout, Journal)> {
        let api: Api<Rollout> = Api::namespaced(self.cluster.client(None).await?, DELIVERY);
        let start = Instant::now();
        loop {
            let list = api.list(&ListParams::default()).await?;
            let ours = |r: &Rollout| {
                r.spec.body.pipeline == self.shape.name()
                    && r.spec.body.image.tag.as_deref() == Some(tag)
            };
            let found = list.items.into_iter().find(ours);
            let journal = found
                .as_ref()
                .and_then(|r| r.status.clone())
                .unwrap_or_default();
            if let Some(rollout) = found.filter(|_| holds(&journal)) {
                return Ok((rollout, journal));
            }
            if journal.state.ended() || start.elapsed() > PATIENCE {
                bail!(
                    "{tag}: waited {} s until {what}; it is {}: {}\n{}",
                    start.elapsed().as_secs(),
                    journal.phase,
                    journal.message,
                    timeline(&journal)
                );
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// A good release, with what the router's objects look like in its first step.
    async fn good(&self, tag: &str, notes: &mut Vec<String>) -> anyhow::Result<()> {
        let before = self.foreign().await?;
        self.push(tag).await?;
        if matches!(self.shape, Shape::Route | Shape::Ingress) {
            self.until(tag, "the first step is watched", |j| {
                matches!(j.why, Some(Why::Holds { step: 1, .. }))
            })
            .await?;
            self.shared(notes).await?;
        }
        let ended = |j: &Journal| j.phase == "Succeeded";
        let (_, journal) = self.until(tag, "it has succeeded", ended).await?;
        if self.shape == Shape::Course {
            self.whole_course(&journal, notes).await?;
        }
        let took = seconds(journal.started_at, journal.ended_at);
        notes.push(format!("{tag} promoted in {took:.1} s"));
        ensure!(
            self.foreign().await? == before,
            "what others wrote is not as it was"
        );
        Ok(())
    }

    /// A release that says that it is not well.
    async fn bad(&self, tag: &str, notes: &mut Vec<String>) -> anyhow::Result<()> {
        let before = self.foreign().await?;
        self.push(tag).await?;
        let ended = |j: &Journal| j.phase == "RolledBack";
        let (_, journal) = self.until(tag, "it was rolled back", ended).await?;
        let failed = journal.checks.iter().map(|c| c.at).max();
        let decided = moment(&journal, "rolling-back").context("it never turned round")?;
        let decides = failed.map_or(SignedDuration::ZERO, |at| decided.duration_since(at));
        ensure!(
            decides <= DECIDES,
            "{decides:#} from the failing check to the decision"
        );
        if self.shape == Shape::Course {
            let undone = journal.hooks.iter().any(|h| {
                h.name == "migrate" && h.when == HookWhen::Undo && h.state == HookState::Succeeded
            });
            ensure!(
                undone,
                "the migration was not taken back: {:?}",
                journal.hooks
            );
            ensure!(
                self.images("-worker").await? == self.images("").await?,
                "the worker is of another version"
            );
        }
        let undone = seconds(Some(decided), journal.ended_at);
        notes.push(format!(
            "{tag} rolled back: decided {:.2} s after the failing check, undone {undone:.1} s later",
            decides.as_secs_f64()
        ));
        ensure!(
            self.foreign().await? == before,
            "what others wrote is not as it was"
        );
        Ok(())
    }

    /// Jobs ran once and told what they did, the worker came along, and the configuration is the
    /// release's own copy.
    async fn whole_course(&self, journal: &Journal, notes: &mut Vec<String>) -> anyhow::Result<()> {
        let hook = |name: &str| {
            let run = journal.hooks.iter().find(|h| h.name == name);
            run.filter(|h| h.state == HookState::Succeeded)
                .with_context(|| format!("{name} did not succeed: {:?}", journal.hooks))
        };
        let backup = hook("backup")?;
        ensure!(
            backup.restore.as_deref() == Some("restore-from s3://backup/1"),
            "the way to restore is {:?}",
            backup.restore
        );
        ensure!(
            hook("migrate")?.result == "41 to 42" && hook("tidy")?.log.contains("tidy begins"),
            "{:?}",
            journal.hooks
        );
        let jobs = self.get_all("jobs").await?;
        ensure!(jobs.len() == 3, "{} Jobs instead of 3", jobs.len());
        ensure!(
            self.images("-worker").await? == self.images("").await?,
            "the worker is of another version"
        );
        let name = self.shape.name();
        let target = self.get("deployment", name).await?;
        let config = target
            .pointer("/spec/template/spec/containers/0/envFrom/0/configMapRef/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        ensure!(
            config.starts_with(&format!("{name}-config-")),
            "the configuration is {config:?}, and no copy"
        );
        notes.push(
            "backup verified, migrated, the worker came along, the configuration is a copy".into(),
        );
        Ok(())
    }

    /// The image of the workload, or of the one beside it.
    async fn images(&self, suffix: &str) -> anyhow::Result<Value> {
        let name = format!("{}{suffix}", self.shape.name());
        let found = self.get("deployment", &name).await?;
        Ok(found["spec"]["template"]["spec"]["containers"][0]["image"].clone())
    }

    /// Blue-green: switched, and back by hand while the old colour is kept.
    async fn switched_and_back(
        &self,
        probe: Option<&Probe>,
        notes: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        let tag = "v1.1.0";
        self.push(tag).await?;
        let watched = |j: &Journal| j.phase == "Watching";
        let (rollout, journal) = self.until(tag, "it is watched", watched).await?;
        let decided = journal
            .timeline
            .iter()
            .rev()
            .find(|m| m.kind == "step-started")
            .map(|m| m.at)
            .context("no step was started")?;
        sleep(Duration::from_secs(3)).await;
        notes.extend(within(probe, decided, tag, "switched")?);
        let request = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Request",
            "metadata": {"name": format!("{}-back", self.shape.name()), "namespace": DELIVERY},
            "spec": {"action": "rollback", "rollout": rollout.name_any(), "reason": "an exercise",
                     "requester": sluice_scenarios::both::ALICE},
        });
        let alice = Some(sluice_scenarios::both::ALICE);
        let said = self
            .cluster
            .try_kubectl(alice, &["create", "-f", "-"], &request.to_string())
            .await?;
        ensure!(said.ok, "alice may not ask for the way back: {}", said.err);
        let ended = |j: &Journal| j.phase == "RolledBack";
        let (_, journal) = self.until(tag, "it was rolled back", ended).await?;
        let decided = moment(&journal, "rolling-back").context("it never turned round")?;
        notes.extend(within(probe, decided, "v1.0.0", "switched back")?);
        Ok(())
    }

    /// The router's object in the first step of a share.
    async fn shared(&self, notes: &mut Vec<String>) -> anyhow::Result<()> {
        let name = self.shape.name();
        if self.shape == Shape::Route {
            let route = self.get("httproute", name).await?;
            let refs = &route["spec"]["rules"][1]["backendRefs"];
            let weights: Vec<u64> = refs
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|r| r["weight"].as_u64())
                .collect();
            ensure!(weights == [7500, 2500], "the weights are {refs}");
            notes.push("the rule's weights are 7500 and 2500".into());
            return Ok(());
        }
        let list = self.get_all("ingresses").await?;
        let canary = list
            .iter()
            .find(|i| i["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary"] == "true");
        let weight = canary
            .map(|i| &i["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]);
        ensure!(
            weight == Some(&json!("2500")),
            "the canary's weight is {weight:?}"
        );
        notes.push("the canary Ingress has 2500 of 10000".into());
        Ok(())
    }

    /// What Sluice shares with others, without what it may write: the Service's selector, rules,
    /// filters, references.
    async fn foreign(&self) -> anyhow::Result<Value> {
        let name = self.shape.name();
        let mut out = vec![self.get("service", name).await?["spec"].clone()];
        match self.shape {
            Shape::Route => out.push(self.get("httproute", name).await?["spec"].clone()),
            Shape::Ingress => out.push(self.get("ingress", name).await?["spec"].clone()),
            Shape::Ratio
            | Shape::NoSurge
            | Shape::Rolling
            | Shape::BlueGreen
            | Shape::StatefulSet
            | Shape::Course => {}
        }
        Ok(Value::from(out))
    }

    async fn get(&self, kind: &str, name: &str) -> anyhow::Result<Value> {
        let arguments = ["get", kind, name, "-n", STAGING, "-o", "json"];
        let said = self.cluster.kubectl(None, &arguments).await?;
        Ok(serde_json::from_str(&said.out)?)
    }

    /// Objects of a kind that Sluice created for this service.
    async fn get_all(&self, kinds: &str) -> anyhow::Result<Vec<Value>> {
        let ours = "app.kubernetes.io/managed-by=sluice";
        let arguments = ["get", kinds, "-n", STAGING, "-l", ours, "-o", "json"];
        let said = self.cluster.kubectl(None, &arguments).await?;
        let list: Value = serde_json::from_str(&said.out)?;
        let of_shape = |o: &&Value| {
            o["metadata"]["name"]
                .as_str()
                .is_some_and(|n| n.starts_with(self.shape.name()))
        };
        let items = list["items"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        Ok(items.iter().filter(of_shape).cloned().collect())
    }

    /// No candidate, no Service of its own, no canary Ingress (O9).
    async fn nothing_is_left(&self) -> anyhow::Result<()> {
        let left = self.get_all("deployments,services,ingresses").await?;
        let names: Vec<&str> = left
            .iter()
            .filter_map(|o| o["metadata"]["name"].as_str())
            .collect();
        ensure!(names.is_empty(), "these are left: {}", names.join(", "));
        Ok(())
    }

    /// Makes room on the node.
    async fn cleared(&self) -> anyhow::Result<()> {
        let name = self.shape.name();
        self.cluster
            .kubectl(None, &["delete", "pipeline", name, "-n", DELIVERY])
            .await?;
        let mut kinds = "deployment,statefulset,service,ingress".to_owned();
        if self.shape == Shape::Route {
            kinds.push_str(",httproute");
        }
        if self.shape == Shape::Course {
            let worker = format!("{name}-worker");
            let arguments = [
                "delete",
                "deployment",
                &worker,
                "-n",
                STAGING,
                "--wait=false",
            ];
            self.cluster.kubectl(None, &arguments).await?;
            kinds.push_str(",cronjob");
        }
        let arguments = [
            "delete",
            &kinds,
            name,
            "-n",
            STAGING,
            "--ignore-not-found",
            "--wait=false",
        ];
        self.cluster.kubectl(None, &arguments).await?;
        Ok(())
    }
}

/// When something of this kind happened last.
fn moment(journal: &Journal, kind: &str) -> Option<Timestamp> {
    let last = journal.timeline.iter().rev().find(|m| m.kind == kind)?;
    Some(last.at)
}

fn timeline(journal: &Journal) -> String {
    let lines = journal
        .timeline
        .iter()
        .map(|m| format!("{} {} {}", m.at, m.kind, m.text));
    lines.collect::<Vec<_>>().join("\n")
}

fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> f64 {
    match (from, to) {
        (Some(from), Some(to)) => to.duration_since(from).as_secs_f64(),
        _ => 0.0,
    }
}

/// How long a switch took, which is not longer than it may.
fn within(
    probe: Option<&Probe>,
    decided: Timestamp,
    version: &str,
    what: &str,
) -> anyhow::Result<Option<String>> {
    let Some(probe) = probe else {
        return Ok(None);
    };
    let took = probe
        .switched(decided, version)
        .with_context(|| format!("not {what} to {version}: another version still answers"))?;
    ensure!(took <= SWITCH, "{what} {took:#} after the decision");
    Ok(Some(format!(
        "{what} to {version} {:.2} s after the decision",
        took.as_secs_f64()
    )))
}
