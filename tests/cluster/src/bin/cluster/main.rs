//! `cluster`: a real Kubernetes for tests, by hand.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to the person who runs it"
)]

mod verbs;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sluice_cluster_bed::{Gateway, Level, Options};

/// A real Kubernetes on this machine, for tests. Nothing of it outlives the command that started it.
#[derive(Parser)]
#[command(name = "cluster")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Say what this machine lacks for a cluster
    Check {
        /// 1: control plane and fake nodes; 2: also real containers and a registry
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
        level: u8,
    },
    /// Build the programs, once for each change of their sources
    Build {
        /// Also what such a gateway needs
        #[arg(long, value_enum, default_value_t)]
        gateway: Before,
    },
    /// Start a cluster and keep it until Ctrl-C
    Up(Kind),
    /// Start a cluster, run a command in its network, end the cluster
    Run {
        #[command(flatten)]
        kind: Kind,
        /// The command; KUBECONFIG is the admin's, PATH has kubectl, helm and kubeconform
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Run a command in the network of a cluster that is up; a shell where none is named
    Enter {
        /// The state folder, where more than one cluster is up
        #[arg(long)]
        state: Option<PathBuf>,
        /// The command
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Make a kubeconfig for a user of a cluster that is up, and print its path
    Person {
        /// The user's name
        name: String,
        /// A group of theirs; may be repeated
        #[arg(long = "group")]
        groups: Vec<String>,
        /// The state folder, where more than one cluster is up
        #[arg(long)]
        state: Option<PathBuf>,
    },
    /// End clusters and remove what killed runs left
    Down {
        /// Every cluster of this machine, and logs that were kept
        #[arg(long, required = true)]
        all: bool,
    },
}

#[derive(Args)]
struct Kind {
    /// 1: control plane and fake nodes; 2: also real containers and a registry
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    level: u8,
    /// How many nodes only say that they are there
    #[arg(long)]
    fake_nodes: Option<u32>,
    /// What stands before the Services: nothing, the definitions of the Gateway API, or also Traefik,
    /// which serves HTTPRoutes and Ingresses of the class nginx
    #[arg(long, value_enum, default_value_t)]
    gateway: Before,
    /// Keep the logs of every part after the end
    #[arg(long)]
    keep: bool,
}

/// What stands before the Services.
#[derive(Clone, Copy, Default, ValueEnum)]
enum Before {
    #[default]
    None,
    Definitions,
    Traefik,
}

impl From<Before> for Gateway {
    fn from(before: Before) -> Self {
        match before {
            Before::None => Self::None,
            Before::Definitions => Self::Definitions,
            Before::Traefik => Self::Traefik,
        }
    }
}

impl Kind {
    fn options(&self) -> Options {
        let mut options = Options::new(level(self.level));
        options.fake_nodes = self.fake_nodes.unwrap_or(options.fake_nodes);
        options.gateway = self.gateway.into();
        options.keep_logs = self.keep;
        options.say = |line| println!("{line}");
        options
    }
}

fn level(number: u8) -> Level {
    if number == 1 {
        Level::ControlPlane
    } else {
        Level::Node
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Check { level: number } => Ok(verbs::check(level(number))),
        Verb::Build { gateway } => verbs::build(gateway.into()),
        Verb::Up(kind) => verbs::up(kind.options()).await,
        Verb::Run { kind, command } => verbs::run(kind.options(), &command).await,
        Verb::Enter { state, command } => verbs::enter(state, &command).await,
        Verb::Person {
            name,
            groups,
            state,
        } => verbs::person(state, name, groups),
        Verb::Down { all: _ } => verbs::down(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
