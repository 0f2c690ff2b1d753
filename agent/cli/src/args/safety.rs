//! The global stop, and the quarantine.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::policy::instant;
use super::{ClusterArgs, LimitArgs, VersionWishArgs};

/// Verbs about the quarantine.
#[derive(Debug, Subcommand)]
pub enum QuarantineVerb {
    /// List what is in quarantine and why, of one Pipeline or of all.
    List(QuarantineListArgs),
    /// Take a version out of quarantine: the same as `sluice lift`.
    Lift(VersionWishArgs),
}

/// `sluice quarantine list`.
#[derive(Args, Debug)]
pub struct QuarantineListArgs {
    /// Name of a Pipeline. Default: all.
    pub pipeline: Option<String>,
    /// In every namespace.
    #[arg(short = 'A', long, conflicts_with_all = ["pipeline", "namespace"])]
    pub all_namespaces: bool,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice drill`.
#[derive(Args, Debug)]
pub struct DrillArgs {
    /// Name of the Pipeline.
    pub pipeline: String,
    /// The environment.
    #[arg(long, visible_alias = "to", value_name = "ENVIRONMENT")]
    pub environment: String,
    /// Why, for the record.
    #[arg(long)]
    pub reason: Option<String>,
    /// Follow it to its end, report and exit by it. This is the default.
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

/// `sluice stop`.
#[derive(Args, Debug)]
pub struct StopArgs {
    /// Everything: there is no smaller stop. `pause` and `abort` are about one Rollout.
    #[arg(long, required = true)]
    pub all: bool,
    /// Why: everybody who waits will read it.
    #[arg(long)]
    pub reason: String,
    /// When it lifts by itself, such as 2026-12-24T18:00:00Z. Default: when somebody starts again.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: Option<Timestamp>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice start`.
#[derive(Args, Debug)]
pub struct StartArgs {
    /// Everything: there is no smaller stop.
    #[arg(long, required = true)]
    pub all: bool,
    /// Why.
    #[arg(long)]
    pub reason: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
