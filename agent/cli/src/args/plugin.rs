//! Verbs about plugins.

use std::path::PathBuf;

use clap::{Args, Subcommand};

mod distribution;

pub(crate) use distribution::{PluginPullArgs, PluginPushArgs, PluginSignArgs, PluginVerifyArgs};

use crate::verb::plugin::{Kind, Language};

/// Verbs about plugins.
#[derive(Debug, Subcommand)]
pub enum PluginVerb {
    /// Run a smoke test once against an address, in the same host and under the same limits as in
    /// the agent.
    #[command(visible_alias = "smoke")]
    Run(PluginRunArgs),
    /// Put a component into a registry and print the digest by which plugins.yaml names it.
    Push(PluginPushArgs),
    /// Sign a plugin in a registry as cosign does, with a key of your own.
    Sign(PluginSignArgs),
    /// Get a component out of a registry.
    Pull(PluginPullArgs),
    /// Tell whether a plugin is signed and pinned as plugins.yaml wants it.
    Verify(PluginVerifyArgs),
    /// Write a project that builds, with its tests: the template of a kind in a language.
    New(PluginNewArgs),
    /// Make the component of a project, and check it as the agent would.
    Build(PluginBuildArgs),
    /// Say what a component is, what it may do, and what plugins.yaml does not grant it.
    Inspect(PluginInspectArgs),
    /// Play the cases of a project in the agent's own host, without a network.
    Test(PluginTestArgs),
    /// Measure calls in fresh instances: time, memory, and how long loading takes.
    Bench(PluginBenchArgs),
}

/// `sluice plugin test`.
#[derive(Args, Debug)]
pub struct PluginTestArgs {
    /// Folder of the project, with plugin.toml and cases/ in it. It is built first, if it has changed.
    #[arg(value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// Play this case only; several times for several.
    #[arg(long = "case", value_name = "NAME", conflicts_with = "record")]
    pub only: Vec<String>,
    /// Play each case twice, and compare the answers byte by byte. Always done with a traffic strategy.
    #[arg(long, conflicts_with = "record")]
    pub deterministic: bool,
    /// Instead, call it once with real servers under its grant, and write cases/NAME.toml. What stands
    /// there already, but for exchanges and expectation, is what it is called with.
    #[arg(long, value_name = "NAME")]
    pub record: Option<String>,
    /// To record: address of the candidate, such as http://127.0.0.1:8080.
    #[arg(long, value_name = "URL", value_parser = origin, requires = "record")]
    pub target: Option<String>,
    /// To record: address of the version that it replaces.
    #[arg(long, value_name = "URL", value_parser = origin, requires = "record")]
    pub stable: Option<String>,
    /// To record: address of the Service.
    #[arg(long, value_name = "URL", value_parser = origin, requires = "record")]
    pub service: Option<String>,
    /// To record: settings as JSON; @FILE reads them from a file.
    #[arg(long, value_name = "JSON", requires = "record")]
    pub settings: Option<String>,
    /// To record: a plugins.yaml with the grants of the plugin.
    #[arg(long, value_name = "FILE", requires = "record")]
    pub plugins_config: Option<PathBuf>,
    /// To record: folder of secrets, DIR/<secret>/<key>.
    #[arg(long, value_name = "DIR", requires = "record")]
    pub secrets: Option<PathBuf>,
}

/// `sluice plugin bench`.
#[derive(Args, Debug)]
pub struct PluginBenchArgs {
    /// Folder of a project, or a component.
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    pub plugin: PathBuf,
    /// Call with this case only. Default: the first of each export.
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Folder with cases/ in it, for a component that does not lie in its project.
    #[arg(long, value_name = "DIR")]
    pub cases: Option<PathBuf>,
    /// Calls of each export.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub calls: u32,
}

/// `sluice plugin build`.
#[derive(Args, Debug)]
pub struct PluginBuildArgs {
    /// Folder of the project, with plugin.toml in it.
    #[arg(value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
}

/// `sluice plugin inspect`.
#[derive(Args, Debug)]
pub struct PluginInspectArgs {
    /// The component.
    pub plugin: PathBuf,
    /// A plugins.yaml: say what its entry for this plugin lacks.
    #[arg(long, value_name = "FILE")]
    pub plugins_config: Option<PathBuf>,
}

/// `sluice plugin new`.
#[derive(Args, Debug)]
pub struct PluginNewArgs {
    /// Name of the plugin, such as shop-smoke; also that of the new folder.
    pub name: String,
    /// The language.
    #[arg(long = "lang", value_name = "LANGUAGE", value_enum, default_value_t)]
    pub language: Language,
    /// The kind.
    #[arg(long, value_enum, default_value_t)]
    pub kind: Kind,
    /// The new folder, where it is not to be called like the plugin.
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
}

/// `sluice plugin run`.
#[derive(Args, Debug)]
pub struct PluginRunArgs {
    /// The component, such as http_smoke.wasm.
    pub plugin: PathBuf,
    /// Address of the candidate, such as http://127.0.0.1:8080. Several: one per pod.
    #[arg(long, value_name = "URL", required = true, value_parser = origin)]
    pub target: Vec<String>,
    /// Address of the version that it replaces.
    #[arg(long, value_name = "URL", value_parser = origin)]
    pub stable: Option<String>,
    /// Address of the Service.
    #[arg(long, value_name = "URL", value_parser = origin)]
    pub service: Option<String>,
    /// Settings as JSON; @FILE reads them from a file.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub settings: String,
    /// A plugins.yaml: grants and secrets of the plugin are taken from its entry of that name.
    #[arg(long, value_name = "FILE")]
    pub plugins_config: Option<PathBuf>,
    /// Folder of secrets, DIR/<secret>/<key>.
    #[arg(long, value_name = "DIR")]
    pub secrets: Option<PathBuf>,
}

/// An address as the agent would give it to a test: scheme, host and port, nothing behind.
fn origin(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest.map(|rest| rest.trim_end_matches('/')) {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        Some(_) | None => Err("write scheme, host and port, such as http://127.0.0.1:8080".into()),
    }
}
