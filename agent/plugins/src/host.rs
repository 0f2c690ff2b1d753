//! The plugin host: answers the core's port from what serves now.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use futures::StreamExt as _;
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use sluice_core::plugin::{
    Invocation, PluginAnswer, PluginCall, PluginFault, PluginInfo, PluginKind, Report,
};
use sluice_core::port::{BoxFuture, PluginHost};
use tokio::time::Instant;

use crate::artifact::fetch::Fetcher;
use crate::artifact::store::Store;
use crate::artifact::{ArtifactSource, NoArtifacts};
use crate::breaker::Breaker;
use crate::call::standing::Standing;
use crate::call::{Call, Runner, Shared};
use crate::capability::log::{LogSink, TracingSink};
use crate::card::Card;
use crate::compile::{Compiler, Workshop};
use crate::engine::EngineHandle;
use crate::fault::Stop;
use crate::folder::{Folders, Reading};
use crate::grant::{PermissionCell, talks_to_the_rollout};
use crate::limits::Limits;
use crate::load::Loader;
use crate::manifest::{Manifest, kind_name};
use crate::net::connect::Network;
use crate::net::origin::Origin;
use crate::net::resolve::{Resolve, SystemResolver};
use crate::net::wire::Wire;
use crate::secret::{MemorySecrets, SecretSource};
use crate::smoke;
use crate::state::CallContext;
use crate::usage::{Unasked, UsageSink};
use crate::world::{Linkers, Program, Question, Reply};

mod answer;

/// How a host is set up. The default is the closed one.
#[derive(Clone)]
pub struct HostOptions {
    /// Whether plugins may reach this machine, where their grant says so: demo and tests.
    pub allow_loopback: bool,
    /// Where secrets come from.
    pub secrets: Arc<dyn SecretSource>,
    /// Where the lines of plugins go.
    pub log: Arc<dyn LogSink>,
    /// Who resolves names.
    pub resolver: Arc<dyn Resolve>,
    /// Nodes and API servers: never reached, whatever is granted.
    pub denied_addresses: Vec<IpNet>,
    /// Certificate authorities trusted beside the public ones.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// How requests leave: to servers, also onto a tape, or only onto one.
    pub wire: Wire,
    /// Where the figures of each call go.
    pub usage: Arc<dyn UsageSink>,
    /// Whether instructions are counted instead of time, so that a strategy that is asked the same
    /// twice ends the same on any machine. For tests of plugins; it needs [`Compiler::InProcess`].
    pub deterministic: bool,
    /// Memory of all running calls together, in MiB. Well below the container's limit.
    pub memory_mib: u32,
    /// Who compiles plugins.
    pub compiler: Compiler,
    /// The folder in which compiled plugins are kept while this process lives; without it they are
    /// compiled whenever they are loaded. The host makes a folder of its own within it. Several hosts
    /// of one process may share it, several processes may not.
    pub cache: Option<PathBuf>,
    /// Where components come from that `plugins.yaml` names in a registry. They are kept in the cache
    /// folder, too.
    pub artifacts: Arc<dyn ArtifactSource>,
}

impl Default for HostOptions {
    fn default() -> Self {
        HostOptions {
            allow_loopback: false,
            secrets: Arc::new(MemorySecrets::default()),
            log: Arc::new(TracingSink),
            resolver: Arc::new(SystemResolver),
            denied_addresses: Vec::new(),
            extra_roots: Vec::new(),
            wire: Wire::Live,
            deterministic: false,
            usage: Arc::new(Unasked),
            memory_mib: 512,
            compiler: Compiler::InProcess,
            cache: None,
            artifacts: Arc::new(NoArtifacts),
        }
    }
}

/// Runs the plugins of one folder. Cheap to clone; all clones are the same host.
#[derive(Clone)]
pub struct Host {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) folder: Folders,
    pub(crate) allow_loopback: bool,
    pub(crate) loader: Loader,
    pub(crate) runner: Runner,
    pub(crate) fetcher: Fetcher,
    pub(crate) catalog: RwLock<Arc<Catalog>>,
    /// One reader of the folder at a time.
    pub(crate) reading: tokio::sync::Mutex<Reading>,
}

/// What serves and what does not. Replaced as a whole, never changed.
#[derive(Default)]
pub(crate) struct Catalog {
    pub(crate) slots: BTreeMap<String, Arc<Slot>>,
    /// Complaint about `plugins.yaml` or the folder itself.
    pub(crate) config: Option<Card>,
}

/// One name that a pipeline can call.
pub(crate) struct Slot {
    pub(crate) file: String,
    pub(crate) serving: Option<Arc<Serving>>,
    pub(crate) problems: Vec<Card>,
    /// What the newest attempt looked at: digest and entry. The same again is not tried again.
    pub(crate) attempt: Option<(String, serde_json::Value)>,
}

/// One version that serves.
pub(crate) struct Serving {
    pub(crate) name: String,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) digest: String,
    pub(crate) program: Arc<Program>,
    pub(crate) permissions: PermissionCell,
    pub(crate) settings: Option<serde_json::Value>,
    pub(crate) standing: Standing,
    pub(crate) breaker: Breaker,
}

impl Serving {
    pub(crate) fn new(
        name: &str,
        manifest: Manifest,
        digest: String,
        program: Arc<Program>,
        permissions: PermissionCell,
        settings: Option<serde_json::Value>,
    ) -> Serving {
        Serving {
            name: name.to_owned(),
            manifest: Arc::new(manifest),
            digest,
            program,
            permissions,
            settings,
            standing: Standing::default(),
            breaker: Breaker::default(),
        }
    }

    /// The same version with other settings; running calls and the breaker's memory stay.
    pub(crate) fn with_settings(&self, settings: Option<serde_json::Value>) -> Serving {
        Serving {
            name: self.name.clone(),
            manifest: self.manifest.clone(),
            digest: self.digest.clone(),
            program: self.program.clone(),
            permissions: self.permissions.clone(),
            settings,
            standing: self.standing.clone(),
            breaker: self.breaker.clone(),
        }
    }
}

impl Host {
    /// Loads what can be loaded from `folder`. What cannot is told by [`Host::problems`] and by the
    /// calls that need it; the rest serves.
    ///
    /// # Errors
    /// A card, only if nothing could ever run: no WebAssembly engine on this machine, unusable root
    /// certificates.
    pub async fn open(folder: impl Into<Folders>, options: HostOptions) -> Result<Host, Card> {
        let folder = folder.into();
        let fatal = |why: String| {
            Card::new("plugin/host", "the plugin host")
                .effect("did not start; no plugin serves")
                .at(folder.to_string())
                .because(why)
                .change("look at the agent's log and its options for plugins")
        };
        let engine = match options.deterministic {
            true if options.compiler != Compiler::InProcess => {
                let words =
                    "a deterministic host compiles in its own process, and a child was given";
                return Err(fatal(words.to_owned()));
            }
            true => EngineHandle::counting().map_err(fatal)?,
            false => EngineHandle::shared().map_err(fatal)?,
        };
        let linkers = Linkers::new(&engine).map_err(|error| {
            tracing::error!(error = format!("{error:#}"), "plugin linkers");
            fatal("its own interfaces do not fit together".to_owned())
        })?;
        let network = Network::new(
            options.resolver,
            options.denied_addresses,
            &options.extra_roots,
        )
        .map_err(fatal)?;
        let runner = Runner::new(Shared {
            engine: engine.clone(),
            network: Arc::new(network),
            secrets: options.secrets.clone(),
            log: options.log,
            usage: options.usage,
            wire: options.wire,
            memory_mib: options.memory_mib,
        });
        let workshop = Workshop::new(engine, options.compiler, options.cache.as_deref());
        let loader = Loader::new(linkers, workshop);
        let store = options
            .cache
            .map(|cache| tokio::task::spawn_blocking(move || Store::new(&cache)));
        let store = match store {
            Some(store) => store.await.ok(),
            None => None,
        };
        let host = Host {
            inner: Arc::new(Inner {
                fetcher: Fetcher::new(options.artifacts, store),
                folder,
                allow_loopback: options.allow_loopback,
                loader,
                runner,
                catalog: RwLock::default(),
                reading: tokio::sync::Mutex::default(),
            }),
        };
        host.reload().await;
        Ok(host)
    }

    /// Like [`Host::open`], but every plugin of the folder has to serve: for the command line. One that
    /// serves with smaller limits than it asks for is told by [`Host::problems`] only.
    ///
    /// # Errors
    /// All cards.
    pub async fn from_dir(
        folder: impl Into<Folders>,
        options: HostOptions,
    ) -> Result<Host, Vec<Card>> {
        let host = Host::open(folder, options)
            .await
            .map_err(|card| vec![card])?;
        let problems = host.problems();
        if problems.is_empty() {
            Ok(host)
        } else {
            Err(problems)
        }
    }

    /// Everything that is wrong with the folder now.
    pub fn problems(&self) -> Vec<Card> {
        let catalog = self.catalog_now();
        let of_plugins = catalog
            .slots
            .values()
            .flat_map(|slot| slot.problems.iter().cloned());
        catalog.config.iter().cloned().chain(of_plugins).collect()
    }

    /// The folders that this host serves.
    pub fn folder(&self) -> &Folders {
        &self.inner.folder
    }

    pub(crate) fn catalog_now(&self) -> Arc<Catalog> {
        self.inner
            .catalog
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The plugin of that name, if it is of one of these kinds.
    fn find(&self, name: &str, kind: Option<PluginKind>) -> Result<Arc<Serving>, PluginFault> {
        let missing =
            |words: String| Err(Stop::Missing(words).into_fault(name, &Limits::default()));
        let catalog = self.catalog_now();
        let shown = crate::text::line(name, 64);
        let Some(slot) = catalog.slots.get(name) else {
            let known: Vec<&str> = catalog
                .slots
                .iter()
                .filter(|(_, slot)| slot.serving.is_some())
                .map(|(name, _)| name.as_str())
                .collect();
            let known = if known.is_empty() {
                "none serves".to_owned()
            } else {
                known.join(", ")
            };
            let config = catalog
                .config
                .as_ref()
                .map(|card| format!(" {}", card.line()));
            return missing(format!(
                "no plugin \"{shown}\" in {} (known: {known}).{}",
                self.inner.folder,
                config.unwrap_or_default()
            ));
        };
        let Some(serving) = &slot.serving else {
            let why: Vec<String> = slot.problems.iter().map(Card::line).collect();
            return missing(format!(
                "plugin \"{shown}\" does not serve. {}",
                why.join(" ")
            ));
        };
        let is = serving.manifest.plugin.kind;
        match kind {
            Some(wanted) if wanted != is => missing(format!(
                "plugin \"{shown}\" is a {}, and a {} is asked for",
                kind_name(is),
                kind_name(wanted)
            )),
            Some(_) | None => Ok(serving.clone()),
        }
    }

    /// One call of one plugin, through its circuit breaker.
    async fn ask(
        &self,
        serving: &Serving,
        context: CallContext,
        bound: BTreeMap<String, Origin>,
        question: Question,
    ) -> Result<Reply, PluginFault> {
        let limits = serving.permissions.now().limits;
        let fault = |stop: Stop| stop.into_fault(&serving.manifest.subject(), &limits);
        let leave = match serving.breaker.admit(Instant::now()) {
            Ok(leave) => leave,
            Err(rest) => {
                let rest = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
                return Err(fault(Stop::CircuitOpen(rest)));
            }
        };
        let outcome = self
            .inner
            .runner
            .run(Call {
                plugin: serving.name.clone(),
                program: serving.program.clone(),
                permissions: serving.permissions.clone(),
                standing: serving.standing.clone(),
                context,
                bound,
                question,
                frozen: serving.manifest.plugin.kind == PluginKind::TrafficStrategy,
            })
            .await;
        match &outcome {
            Ok(_) => leave.report(false, Instant::now()),
            Err(Stop::Busy) => drop(leave),
            Err(stop) => leave.report(stop.is_fault(), Instant::now()),
        }
        outcome.map_err(fault)
    }

    /// Asks a plugin about settings, without a network. Also used while loading.
    pub(crate) async fn validate(
        &self,
        serving: &Serving,
        settings: &serde_json::Value,
    ) -> Result<Reply, PluginFault> {
        let text = settings.to_string();
        let context = CallContext {
            release: None,
            settings: text.clone(),
            idempotency_key: "settings".to_owned(),
            attributes: Vec::new(),
        };
        // An instance without a network: no permission reaches it, only the limits.
        let permissions = PermissionCell::new(crate::grant::Permissions {
            limits: serving.permissions.now().limits,
            ..Default::default()
        });
        let alone = Serving {
            permissions,
            ..serving.with_settings(None)
        };
        self.ask(
            &alone,
            context,
            BTreeMap::new(),
            Question::ValidateSettings(text),
        )
        .await
    }

    async fn smoke_test(
        &self,
        plugin: &str,
        invocation: Invocation,
    ) -> Result<Report, PluginFault> {
        let serving = self.find(plugin, Some(PluginKind::SmokeTest))?;
        let pods = invocation.targets.candidate.clone();
        if pods.is_empty() {
            return Ok(smoke::no_pod());
        }
        let total = pods.len();
        let (serving, invocation) = (&serving, &invocation);
        let runs = pods
            .into_iter()
            .take(smoke::MAX_PODS)
            .map(|pod| async move {
                let label = pod
                    .split_once("://")
                    .map_or(pod.as_str(), |(_, rest)| rest)
                    .to_owned();
                let mut context = context(serving, invocation.clone());
                if total > 1 {
                    context.idempotency_key = format!("{}#{label}", context.idempotency_key);
                }
                let bound = bound(serving.manifest.plugin.kind, invocation, Some(&pod));
                let answer = self
                    .ask(serving, context, bound, Question::RunSmokeTest)
                    .await;
                (label, answer.and_then(report))
            });
        let answers: Vec<_> = futures::stream::iter(runs)
            .buffered(smoke::PARALLEL)
            .collect()
            .await;
        smoke::merge(answers, total)
    }
}

impl PluginHost for Host {
    fn call(&self, call: PluginCall) -> BoxFuture<'_, PluginAnswer> {
        Box::pin(async move { self.answer(call).await.unwrap_or_else(PluginAnswer::Failed) })
    }

    fn catalog(&self) -> Vec<PluginInfo> {
        let catalog = self.catalog_now();
        let about = |slot: &Slot| {
            let serving = slot.serving.as_ref()?;
            let cards: Vec<String> = catalog
                .config
                .iter()
                .chain(&slot.problems)
                .map(ToString::to_string)
                .collect();
            Some(PluginInfo {
                name: serving.name.clone(),
                kind: serving.manifest.plugin.kind,
                version: serving.manifest.plugin.version.clone(),
                digest: serving.digest.clone(),
                problem: (!cards.is_empty()).then(|| cards.join("\n")),
            })
        };
        catalog
            .slots
            .values()
            .filter_map(|slot| about(slot))
            .collect()
    }
}

fn report(reply: Reply) -> Result<Report, PluginFault> {
    match reply {
        Reply::Report(report) => Ok(report),
        Reply::Measurement(_)
        | Reply::Plan(_)
        | Reply::Judgement(_)
        | Reply::Notified(_)
        | Reply::Approval(_)
        | Reply::Settings(_) => Err(Stop::BadAnswer("it answered another question".to_owned())
            .into_fault("", &Limits::default())),
    }
}

fn context(serving: &Serving, invocation: Invocation) -> CallContext {
    CallContext {
        settings: merged(serving.settings.as_ref(), invocation.settings).to_string(),
        release: Some(invocation.release),
        idempotency_key: invocation.idempotency_key,
        attributes: invocation.attributes,
    }
}

/// The settings of `plugins.yaml` with those of the use laid over them, field by field on the
/// outermost level.
fn merged(base: Option<&serde_json::Value>, over: serde_json::Value) -> serde_json::Value {
    match (base, over) {
        (Some(base), serde_json::Value::Null) => base.clone(),
        (None, serde_json::Value::Null) => serde_json::Value::Object(serde_json::Map::new()),
        (Some(serde_json::Value::Object(base)), serde_json::Value::Object(over)) => {
            let mut whole = base.clone();
            whole.extend(over);
            serde_json::Value::Object(whole)
        }
        (_, over) => over,
    }
}

/// Where the rollout's own targets are for a call about one pod.
fn bound(kind: PluginKind, invocation: &Invocation, pod: Option<&str>) -> BTreeMap<String, Origin> {
    let mut bound = BTreeMap::new();
    if !talks_to_the_rollout(kind) {
        return bound;
    }
    let targets = &invocation.targets;
    let wanted = [
        ("candidate", pod),
        ("stable", targets.stable.first().map(String::as_str)),
        ("service", targets.service.as_deref()),
    ];
    for (name, url) in wanted {
        match url.map(Origin::parse) {
            Some(Ok(origin)) => {
                bound.insert(name.to_owned(), origin);
            }
            Some(Err(why)) => {
                tracing::warn!(target: "sluice::plugin", name, why, "unusable target")
            }
            None => {}
        }
    }
    bound
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_use_overrides_the_operator_field_by_field() {
        let base = json!({"channel": "#deploys", "style": {"a": 1}});
        assert_eq!(
            merged(Some(&base), json!({"style": {"b": 2}})),
            json!({"channel": "#deploys", "style": {"b": 2}})
        );
        assert_eq!(merged(Some(&base), json!(null)), base);
        assert_eq!(merged(None, json!(null)), json!({}));
        assert_eq!(merged(Some(&base), json!([1])), json!([1]));
    }
}
