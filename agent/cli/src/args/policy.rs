//! `sluice policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use sluice_core::policy::TriggerKind;

use super::ClusterArgs;

/// Verbs about policy files.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// Check a policy file: every problem at once, each with its line.
    Check {
        /// The file; - is standard input.
        file: PathBuf,
    },
    /// Run the tests that a policy file holds.
    Test {
        /// The file; - is standard input.
        file: PathBuf,
    },
    /// Say what the policy would answer to a release: yes, no, or what is still needed.
    Explain(Box<PolicyExplainArgs>),
    /// Say which answers another policy would change.
    Diff(PolicyDiffArgs),
    /// Write the JSON Schema of policy files, for editors.
    Schema,
}

/// Which policy, where it is not a file's.
#[derive(Args, Clone, Debug, Default)]
pub struct PolicyPlaceArgs {
    /// The policy file; - is standard input. Default: the ConfigMap that the agent reads.
    #[arg(long, value_name = "FILE", conflicts_with = "policy_from")]
    pub policy: Option<PathBuf>,
    /// The ConfigMap with the policy, where there are several agents.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub policy_from: Option<String>,
}

/// `sluice policy explain`.
#[derive(Args, Debug)]
pub struct PolicyExplainArgs {
    /// Name of a Pipeline in the cluster, or a file: one with a slash or an ending. With a file and
    /// --policy no cluster is asked.
    #[arg(long, value_name = "NAME|FILE")]
    pub pipeline: String,
    /// The environment.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub to: String,
    /// The version, by tag.
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// The version, by digest.
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,
    /// The instant, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00[Europe/Berlin]. Default: now.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub at: Option<Timestamp>,
    /// Who asks: a Kubernetes user name, or a name from the policy's `people`.
    #[arg(long = "as", value_name = "USER")]
    pub user: Option<String>,
    /// Their Kubernetes groups; several times for several.
    #[arg(long = "group", value_name = "GROUP", requires = "user")]
    pub groups: Vec<String>,
    /// What proposes the version.
    #[arg(long, value_name = "KIND", default_value = "manual", value_parser = trigger)]
    pub trigger: TriggerKind,
    /// Why they ask.
    #[arg(long)]
    pub reason: Option<String>,
    /// Ask for all traffic at once.
    #[arg(long)]
    pub skip_canary: bool,
    /// Ask as in an emergency.
    #[arg(long)]
    pub break_glass: bool,
    /// Ask the registry for digest, annotations and signatures of the image.
    #[arg(long)]
    pub read_image: bool,
    /// Registry credentials and exceptions, as the agent takes them. Default: what `docker login`
    /// wrote.
    #[arg(long, value_name = "FILE", requires = "read_image")]
    pub registry_config: Option<PathBuf>,
    /// Which policy.
    #[command(flatten)]
    pub place: PolicyPlaceArgs,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `sluice policy diff`.
#[derive(Args, Debug)]
pub struct PolicyDiffArgs {
    /// The policy of now.
    pub old: PathBuf,
    /// The policy that may come; - is standard input.
    pub new: PathBuf,
    /// Files of Pipelines. Default: every environment by itself.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub pipelines: Vec<PathBuf>,
    /// A version to ask for; several times for several. Default: v1.2.3, v1.2.3-rc.1 and latest.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// The instant at which it is asked. Windows are compared from there on. Default: now.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub at: Option<Timestamp>,
}

/// An instant: RFC 3339, or a time on the wall with its zone.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse::<Timestamp>()
        .or_else(|_| text.parse::<jiff::Zoned>().map(|at| at.timestamp()))
        .map_err(|_| {
            "write an instant such as 2026-12-24T18:00:00Z or 2026-12-24T18:00[Europe/Berlin]"
                .to_owned()
        })
}

/// A kind of trigger, as in policy files.
fn trigger(text: &str) -> Result<TriggerKind, String> {
    TriggerKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| {
            let known: Vec<&str> = TriggerKind::ALL.iter().map(|k| k.as_str()).collect();
            format!("write one of {}", known.join(", "))
        })
}
