//! The story, act by act.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kube::ResourceExt;
use serde_json::Value;
use sluice::clock::WallClock;
use sluice::wiring::{ChildSettings, HostPlace, Settings, wire};
use sluice_controller::{AgentConfig, World};
use sluice_core::pipeline::OutcomeKind;
use sluice_core::plugin::Outcome;
use sluice_core::rollout::State;
use sluice_core::router::percent;
use sluice_sim::{Behaviour, Resource};
use sluice_web::WebConfig;
use tokio::time::Instant;

use crate::drops::Drops;
use crate::follow::{Narrator, rollout, settled_step, waits_for_votes};
use crate::people;
use crate::report::{BAD, judge, shares};
use crate::setting::{DELIVERY, PEOPLE, PRODUCTION, Setting, until};
use crate::traffic::Traffic;

/// The release that goes through.
const GOOD: &str = "v1.1.0";
/// An act that takes longer is stuck; with people in it, it may take as long as they like.
const ACT: Duration = Duration::from_secs(120);
const UNHURRIED: Duration = Duration::from_secs(24 * 3600);

/// Plays the whole story.
///
/// # Errors
/// Anything that did not go as told.
pub(crate) async fn play(auto: bool) -> anyhow::Result<()> {
    let start = Instant::now();
    let setting = Setting::new().await?;
    let kubeconfig = kubeconfig(&setting).await?;
    let settings = Settings {
        agent: AgentConfig {
            namespace: Some(DELIVERY.into()),
            target_namespaces: vec!["staging".into(), PRODUCTION.into()],
            ..AgentConfig::default()
        },
        policy: setting.folder.join("policy.yaml"),
        plugins: setting.folder.join("plugins").into(),
        probes: None,
        host: HostPlace::Child(Box::new(ChildSettings {
            allow_loopback: true,
            ..ChildSettings::of(std::env::current_exe().context("where is this program?")?)
        })),
        records: setting.folder.join("records.jsonl"),
        registry: setting.registry_config(),
        web: Some((address(auto), web())),
        secrets: None,
    };
    let client = setting.cluster.client(&setting.cluster.agent());
    let agent = wire(client, settings, Arc::new(WallClock)).await?;
    let world = agent.world();
    let drops = Drops::new(&setting, agent.plugins().clone())?;
    println!("Sluice demo: the real agent on a cluster in this process.\n");
    if let Some(web) = agent.web_address() {
        println!("  dashboard   http://{web}/");
    }
    println!("  kubeconfig  {}", kubeconfig.display());
    println!(
        "  records     {}",
        setting.folder.join("records.jsonl").display()
    );
    println!(
        "  plugins     {}\n",
        setting.folder.join("plugins").display()
    );
    let stage = Stage {
        setting,
        world,
        kubeconfig,
        start,
        auto,
    };
    tokio::select! {
        ended = agent.run() => {
            ended?;
            bail!("the agent ended before the story");
        }
        told = stage.acts(drops) => told,
        _ = tokio::signal::ctrl_c() => bail!("stopped by hand"),
    }
}

struct Stage {
    setting: Setting,
    world: World,
    kubeconfig: PathBuf,
    start: Instant,
    auto: bool,
}

impl Stage {
    async fn acts(&self, drops: Drops) -> anyhow::Result<()> {
        self.wait("v1.0.0 is adopted as the baseline", ACT, || self.adopted())
            .await?;
        self.say("v1.0.0 serves in staging and production and is adopted as the way back");
        let traffic = Traffic::start(self.service()?, &self.world);
        let mut narrator = Narrator::new(self.start);
        self.setting.push(GOOD, Behaviour::serving(GOOD))?;
        self.say(&format!("{GOOD} is pushed"));
        self.release(&mut narrator, &traffic, GOOD, OutcomeKind::Succeeded)
            .await?;
        let digest = self.setting.push_bad(BAD)?;
        self.say(&format!(
            "{BAD} is pushed; its health lies under production's data"
        ));
        self.release(&mut narrator, &traffic, BAD, OutcomeKind::RolledBack)
            .await?;
        self.nothing_is_left(&digest)?;
        let counts = traffic.counts();
        drop(traffic);
        self.say("canary gone, digest quarantined, v1.1.0 serves alone");
        judge(&counts)?;
        println!(
            "\nThe whole story took {:.0} s.",
            self.start.elapsed().as_secs_f64()
        );
        match self.auto {
            true => self.a_check_is_dropped(drops).await,
            false => self.stay(drops).await,
        }
    }

    /// A check that cannot tell, for nobody told it what to ask: the release stops before it serves
    /// anybody.
    async fn a_check_is_dropped(&self, mut drops: Drops) -> anyhow::Result<()> {
        let plugins = self.setting.folder.join("plugins");
        std::fs::copy(
            plugins.join("http_smoke.wasm"),
            plugins.join("my_check.wasm"),
        )?;
        let taken = drops.take(&self.setting).await?;
        let taken = taken.context("the check that was dropped is not noticed")?;
        self.say(&format!(
            "my_check.wasm is dropped into the plugins folder; {} is pushed",
            taken.tag
        ));
        let judged = || {
            let rollout = rollout(&self.world, "staging", &taken.tag)?;
            let checks = &rollout.status.as_ref()?.checks;
            checks.iter().find(|c| c.name == taken.name).cloned()
        };
        self.wait("the dropped check judges the next release", ACT, || {
            judged().is_some()
        })
        .await?;
        let said = judged().context("its verdict is gone")?;
        let rollout = rollout(&self.world, "staging", &taken.tag).context("no Rollout")?;
        let held = rollout.status.as_ref().is_some_and(|j| !j.state.ended());
        if said.outcome != Outcome::Inconclusive || !held {
            bail!("{} was let through: {:?}", taken.tag, said);
        }
        self.say(&format!(
            "{} holds in staging: my-check says {}",
            taken.tag, said.summary
        ));
        Ok(())
    }

    /// One release from its push to its end in production.
    async fn release(
        &self,
        narrator: &mut Narrator,
        traffic: &Traffic,
        tag: &str,
        end: OutcomeKind,
    ) -> anyhow::Result<()> {
        let mut asked = false;
        let patience = if self.auto { ACT } else { UNHURRIED };
        let started = Instant::now();
        let mut standing = None;
        loop {
            narrator.tell(&self.world);
            let step = settled_step(&self.world);
            if step != standing {
                if let Some(left) = standing
                    && let Some(versions) = traffic.counts().served.get(&left)
                {
                    let n: u64 = versions.values().sum();
                    self.say(&format!(
                        "{n} requests while {} of the traffic was announced for {}: {}",
                        percent(left.share_bp),
                        left.tag,
                        shares(versions)
                    ));
                }
                standing = step;
            }
            if let Some(r) = rollout(&self.world, "production", tag) {
                if waits_for_votes(&r) && !asked {
                    asked = true;
                    self.ask_for_votes(&r.name_any()).await?;
                }
                if let Some(State::Ended(found)) = r.status.as_ref().map(|j| &j.state) {
                    println!(
                        "\n{}",
                        people::explain(&self.kubeconfig, &r.name_any()).await?
                    );
                    if found.kind != end {
                        bail!(
                            "{tag} ended {:?} in production: {}",
                            found.kind,
                            found.message
                        );
                    }
                    return Ok(());
                }
            }
            if let Some(r) = rollout(&self.world, "staging", tag)
                && let Some(State::Ended(found)) = r.status.as_ref().map(|j| &j.state)
                && found.kind != OutcomeKind::Succeeded
            {
                bail!("{tag} ended {:?} in staging: {}", found.kind, found.message);
            }
            if started.elapsed() > patience {
                bail!(
                    "{tag} has not ended in production after {} s",
                    patience.as_secs()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ask_for_votes(&self, rollout: &str) -> anyhow::Result<()> {
        println!("\n{}", people::explain(&self.kubeconfig, rollout).await?);
        if self.auto {
            for person in PEOPLE {
                people::approve(&self.kubeconfig, person, rollout).await?;
                self.say(&format!("{person} approves with `sluice approve`"));
            }
            return Ok(());
        }
        println!("Approve in the browser or in another terminal:\n");
        for person in PEOPLE {
            println!(
                "  KUBECONFIG={} {} approve {rollout} --context {person}",
                self.kubeconfig.display(),
                people::cli()?.display()
            );
        }
        println!("\nTo sign in to the dashboard, paste a person's token:\n");
        for person in PEOPLE {
            println!(
                "  {person}  {}",
                self.setting
                    .cluster
                    .mint_token(person, &[web().audience.as_str()])
            );
        }
        println!();
        Ok(())
    }

    fn adopted(&self) -> bool {
        self.world
            .pipeline(DELIVERY, "storefront")
            .is_some_and(|p| {
                p.status.as_ref().is_some_and(|s| {
                    ["staging", "production"]
                        .iter()
                        .all(|e| s.environments.get(*e).is_some_and(|e| e.stable.is_some()))
                })
            })
    }

    /// The address that users of production reach.
    fn service(&self) -> anyhow::Result<SocketAddr> {
        let service = self
            .setting
            .cluster
            .object(Resource::Services, PRODUCTION, "storefront")
            .context("the Service is gone")?;
        let ip = service["spec"]["clusterIP"]
            .as_str()
            .context("the Service has no address")?;
        let port = service["spec"]["ports"][0]["port"]
            .as_u64()
            .context("no port")?;
        Ok(SocketAddr::new(ip.parse()?, u16::try_from(port)?))
    }

    fn nothing_is_left(&self, digest: &str) -> anyhow::Result<()> {
        let deployments = self
            .setting
            .cluster
            .objects(Resource::Deployments, PRODUCTION);
        let names: Vec<&str> = deployments
            .iter()
            .filter_map(|d| d["metadata"]["name"].as_str())
            .collect();
        if names != ["storefront"] {
            bail!("Deployments are left in production: {names:?}");
        }
        let pipeline = self
            .setting
            .cluster
            .object(Resource::Pipelines, DELIVERY, "storefront")
            .unwrap_or_default();
        let quarantined = &pipeline["status"]["environments"]["production"]["quarantined"];
        let found = quarantined
            .as_array()
            .and_then(|q| q.first())
            .map(|q| &q["digest"]);
        if found != Some(&Value::from(digest)) {
            bail!("{BAD} is not quarantined: {quarantined}");
        }
        Ok(())
    }

    /// Plays on with whatever is dropped into the plugins folder.
    async fn stay(&self, mut drops: Drops) -> anyhow::Result<()> {
        println!(
            "The dashboard stays until you press Ctrl-C.\n\n{}\n",
            drops.invitation(&people::cli()?)
        );
        let mut narrator = Narrator::silent_about(self.start, &self.world);
        let mut asked = BTreeSet::new();
        loop {
            narrator.tell(&self.world);
            match drops.take(&self.setting).await {
                Ok(None) => {}
                Ok(Some(taken)) => {
                    self.say(&format!(
                        "{} serves and is a check of the Pipeline; {} is pushed",
                        taken.name, taken.tag
                    ));
                    println!(
                        "\n  KUBECONFIG={} {} get rollouts --context {}\n",
                        self.kubeconfig.display(),
                        people::cli()?.display(),
                        PEOPLE[0]
                    );
                }
                // A plugin that cannot be used is no reason to end: it can be copied again.
                Err(why) => println!("\n{why:#}\n"),
            }
            for r in self.world.rollouts.state() {
                if waits_for_votes(&r) && asked.insert(r.name_any()) {
                    self.ask_for_votes(&r.name_any()).await?;
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn wait(
        &self,
        what: &str,
        limit: Duration,
        holds: impl FnMut() -> bool,
    ) -> anyhow::Result<()> {
        until(what, limit, holds).await
    }

    fn say(&self, text: &str) {
        println!("{:6.1}s  * {text}", self.start.elapsed().as_secs_f64());
    }
}

/// A fixed port for people, a free one where nobody looks.
fn address(auto: bool) -> SocketAddr {
    let port = if auto { 0 } else { 8088 };
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn web() -> WebConfig {
    WebConfig {
        public_read: true,
        ..WebConfig::default()
    }
}

async fn kubeconfig(setting: &Setting) -> anyhow::Result<PathBuf> {
    let address = setting
        .cluster
        .serve(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await?;
    let text = setting
        .cluster
        .kubeconfig(address, PEOPLE[0])
        .replace("namespace: default", &format!("namespace: {DELIVERY}"));
    let path = setting.folder.join("kubeconfig");
    std::fs::write(&path, text).context("cannot write the kubeconfig")?;
    Ok(path)
}
