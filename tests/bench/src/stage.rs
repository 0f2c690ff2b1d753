//! A folder of plugins and a host over it, set up as the agent's: a child compiles, code is kept.

use std::path::Path;

use serde_json::{Value, json};
use sluice_core::plugin::{Invocation, PluginAnswer, PluginCall, Release, Targets, WorkloadRef};
use sluice_core::port::PluginHost as _;
use sluice_plugins::{Compiler, Host, HostOptions};
use tokio::runtime::Runtime;

/// A host for measuring.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) host: Host,
    pub(crate) folder: tempfile::TempDir,
}

/// Options as the agent has them, but for loopback.
pub(crate) fn options(folder: &Path) -> HostOptions {
    HostOptions {
        allow_loopback: true,
        compiler: Compiler::this_program(None),
        cache: Some(folder.join("cache")),
        ..HostOptions::default()
    }
}

impl Stage {
    /// `count` plugins `p0`, `p1`, … of this component, each a file of its own, with these limits.
    pub(crate) fn new(component: &Path, count: usize, limits: &Value) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let whole = std::fs::read(component).unwrap();
        let mut plugins = Vec::new();
        for number in 0..count {
            // Other bytes, so that nothing is shared that would not be between different plugins.
            let mut bytes = whole.clone();
            bytes.extend([0, 4, 1, b'x', number as u8, 1]);
            let file = format!("p{number}.wasm");
            std::fs::write(folder.path().join(&file), bytes).unwrap();
            plugins.push(json!({
                "name": format!("p{number}"), "source": { "file": file },
                "grants": { "limits": limits },
            }));
        }
        let operator = json!({ "plugins": plugins }).to_string();
        std::fs::write(folder.path().join("plugins.yaml"), operator).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let host = runtime
            .block_on(Host::open(folder.path(), options(folder.path())))
            .unwrap();
        assert_eq!(host.catalog().len(), count, "{:?}", host.problems());
        Stage {
            runtime,
            host,
            folder,
        }
    }

    /// A call in which the plugin does next to nothing.
    pub(crate) fn no_op(plugin: &str) -> PluginCall {
        PluginCall::ValidateSettings {
            plugin: plugin.to_owned(),
            settings: json!({}),
        }
    }

    /// A smoke test of the hostile plugin against a pod at `url`.
    pub(crate) fn attack(&self, attack: &str, url: &str) -> PluginAnswer {
        let invocation = Invocation {
            release: Release {
                id: "bench-1".to_owned(),
                workload: WorkloadRef {
                    cluster: "bench".to_owned(),
                    namespace: "bench".to_owned(),
                    kind: "Deployment".to_owned(),
                    name: "bench".to_owned(),
                    uid: "1".to_owned(),
                },
                from_revision: None,
                to_revision: "sha256:1".to_owned(),
                images: Vec::new(),
                subject_digest: "sha256:1".to_owned(),
            },
            settings: json!({ "attack": attack }),
            idempotency_key: "bench".to_owned(),
            attributes: Vec::new(),
            targets: Targets {
                candidate: vec![url.to_owned()],
                ..Targets::default()
            },
        };
        self.runtime
            .block_on(self.host.call(PluginCall::RunSmokeTest {
                plugin: "p0".to_owned(),
                invocation,
            }))
    }
}
