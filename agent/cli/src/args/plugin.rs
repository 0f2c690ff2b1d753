//! Verbs about plugins.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Verbs about plugins.
#[derive(Debug, Subcommand)]
pub enum PluginVerb {
    /// Run a smoke test once against an address, in the same host and under the same limits as in
    /// the agent.
    #[command(visible_alias = "smoke")]
    Run(PluginRunArgs),
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
