//! Where an attack takes place: a host with the attacker, and a bystander beside it.

use std::any::Any;
use std::path::Path;

use serde_json::{Value, json};
use sluice_core::plugin::{PluginAnswer, PluginCall, PluginFault, Report};
use sluice_plugins::{Compiler, Host, HostOptions};

use crate::support::{Folder, call, invocation, smoke, test_options};

/// Options as the agent has them, but for loopback: a child compiles.
pub(crate) fn child(arguments: &[&str]) -> HostOptions {
    HostOptions {
        compiler: Compiler::Child {
            program: env!("CARGO_BIN_EXE_sluice-plugin-compile").into(),
            arguments: arguments.iter().map(Into::into).collect(),
        },
        ..test_options()
    }
}

/// A host, its folder, and what the attacker needs beside it.
pub(crate) struct Ground {
    pub(crate) folder: Folder,
    pub(crate) host: Host,
    /// Where the attacker's pods are.
    pub(crate) pods: Vec<String>,
    /// Servers live as long as the ground.
    pub(crate) servers: Vec<Box<dyn Any + Send + Sync>>,
}

/// What the operator grants the attacker, and how the host is set up.
pub(crate) struct Setting {
    pub(crate) grants: Value,
    pub(crate) secrets: Value,
    pub(crate) options: HostOptions,
}

impl Setting {
    /// Nothing but limits on a call.
    pub(crate) fn limits(limits: Value) -> Setting {
        Setting {
            grants: json!({ "limits": limits }),
            secrets: json!({}),
            options: child(&[]),
        }
    }
}

impl Ground {
    pub(crate) async fn new(setting: Setting) -> Ground {
        Ground::upon(plugins(), setting).await
    }

    /// One that keeps what it compiles, in its own folder.
    pub(crate) async fn cached() -> Ground {
        let folder = plugins();
        let options = HostOptions {
            cache: Some(folder.path().join("cache")),
            ..child(&[])
        };
        let setting = Setting {
            options,
            ..Setting::limits(json!({}))
        };
        Ground::upon(folder, setting).await
    }

    async fn upon(folder: Folder, setting: Setting) -> Ground {
        folder.put("plugins.yaml", operator(&setting, &[]));
        let host = folder.host_with(setting.options).await;
        assert_eq!(host.problems(), []);
        Ground {
            folder,
            host,
            pods: vec!["http://127.0.0.1:9".to_owned()],
            servers: Vec::new(),
        }
    }

    /// Plays an attack of the hostile smoke test.
    pub(crate) async fn hostile(&self, attack: &str) -> Result<Report, PluginFault> {
        self.hostile_with(json!({ "attack": attack })).await
    }

    pub(crate) async fn hostile_with(&self, settings: Value) -> Result<Report, PluginFault> {
        smoke(&self.host, "hostile", invocation(settings, &self.pods)).await
    }

    /// The code of the fault that an attack ends with; the report's summary where it ends with one.
    pub(crate) async fn ending(&self, attack: &str) -> String {
        match self.hostile(attack).await {
            Ok(report) => report.summary,
            Err(fault) => fault.code,
        }
    }

    /// The same, and a call that goes well: the breaker counts faults in a row.
    pub(crate) async fn ending_and_rest(&self, attack: &str) -> String {
        let ended = self.ending(attack).await;
        let _ = self.hostile("none").await;
        ended
    }

    /// One blow after the other: a call that goes well keeps the breaker from ending the attack.
    pub(crate) async fn blow(&self, settings: Value) {
        let _ = self.hostile_with(settings).await;
        let _ = self.hostile("none").await;
    }

    pub(crate) async fn answer(&self, question: PluginCall) -> PluginAnswer {
        call(&self.host, question).await
    }

    /// A folder with one more file beside those of the ground.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn plugins() -> Folder {
    Folder::new()
        .plugin("hostile", "hostile.wasm")
        .plugin("hostile_approver", "approver.wasm")
        .plugin("hostile_strategist", "strategist.wasm")
}

/// `plugins.yaml` of a ground; `more` are names for further files.
pub(crate) fn operator(setting: &Setting, more: &[&str]) -> String {
    let hook = json!({ "secret": "hook", "key": "key" });
    let callbacks = json!({
        "signature": { "hmac": {
            "secret": "hook", "header": "x-signature", "timestampHeader": "x-timestamp" } },
        "body": "json",
        "subject": { "pointer": "/subject" },
    });
    let mut plugins = vec![
        json!({ "name": "hostile", "source": { "file": "hostile.wasm" },
                "grants": setting.grants, "secrets": setting.secrets }),
        json!({ "name": "bystander", "source": { "file": "hostile.wasm" } }),
        json!({ "name": "approver", "source": { "file": "approver.wasm" },
                "grants": { "callbacks": callbacks }, "secrets": { "hook": hook } }),
        json!({ "name": "strategist", "source": { "file": "strategist.wasm" } }),
    ];
    for name in more {
        plugins.push(json!({ "name": name, "source": { "file": format!("{name}.wasm") } }));
    }
    json!({ "plugins": plugins }).to_string()
}
