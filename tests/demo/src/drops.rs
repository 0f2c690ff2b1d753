//! A check of one's own: whoever copies a smoke test into the plugins folder of the running demo sees it
//! judge the next release. The demo does what an operator would: an entry in `plugins.yaml`, a check in
//! the Pipeline, and a push.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::json;
use sluice_core::plugin::{PluginInfo, PluginKind};
use sluice_core::port::PluginHost as _;
use sluice_plugins::Card;
use sluice_plugins::remote::RemoteHost;
use sluice_sim::{Behaviour, Resource};
use tokio::time::Instant;

use crate::setting::{DELIVERY, Setting};

/// A file is taken when it was the same for so long: a copy may be under way.
const QUIET: Duration = Duration::from_millis(600);
/// Compiling a component of an interpreter takes a while.
const LOAD: Duration = Duration::from_secs(90);
/// Room for a check in any language. The rollout's own pods need no grant.
const GRANTS: &str = "{limits: {memory-mib: 256, cpu-ms: 2000, wall-ms: 60000, requests: 64}}";
/// Largest file that is looked at, the host's own limit: larger ones it refuses.
const LARGEST: u64 = 32 << 20;

/// The folder, and what was taken from it.
pub(crate) struct Drops {
    folder: PathBuf,
    host: RemoteHost,
    /// Size and time of each file that was seen, and of those that came with the demo.
    seen: BTreeMap<String, Stamp>,
    /// Checks of the Pipeline that came this way.
    checks: BTreeSet<String>,
    releases: u32,
}

/// What tells one content of a file from the next.
type Stamp = (u64, Option<std::time::SystemTime>);

/// A check that was taken.
pub(crate) struct Taken {
    /// Its name, in `plugins.yaml` and in the Pipeline.
    pub(crate) name: String,
    /// The release that it judges.
    pub(crate) tag: String,
}

impl Drops {
    /// What lies in the folder now came with the demo.
    pub(crate) fn new(setting: &Setting, host: RemoteHost) -> anyhow::Result<Self> {
        let folder = setting.folder.join("plugins");
        let seen = list(&folder)?;
        Ok(Self {
            folder,
            host,
            seen,
            checks: BTreeSet::new(),
            releases: 0,
        })
    }

    /// What to do, for whoever wants to try.
    pub(crate) fn invitation(&self, cli: &std::path::Path) -> String {
        format!(
            "To try a check of your own, copy a smoke test into the plugins folder:\n\n  \
             {cli} plugin new my-check --lang rust\n  \
             cd my-check && {cli} plugin build\n  \
             cp my-check.wasm {folder}/\n\n\
             The demo adds it to plugins.yaml and to the Pipeline's checks, and pushes the next release, \
             which goes\nno further than your check lets it. Change it and copy it again: the next release \
             is judged by what is\nthere then. What plugins may reach stands in {folder}/plugins.yaml.",
            cli = cli.display(),
            folder = self.folder.display()
        )
    }

    /// Takes a file that is new or changed, if there is one: it serves, it is a check, and a release is
    /// pushed that it judges. None: nothing new.
    pub(crate) async fn take(&mut self, setting: &Setting) -> anyhow::Result<Option<Taken>> {
        let now = list(&self.folder)?;
        let fresh = |(file, stamp): &(&String, &Stamp)| self.seen.get(*file) != Some(*stamp);
        let Some((file, stamp)) = now.iter().find(fresh) else {
            return Ok(None);
        };
        tokio::time::sleep(QUIET).await;
        if list(&self.folder)?.get(file) != Some(stamp) {
            return Ok(None);
        }
        self.seen.insert(file.clone(), *stamp);
        ensure!(
            stamp.0 <= LARGEST,
            "{file} has more than 32 MiB, which no plugin may have"
        );
        let name = name_of(file)?;
        let before = self.serving(&name).map(|info| info.digest);
        let complaints = self.host.problems();
        self.enter(&name, file)?;
        let info = self.served(&name, before, &complaints).await?;
        if info.kind != PluginKind::SmokeTest {
            bail!(
                "{name} {} serves, but only smoke tests are taken as checks here",
                info.version
            );
        }
        if self.checks.insert(name.clone()) {
            add_check(setting, &name)?;
        }
        self.releases += 1;
        let tag = format!("v1.{}.0", 2 + self.releases);
        setting.push(&tag, Behaviour::serving(&tag))?;
        Ok(Some(Taken { name, tag }))
    }

    fn serving(&self, name: &str) -> Option<PluginInfo> {
        self.host
            .catalog()
            .into_iter()
            .find(|info| info.name == name)
    }

    /// An entry that opens no way beyond the rollout's own pods.
    fn enter(&self, name: &str, file: &str) -> anyhow::Result<()> {
        let path = self.folder.join("plugins.yaml");
        let mut text = std::fs::read_to_string(&path).context("plugins.yaml cannot be read")?;
        if !text.contains(&format!("name: {name}\n")) {
            text +=
                &format!("  - name: {name}\n    source: {{file: {file}}}\n    grants: {GRANTS}\n");
        }
        // In one step, so that nobody reads half of it.
        let hidden = self.folder.join(".plugins.yaml.new");
        std::fs::write(&hidden, text)?;
        std::fs::rename(&hidden, &path).context("plugins.yaml cannot be written")
    }

    /// Waits until the plugin serves; as another than `before`, if there was one. What the host
    /// complained about already has nothing to do with it.
    async fn served(
        &self,
        name: &str,
        before: Option<String>,
        complaints: &[Card],
    ) -> anyhow::Result<PluginInfo> {
        let start = Instant::now();
        loop {
            let serving = self.serving(name);
            if let Some(info) = serving.filter(|info| Some(&info.digest) != before.as_ref()) {
                return Ok(info);
            }
            let cards: Vec<String> = self
                .host
                .problems()
                .iter()
                .filter(|card| !complaints.contains(card))
                .map(ToString::to_string)
                .collect();
            if !cards.is_empty() {
                bail!("{}", cards.join("\n"));
            }
            // A touched file is no other plugin: what serves judges again.
            if before.is_some() && start.elapsed() > QUIET * 10 {
                return self.serving(name).context("it does not serve any more");
            }
            ensure!(
                start.elapsed() < LOAD,
                "{name} does not serve after {} s",
                LOAD.as_secs()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Every component in the folder.
fn list(folder: &std::path::Path) -> anyhow::Result<BTreeMap<String, Stamp>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).context("the plugins folder is gone")? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".wasm") && !name.starts_with('.') {
            let about = entry.metadata()?;
            found.insert(name, (about.len(), about.modified().ok()));
        }
    }
    Ok(found)
}

/// `my_check.wasm` is called `my-check`.
fn name_of(file: &str) -> anyhow::Result<String> {
    let name = file
        .trim_end_matches(".wasm")
        .replace('_', "-")
        .to_lowercase();
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    ensure!(
        good && name.len() <= 63,
        "{file}: name it with letters, digits and dashes, such as my-check.wasm"
    );
    Ok(name)
}

/// Adds the check to both environments, as `kubectl edit pipeline storefront` would.
fn add_check(setting: &Setting, name: &str) -> anyhow::Result<()> {
    let changed = setting
        .cluster
        .modify(Resource::Pipelines, DELIVERY, "storefront", |pipeline| {
            let environments = pipeline.pointer_mut("/spec/environments");
            for environment in environments
                .and_then(|e| e.as_array_mut())
                .into_iter()
                .flatten()
            {
                if let Some(checks) = environment
                    .pointer_mut("/checks")
                    .and_then(|c| c.as_array_mut())
                {
                    checks.push(json!({"plugin": name}));
                }
            }
        });
    ensure!(changed, "the Pipeline is gone");
    Ok(())
}
