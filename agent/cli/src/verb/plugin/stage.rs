//! A host with one plugin in it, to play cases in: the agent's own host, with a tape for a network and
//! with all that the plugin asks for.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_case::Case;
use sluice_core::plugin::{PluginAnswer, PluginCall};
use sluice_core::port::{BoxFuture, PluginHost as _};
use sluice_plugins::{
    CallUsage, FILE_NAME, Host, HostOptions, LogLine, LogSink, Manifest, SecretFault, SecretRef,
    SecretSource, SecretValue, Tape, UsageSink, Wire,
};

use super::{call, unfit};
use crate::failure::Failure;

/// The name of the component in its own folder.
const COMPONENT: &str = "plugin.wasm";

/// A host, and what it is told and tells.
pub(crate) struct Stage {
    host: Host,
    folder: tempfile::TempDir,
    manifest: Manifest,
    tape: Tape,
    seen: Arc<Seen>,
    secrets: Arc<CaseSecrets>,
    wall_ms: Option<u32>,
    /// How long it took until the plugin served: compiling, mostly.
    pub(crate) loaded_in: Duration,
}

/// One call, and what it used.
pub(crate) struct Played {
    pub(crate) answer: PluginAnswer,
    pub(crate) usage: Option<CallUsage>,
    pub(crate) log: Vec<String>,
}

impl Stage {
    /// Loads a component that passed its checks. Deterministic: its steps are counted, and time is what
    /// they take.
    pub(crate) async fn set(
        component: &[u8],
        manifest: Manifest,
        from: &Path,
        deterministic: bool,
    ) -> Result<Stage, Failure> {
        let folder = tempfile::tempdir().map_err(|error| no_folder(&error))?;
        std::fs::write(folder.path().join(COMPONENT), component)
            .map_err(|error| no_folder(&error))?;
        let tape = Tape::default();
        let seen = Arc::new(Seen::default());
        let secrets = Arc::new(CaseSecrets::default());
        let options = HostOptions {
            log: seen.clone(),
            usage: seen.clone(),
            secrets: secrets.clone(),
            wire: Wire::Replay(tape.clone()),
            deterministic,
            ..HostOptions::default()
        };
        write_grants(folder.path(), &manifest, None)?;
        let begun = Instant::now();
        let host = Host::open(folder.path(), options)
            .await
            .map_err(|card| unfit(from, &[card]))?;
        if host.catalog().is_empty() {
            return Err(unfit(from, &host.problems()));
        }
        let loaded_in = begun.elapsed();
        Ok(Stage {
            host,
            folder,
            manifest,
            tape,
            seen,
            secrets,
            wall_ms: None,
            loaded_in,
        })
    }

    /// What the plugin says of itself.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The tape of the case that was played last.
    pub(crate) fn tape(&self) -> &Tape {
        &self.tape
    }

    /// Makes one call as a case says. The tape keeps what was asked.
    pub(crate) async fn play(&mut self, case: &Case) -> Result<Played, Failure> {
        let question = call::question(&self.manifest, case)?;
        if self.wall_ms != case.remaining_ms {
            write_grants(self.folder.path(), &self.manifest, case.remaining_ms)?;
            self.host.reload().await;
            self.wall_ms = case.remaining_ms;
        }
        self.secrets.only(case.secrets.clone());
        self.tape.load(call::tape(case));
        self.seen.take();
        let answer = self.ask(question).await;
        let (mut usages, log) = self.seen.take();
        Ok(Played {
            answer,
            usage: usages.pop(),
            log,
        })
    }

    async fn ask(&self, question: PluginCall) -> PluginAnswer {
        self.host.call(question).await
    }
}

fn no_folder(error: &std::io::Error) -> Failure {
    Failure::new("runtime", "no folder for the plugin can be made")
        .because(error.to_string())
        .change("make room in the folder for temporary files, or name another with TMPDIR")
}

/// Grants all that the manifest asks for: whether an operator would is another question, which
/// `sluice plugin inspect` answers.
fn write_grants(folder: &Path, manifest: &Manifest, wall_ms: Option<u32>) -> Result<(), Failure> {
    let mut http = serde_json::Map::new();
    let mut secrets = serde_json::Map::new();
    for (name, asked) in &manifest.http.targets {
        let mut grant = json!({
            "methods": asked.methods.clone().unwrap_or_default(),
            "paths": asked.paths.clone().unwrap_or_default(),
            "secrets": asked.secrets,
        });
        if !call::OF_THE_ROLLOUT.contains(&name.as_str()) {
            let fixed = asked.hosts.iter().find(|host| *host != "*");
            let url = fixed.map_or_else(|| format!("https://{name}.test:443"), Clone::clone);
            set(&mut grant, "url", Value::from(url));
        } else {
            // The pods of a case speak plain HTTP, as pods do.
            set(&mut grant, "plaintextSecrets", Value::from(true));
        }
        http.insert(name.clone(), grant);
        for secret in &asked.secrets {
            let at = json!({"secret": "case", "key": secret});
            secrets.insert(secret.clone(), at);
        }
    }
    let mut limits = json!(manifest.limits);
    if let Some(ms) = wall_ms {
        set(&mut limits, "wall-ms", Value::from(ms));
    }
    let file = json!({"plugins": [{
        "name": manifest.plugin.name,
        "source": {"file": COMPONENT},
        "grants": {"http": http, "limits": limits},
        "secrets": secrets,
    }]});
    std::fs::write(folder.join(FILE_NAME), file.to_string()).map_err(|error| no_folder(&error))
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(key.to_owned(), value);
    }
}

/// What the host tells of its calls. The host bounds it per call.
#[derive(Default)]
pub(crate) struct Seen {
    usages: Mutex<Vec<CallUsage>>,
    log: Mutex<Vec<String>>,
}

impl Seen {
    fn take(&self) -> (Vec<CallUsage>, Vec<String>) {
        let usages =
            std::mem::take(&mut *self.usages.lock().unwrap_or_else(PoisonError::into_inner));
        let log = std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        (usages, log)
    }
}

impl UsageSink for Seen {
    fn used(&self, usage: CallUsage) {
        self.usages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(usage);
    }
}

impl LogSink for Seen {
    fn line(&self, line: LogLine) {
        let fields: String = line
            .fields
            .iter()
            .map(|(name, value)| format!(" {name}={value:?}"))
            .collect();
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(format!("log: {:?}: {}{fields}", line.level, line.message));
    }
}

/// A value for each secret that a case says there is. Nobody sees it: nothing leaves.
#[derive(Default)]
struct CaseSecrets(Mutex<Option<Vec<String>>>);

impl CaseSecrets {
    fn only(&self, names: Option<Vec<String>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }
}

impl SecretSource for CaseSecrets {
    fn read<'a>(&'a self, at: &'a SecretRef) -> BoxFuture<'a, Result<SecretValue, SecretFault>> {
        let there = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_none_or(|names| names.contains(&at.key));
        Box::pin(async move {
            if there {
                SecretValue::new(format!("a-value-for-cases-of-{}", at.key))
            } else {
                Err(SecretFault::Missing)
            }
        })
    }
}
