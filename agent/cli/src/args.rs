//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use sluice_core::duration::HumanDuration;

use crate::output::Format;

mod agent;
mod plugin;
mod policy;
mod safety;

pub(crate) use agent::{AgentArgs, PluginHostArgs};
pub(crate) use plugin::{
    PluginBenchArgs, PluginBuildArgs, PluginInspectArgs, PluginNewArgs, PluginPullArgs,
    PluginPushArgs, PluginRunArgs, PluginSignArgs, PluginTestArgs, PluginVerb, PluginVerifyArgs,
};
pub(crate) use policy::{PolicyDiffArgs, PolicyExplainArgs, PolicyVerb};
pub(crate) use safety::{DrillArgs, QuarantineListArgs, QuarantineVerb, StartArgs, StopArgs};

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
    /// Draw pictures with ASCII alone. So they are with NO_COLOR set, and on a dumb terminal.
    #[arg(long, global = true)]
    pub ascii: bool,
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
    /// Prove that the way back works: the version that serves goes the whole way and back again.
    Drill(DrillArgs),
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
