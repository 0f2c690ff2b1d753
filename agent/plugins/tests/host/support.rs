//! A folder of plugins, a host over it, and calls in one line.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_core::plugin::{
    Invocation, PluginAnswer, PluginCall, PluginFault, Release, Report, Targets, WorkloadRef,
};
use sluice_core::port::PluginHost as _;
use sluice_plugins::{Host, HostOptions, LogLine, LogSink, MemorySecrets};

/// Longest time that any single answer may take in these tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A component that `make plugins` built.
pub(crate) fn built(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/wasm32-wasip2/plugin")
        .join(format!("{name}.wasm"));
    assert!(
        path.is_file(),
        "{} is missing: run `make plugins` first, it builds the plugins from source",
        path.display()
    );
    path
}

/// A plugins folder that lives as long as the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Copies a built plugin; its name there is `file`.
    pub(crate) fn plugin(self, name: &str, file: &str) -> Folder {
        std::fs::copy(built(name), self.path().join(file)).unwrap();
        self
    }

    pub(crate) fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Folder {
        self.put(name, bytes);
        self
    }

    /// Replaces a file as an operator should: under another name, then renamed.
    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let hidden = self.path().join(format!(".{name}.{number}.new"));
        std::fs::write(&hidden, bytes).unwrap();
        std::fs::rename(hidden, self.path().join(name)).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path().join(name)).unwrap();
    }

    pub(crate) async fn host(&self) -> Host {
        self.host_with(test_options()).await
    }

    pub(crate) async fn host_with(&self, options: HostOptions) -> Host {
        Host::open(self.path(), options).await.unwrap()
    }
}

/// Options of the demo and of tests: loopback may be granted.
pub(crate) fn test_options() -> HostOptions {
    HostOptions {
        allow_loopback: true,
        ..HostOptions::default()
    }
}

/// Keeps the lines of plugins.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<LogLine>>);

impl Lines {
    pub(crate) fn taken(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl LogSink for Lines {
    fn line(&self, line: LogLine) {
        self.0.lock().unwrap().push(line);
    }
}

/// Options that keep the lines.
pub(crate) fn with_lines() -> (HostOptions, Arc<Lines>) {
    let lines = Arc::new(Lines::default());
    (
        HostOptions {
            log: lines.clone(),
            ..test_options()
        },
        lines,
    )
}

pub(crate) fn invocation(settings: Value, candidate: &[String]) -> Invocation {
    Invocation {
        release: Release {
            id: "storefront-production-1".to_owned(),
            workload: WorkloadRef {
                cluster: "test".to_owned(),
                namespace: "shop".to_owned(),
                kind: "Deployment".to_owned(),
                name: "storefront".to_owned(),
                uid: "0b7d".to_owned(),
            },
            from_revision: Some(format!("sha256:{}", "1".repeat(64))),
            to_revision: format!("sha256:{}", "2".repeat(64)),
            images: vec![format!(
                "registry.example.com/shop/storefront@sha256:{}",
                "2".repeat(64)
            )],
            subject_digest: format!("sha256:{}", "3".repeat(64)),
        },
        settings,
        idempotency_key: "0b7d/1/smoke".to_owned(),
        attributes: vec![("environment".to_owned(), "production".to_owned())],
        targets: Targets {
            candidate: candidate.to_vec(),
            ..Targets::default()
        },
    }
}

pub(crate) async fn call(host: &Host, call: PluginCall) -> PluginAnswer {
    tokio::time::timeout(PATIENCE, host.call(call))
        .await
        .expect("the host hangs")
}

/// Runs a smoke test.
pub(crate) async fn smoke(
    host: &Host,
    plugin: &str,
    invocation: Invocation,
) -> Result<Report, PluginFault> {
    match call(
        host,
        PluginCall::RunSmokeTest {
            plugin: plugin.to_owned(),
            invocation,
        },
    )
    .await
    {
        PluginAnswer::Report(report) => Ok(report),
        PluginAnswer::Failed(fault) => Err(fault),
        other => panic!("another answer: {other:?}"),
    }
}

/// Runs the hostile plugin with one attack against a pod that nobody listens at.
pub(crate) async fn attack(host: &Host, attack: &str) -> Result<Report, PluginFault> {
    let nobody = ["http://127.0.0.1:9".to_owned()];
    smoke(
        host,
        "hostile",
        invocation(json!({ "attack": attack }), &nobody),
    )
    .await
}

/// The same, with this value behind key `token` of the Secret of that name.
pub(crate) fn with_token(options: HostOptions, secret: &str, value: &str) -> HostOptions {
    let secrets = MemorySecrets::default().with(secret, "token", value);
    HostOptions {
        secrets: Arc::new(secrets.unwrap()),
        ..options
    }
}

/// `plugins.yaml` with one plugin.
pub(crate) fn operator_file(name: &str, file: &str, rest: Value) -> String {
    let mut entry = json!({ "name": name, "source": { "file": file } });
    entry
        .as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    json!({ "plugins": [entry] }).to_string()
}
