//! `sluice agent`, and the process that it runs plugins in.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, ValueEnum as _};
use ipnet::IpNet;
use sluice_core::duration::HumanDuration;

use crate::output::Format;

/// What is logged, unless somebody says otherwise: kube's client says of a failed request what the agent
/// says in its own words.
const LOG: &str = "info,kube_client=off";

/// `sluice agent`.
#[derive(Args, Debug)]
pub struct AgentArgs {
    /// Namespace of Pipelines, Rollouts, Approvals and Requests. Default: all.
    #[arg(short, long, value_name = "NAME", env = "SLUICE_NAMESPACE")]
    pub namespace: Option<String>,
    /// Namespace of targets; several times for several. Default: all.
    #[arg(
        long = "target-namespace",
        value_name = "NAME",
        env = "SLUICE_TARGET_NAMESPACES",
        value_delimiter = ','
    )]
    pub target_namespaces: Vec<String>,
    /// Context of the kubeconfig. Default: the current one, or the pod's service account.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The policy file; read again whenever it changes. Without one, every environment is closed.
    #[arg(long, value_name = "FILE", default_value = "/etc/sluice/policy.yaml")]
    pub policy: PathBuf,
    /// Folder of plugins, with plugins.yaml in it; read again whenever it changes. Several times for
    /// several: what a later one has stands before what an earlier one has.
    #[arg(long, value_name = "DIR", default_value = "/etc/sluice/plugins")]
    pub plugins: Vec<PathBuf>,
    /// Socket of a plugin host that runs already: another container of the same pod, without the pod's
    /// token. Default: the agent starts one as a child process.
    #[arg(long, value_name = "FILE")]
    pub plugin_host_socket: Option<PathBuf>,
    /// Where the child process keeps compiled plugins, and those of registries. Default: a temporary
    /// folder.
    #[arg(long, value_name = "DIR", conflicts_with = "plugin_host_socket")]
    pub plugin_cache: Option<PathBuf>,
    /// Addresses that no plugin may reach, such as those of the nodes: an address or a range in CIDR
    /// form; several times for several. The API server's are added where they are known.
    #[arg(long = "deny-address", value_name = "CIDR", value_parser = net)]
    pub denied_addresses: Vec<IpNet>,
    /// Certificate authorities of your own that plugins' connections trust beside the public ones, as
    /// PEM; several times for several files. Read at the start.
    #[arg(long = "plugin-ca", value_name = "FILE")]
    pub plugin_authorities: Vec<PathBuf>,
    /// Folder of secrets, DIR/<secret>/<key>: those that callbacks and hooks are signed with, and for a
    /// child process also those that plugins.yaml names.
    #[arg(long, value_name = "DIR")]
    pub secrets: Option<PathBuf>,
    /// File to which the record of every ended Rollout is appended, one JSON document a line.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/var/lib/sluice/records.jsonl"
    )]
    pub records: PathBuf,
    /// Registry credentials and exceptions, as YAML. Default: public registries, anonymously.
    #[arg(long, value_name = "FILE")]
    pub registry_config: Option<PathBuf>,
    /// Address of the web page and API, such as 127.0.0.1:8080. Default: none.
    #[arg(long, value_name = "ADDRESS")]
    pub web: Option<SocketAddr>,
    /// Name by which browsers reach the web page, with the port where it is not the scheme's own;
    /// several times for several. Default: the names of loopback.
    #[arg(long, value_name = "NAME", requires = "web")]
    pub web_host: Vec<String>,
    /// Audience of the Kubernetes tokens with which people sign in to the web page.
    #[arg(long, value_name = "AUDIENCE", default_value = "sluice")]
    pub web_audience: String,
    /// Whether browsers reach the web page by https, through an ingress or a sidecar.
    #[arg(long, requires = "web")]
    pub web_https: bool,
    /// The identity provider that people sign in with beside Kubernetes' tokens, as YAML: issuer,
    /// clientId and more. Default: none.
    #[arg(long, value_name = "FILE", requires = "web")]
    pub web_oidc: Option<PathBuf>,
    /// A registry that may send hints, and the NAME/KEY in the folder of secrets that it signs with;
    /// several times for several. Default: any, unsigned, at most one look in 5 s at what Pipelines
    /// watch.
    #[arg(
        long = "web-registry-hook",
        value_name = "SENDER[=NAME/KEY]",
        requires = "web"
    )]
    pub web_registry_hooks: Vec<String>,
    /// Let whoever is not signed in read the web page. For demos.
    #[arg(long, requires = "web")]
    pub web_public_read: bool,
    /// Address of the probes and metrics: /livez, /readyz, /metrics. Default: none.
    #[arg(long, value_name = "ADDRESS")]
    pub probes: Option<SocketAddr>,
    /// Name of the Lease that says which of several agents works. Default: none, this is the only one.
    #[arg(long, value_name = "NAME")]
    pub lease: Option<String>,
    /// Namespace of the Lease.
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE", requires = "lease")]
    pub lease_namespace: Option<String>,
    /// How long a leader that is gone holds the others up at most.
    #[arg(long, value_name = "TIME", default_value = "15s", requires = "lease")]
    pub lease_duration: HumanDuration,
    /// Name of this agent in the Lease; random characters are added.
    #[arg(long, value_name = "NAME", env = "POD_NAME", default_value = "sluice")]
    pub identity: String,
    /// Calls of the API server in a second that ordinary work may make; 0 is without limit. What
    /// rolls back is never held up by it.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub kube_qps: u32,
    /// Let plugins reach this machine where their grant says so, and identity providers be there
    /// without TLS. For demos; never in a cluster.
    #[arg(long)]
    pub allow_loopback: bool,
    /// What is logged, such as info or sluice_controller=debug. The default leaves out what kube's
    /// client says of a failed request: the agent says it in its own words.
    #[arg(
        long,
        value_name = "FILTER",
        env = "SLUICE_LOG",
        default_value = LOG
    )]
    pub log: String,
    /// How log lines are written, to standard error.
    #[arg(long, value_enum, default_value_t, env = "SLUICE_LOG_FORMAT")]
    pub log_format: Format,
}

/// `sluice plugin-host`: runs plugins for an agent, over a socket. The agent starts it; the chart does,
/// as a container of its own. Not listed among the commands, for nobody needs it by hand.
#[derive(Debug, Parser)]
#[command(name = "sluice plugin-host", version)]
pub(crate) struct PluginHostArgs {
    /// The socket. Its folder is made, for this user alone.
    #[arg(long, value_name = "FILE")]
    pub socket: PathBuf,
    /// Say whether a host answers at the socket, and end: 0 if so. For the kubelet.
    #[arg(long)]
    pub probe: bool,
    /// Folder of plugins, with plugins.yaml in it; several times for several.
    #[arg(long, value_name = "DIR", default_value = "/etc/sluice/plugins")]
    pub plugins: Vec<PathBuf>,
    /// Addresses that no plugin may reach; several times for several.
    #[arg(long = "deny-address", value_name = "CIDR", value_parser = net)]
    pub denied_addresses: Vec<IpNet>,
    /// Certificate authorities that plugins' connections trust beside the public ones, as PEM; several
    /// times for several files.
    #[arg(long = "plugin-ca", value_name = "FILE")]
    pub plugin_authorities: Vec<PathBuf>,
    /// Folder of the secrets that plugins may send, DIR/<secret>/<key>.
    #[arg(long, value_name = "DIR")]
    pub secrets: Option<PathBuf>,
    /// Registry credentials and exceptions, as YAML: for plugins that come from a registry.
    #[arg(long, value_name = "FILE")]
    pub registry_config: Option<PathBuf>,
    /// Where compiled plugins and those of registries are kept.
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Address space of the process that compiles one plugin, in MiB. Default: enough for Python.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(64..=65_536))]
    pub compile_memory_mib: Option<u32>,
    /// Memory of all running plugins together, in MiB; a compilation comes on top.
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(16..=65_536))]
    pub memory_mib: u32,
    /// Let plugins reach this machine where their grant says so. For demos; never in a cluster.
    #[arg(long)]
    pub allow_loopback: bool,
    /// End when standard input does: so that it never outlives the agent whose child it is.
    #[arg(long)]
    pub with_parent: bool,
    /// What is logged.
    #[arg(long, value_name = "FILTER", env = "SLUICE_LOG", default_value = LOG)]
    pub log: String,
    /// How log lines are written, to standard error.
    #[arg(long, value_enum, default_value_t, env = "SLUICE_LOG_FORMAT")]
    pub log_format: Format,
}

impl PluginHostArgs {
    /// The same as a command line, program excluded.
    pub(crate) fn command_line(&self) -> Vec<OsString> {
        let mut out: Vec<OsString> = vec!["plugin-host".into()];
        let mut flag = |name: &str, value: &dyn AsRef<Path>| {
            let mut text = OsString::from(format!("--{name}="));
            text.push(value.as_ref());
            out.push(text);
        };
        flag("socket", &self.socket);
        for folder in &self.plugins {
            flag("plugins", folder);
        }
        for range in &self.denied_addresses {
            flag("deny-address", &range.to_string());
        }
        for file in &self.plugin_authorities {
            flag("plugin-ca", file);
        }
        for (name, value) in [
            ("secrets", &self.secrets),
            ("registry-config", &self.registry_config),
            ("cache", &self.cache),
        ] {
            if let Some(value) = value {
                flag(name, value);
            }
        }
        flag("memory-mib", &self.memory_mib.to_string());
        if let Some(mib) = self.compile_memory_mib {
            flag("compile-memory-mib", &mib.to_string());
        }
        flag("log", &self.log);
        if let Some(format) = self.log_format.to_possible_value() {
            flag("log-format", &format.get_name());
        }
        for (name, set) in [
            ("--probe", self.probe),
            ("--allow-loopback", self.allow_loopback),
            ("--with-parent", self.with_parent),
        ] {
            if set {
                out.push(name.into());
            }
        }
        out
    }
}

/// A range of addresses; a single one is a range of itself.
fn net(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| single())
        .map_err(|_| "write an address or a range, such as 10.0.0.7 or 10.0.0.0/16".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_reads_what_the_agent_writes() {
        let text = "sluice --socket=/run/a b/s --plugins=/a --plugins=--b --deny-address=10.0.0.7/32 \
                    --plugin-ca=/c --secrets=/s --registry-config=/r --cache=/k --memory-mib=64 --compile-memory-mib=900 --log=debug \
                    --log-format=json --probe --allow-loopback --with-parent";
        // A space belongs to the first path.
        let words = text.split(" --").enumerate().map(|(n, word)| match n {
            0 => word.to_owned(),
            _ => format!("--{}", word.trim()),
        });
        let given = PluginHostArgs::try_parse_from(words).unwrap();
        assert_eq!(given.socket, Path::new("/run/a b/s"));
        let line = given.command_line();
        assert_eq!(line.first().unwrap(), "plugin-host");
        let read = PluginHostArgs::try_parse_from(line).unwrap();
        assert_eq!(format!("{read:?}"), format!("{given:?}"));
    }
}
