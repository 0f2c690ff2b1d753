//! Verbs that bring a plugin into a registry and out of it.

use std::path::PathBuf;

use clap::Args;

/// How the registry is reached.
#[derive(Args, Debug)]
pub struct RegistryArgs {
    /// Registry credentials and exceptions, as the agent's --registry-config. Default: what `docker
    /// login` left.
    #[arg(long, value_name = "FILE")]
    pub registry_config: Option<PathBuf>,
}

/// `sluice plugin push`.
#[derive(Args, Debug)]
pub struct PluginPushArgs {
    /// The component, such as slack.wasm.
    pub plugin: PathBuf,
    /// Where it goes, such as oci.example.com/sluice/slack:1.2.0. The tag is for people: plugins.yaml
    /// names the digest that is printed.
    pub reference: String,
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `sluice plugin sign`.
#[derive(Args, Debug)]
pub struct PluginSignArgs {
    /// What is signed, such as oci.example.com/sluice/slack@sha256:….
    pub reference: String,
    /// The private key: ECDSA P-256 as PEM (PKCS#8), not encrypted.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `sluice plugin pull`.
#[derive(Args, Debug)]
pub struct PluginPullArgs {
    /// What is pulled, such as oci.example.com/sluice/slack@sha256:….
    pub reference: String,
    /// The file that is written. Default: the plugin's name and .wasm, here.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `sluice plugin verify`.
#[derive(Args, Debug)]
pub struct PluginVerifyArgs {
    /// A component, or a reference such as oci.example.com/sluice/slack@sha256:….
    pub what: String,
    /// A plugins.yaml: what its entry for this plugin says has to hold.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "identity", "issuer"])]
    pub plugins_config: Option<PathBuf>,
    /// Public key of whoever has to have signed it, as PEM.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["identity", "issuer"])]
    pub key: Option<PathBuf>,
    /// Subject of the certificate of whoever has to have signed it.
    #[arg(long, value_name = "SUBJECT", requires = "issuer")]
    pub identity: Option<String>,
    /// Who vouches for that subject, such as https://token.actions.example.com.
    #[arg(long, value_name = "URL", requires = "identity")]
    pub issuer: Option<String>,
    /// The registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}
