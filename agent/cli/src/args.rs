//! The command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ipnet::IpNet;
use sluice_core::duration::HumanDuration;

use crate::output::Format;

mod plugin;
mod policy;
mod safety;

pub(crate) use plugin::{PluginRunArgs, PluginVerb};
pub(crate) use policy::{PolicyDiffArgs, PolicyExplainArgs, PolicyVerb};
pub(crate) use safety::{QuarantineListArgs, QuarantineVerb, StartArgs, StopArgs};

/// Takes container images to production, step by step, tested and approved.
#[derive(Debug, Parser)]
#[command(
    name = "sluice",
    version,
    about,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 it did not happen, 2 wrong command line, 3 timed out, \
                  4 could not be told, 5 not yet: people or time are missing.\nThe manual: docs/cli.md"
)]
pub struct Cli {
    /// How results and errors are written.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    pub output: Format,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the agent: watch registries, decide, roll out, roll back.
    Agent(Box<AgentArgs>),
    /// Ask for a version in an environment, and follow it to its end.
    Deploy(DeployArgs),
    /// Vote yes on a Rollout that waits for approval.
    Approve(VoteArgs),
    /// Vote no on a Rollout that waits for approval. It ends.
    Reject(RejectArgs),
    /// Stop a Rollout: put the old version back, or cancel it before it begins.
    Abort(RolloutWishArgs),
    /// Start no further step of a Rollout.
    Pause(PlainWishArgs),
    /// Go on after a pause.
    Resume(RolloutWishArgs),
    /// End the watching of this step now, or open the gate before the next.
    Promote(RolloutWishArgs),
    /// Put the old version back: of a Rollout, or of an environment.
    Rollback(RollbackArgs),
    /// Let triggers propose a version again that ended badly.
    Retry(VersionWishArgs),
    /// Take a version out of quarantine.
    Lift(VersionWishArgs),
    /// Show what is in quarantine, or take it out.
    #[command(subcommand)]
    Quarantine(QuarantineVerb),
    /// Hold everything but rollbacks, in every environment.
    Stop(StopArgs),
    /// Lift the global stop.
    Start(StartArgs),
    /// Take the target as it stands now, if it is healthy, as the version to roll back to.
    Adopt(AdoptArgs),
    /// Show objects.
    Get(GetArgs),
    /// Show how far a Rollout is; with -w follow it to its end.
    Status(StatusArgs),
    /// Say why a Rollout or Pipeline is where it is, what it waits for and what comes next.
    Explain(ExplainArgs),
    /// Write the record of a Rollout as a JSON document.
    Record(RecordArgs),
    /// Look after policy files.
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Look after plugins.
    #[command(subcommand)]
    Plugin(PluginVerb),
    /// Write the custom resource definitions, for `kubectl apply -f -`.
    Crds,
    /// Write a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Which cluster, in whose name.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterArgs {
    /// Context of the kubeconfig. Default: the current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace of Pipelines and Rollouts. Default: the context's.
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
}

/// How long to follow.
#[derive(Args, Clone, Debug, Default)]
pub struct LimitArgs {
    /// Stop following after this time, such as 30m, with exit code 3. The Rollout goes on.
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<HumanDuration>,
}

/// A version, by tag or digest.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct VersionArgs {
    /// Its tag. The agent resolves it to a digest once.
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// Its digest, sha256:…
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,
}

/// `sluice deploy`.
#[derive(Args, Debug)]
pub struct DeployArgs {
    /// Name of the Pipeline.
    pub pipeline: String,
    /// The environment.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub to: String,
    /// Which version.
    #[command(flatten)]
    pub version: VersionArgs,
    /// Why, for approvers and the record.
    #[arg(long)]
    pub reason: Option<String>,
    /// Go to all traffic at once, still with every check. Needs a role that the policy names for it,
    /// and a reason.
    #[arg(long, requires = "reason")]
    pub skip_canary: bool,
    /// Wait for no window, age, timer or cap, and be approved by the people that the policy names for
    /// emergencies. Needs a reason.
    #[arg(long, requires = "reason")]
    pub break_glass: bool,
    /// Make the plan, say who would have to approve and what is against it, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Follow it to its end and exit by it. This is the default.
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,
    /// Return as soon as the agent has answered.
    #[arg(long, overrides_with = "wait")]
    pub no_wait: bool,
    /// How long to follow.
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice approve`.
#[derive(Args, Debug)]
pub struct VoteArgs {
    /// Name of the Rollout.
    pub rollout: String,
    /// What you want to say about it.
    #[arg(long)]
    pub reason: Option<String>,
    /// Do not ask for confirmation.
    #[arg(short, long)]
    pub yes: bool,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice reject`.
#[derive(Args, Debug)]
pub struct RejectArgs {
    /// Name of the Rollout.
    pub rollout: String,
    /// Why not: whoever asked will read it.
    #[arg(long)]
    pub reason: String,
    /// Do not ask for confirmation.
    #[arg(short, long)]
    pub yes: bool,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// A wish about a Rollout that is answered at once.
#[derive(Args, Debug)]
pub struct PlainWishArgs {
    /// Name of the Rollout.
    pub rollout: String,
    /// Why, for the timeline.
    #[arg(long)]
    pub reason: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// A wish about a Rollout whose end can be waited for.
#[derive(Args, Debug)]
pub struct RolloutWishArgs {
    /// Name of the Rollout.
    pub rollout: String,
    /// Why, for the timeline.
    #[arg(long)]
    pub reason: Option<String>,
    /// Follow it to its end and exit by it.
    #[arg(long)]
    pub wait: bool,
    /// How long to follow.
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice rollback`.
#[derive(Args, Debug)]
pub struct RollbackArgs {
    /// Name of the Rollout; with --to, of the Pipeline.
    #[arg(value_name = "ROLLOUT|PIPELINE")]
    pub name: String,
    /// The environment of the Pipeline.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub to: Option<String>,
    /// The earlier version to go back to. Default: the one before the version that serves.
    #[arg(long, value_name = "TAG", requires = "to")]
    pub tag: Option<String>,
    /// The same by digest.
    #[arg(long, value_name = "DIGEST", requires = "to", conflicts_with = "tag")]
    pub digest: Option<String>,
    /// Why, for the record and for whoever lifts the quarantine.
    #[arg(long)]
    pub reason: Option<String>,
    /// Follow it to its end and exit by it.
    #[arg(long)]
    pub wait: bool,
    /// How long to follow.
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice retry` and `sluice lift`.
#[derive(Args, Debug)]
pub struct VersionWishArgs {
    /// Name of the Pipeline.
    pub pipeline: String,
    /// The environment.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub to: String,
    /// Which version.
    #[command(flatten)]
    pub version: VersionArgs,
    /// Why.
    #[arg(long)]
    pub reason: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice adopt`.
#[derive(Args, Debug)]
pub struct AdoptArgs {
    /// Name of the Pipeline.
    pub pipeline: String,
    /// The environment.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub to: String,
    /// Why.
    #[arg(long)]
    pub reason: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice get`.
#[derive(Args, Debug)]
pub struct GetArgs {
    /// Of which kind.
    #[arg(value_enum, default_value_t)]
    pub kind: Kind,
    /// One of them alone.
    pub name: Option<String>,
    /// In every namespace.
    #[arg(short = 'A', long, conflicts_with_all = ["name", "namespace"])]
    pub all_namespaces: bool,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// What `sluice get` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Standing definitions, and what serves where.
    #[value(aliases = ["pipeline", "pl"])]
    Pipelines,
    /// Deployments of one digest to one environment.
    #[default]
    #[value(aliases = ["rollout", "ro"])]
    Rollouts,
    /// Votes.
    #[value(aliases = ["approval"])]
    Approvals,
    /// Wishes, and what became of them.
    #[value(aliases = ["request"])]
    Requests,
}

/// `sluice status`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Name of the Rollout.
    pub rollout: String,
    /// Follow it to its end and exit by it.
    #[arg(short, long)]
    pub watch: bool,
    /// How long to follow.
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Name of a Rollout or Pipeline; pipeline/NAME and rollout/NAME say which.
    #[arg(value_name = "ROLLOUT|PIPELINE")]
    pub name: String,
    /// One environment of a Pipeline alone.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub to: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice record`.
#[derive(Args, Debug)]
pub struct RecordArgs {
    /// Name of the Rollout.
    pub rollout: String,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

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
    /// Addresses that no plugin may reach, such as those of the nodes: an address or a range in CIDR
    /// form; several times for several. The API server's are added where they are known.
    #[arg(long = "deny-address", value_name = "CIDR", value_parser = net)]
    pub denied_addresses: Vec<IpNet>,
    /// Certificate authorities of your own that plugins' connections trust beside the public ones, as
    /// PEM; several times for several files. Read at the start.
    #[arg(long = "plugin-ca", value_name = "FILE")]
    pub plugin_authorities: Vec<PathBuf>,
    /// Folder of the secrets that plugins.yaml names, DIR/<secret>/<key>.
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
        default_value = "info,kube_client=off"
    )]
    pub log: String,
    /// How log lines are written, to standard error.
    #[arg(long, value_enum, default_value_t, env = "SLUICE_LOG_FORMAT")]
    pub log_format: Format,
}

/// A range of addresses; a single one is a range of itself.
fn net(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| single())
        .map_err(|_| "write an address or a range, such as 10.0.0.7 or 10.0.0.0/16".into())
}
