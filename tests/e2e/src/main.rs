//! `make e2e`: the agent as its charts install it, on a real cluster. Without `KUBECONFIG` it makes
//! a cluster of its own and removes it afterwards. It ends with a table, and with exit code 1 if
//! anything in it failed.

// It is a program that tells on a terminal how far it is.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program talks to the person who runs it"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]

mod app;
mod audit;
mod browser;
mod check;
mod cluster;
mod doors;
mod install;
mod load;
mod outside;
mod probe;
mod real;
mod shape;
mod table;
mod told;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use sluice_cluster_bed::{Bed, Gateway, Level, Options};

use crate::cluster::Cluster;

/// Plays the scenarios on a real cluster.
#[derive(Parser)]
#[command(name = "sluice-e2e", version)]
pub(crate) struct Args {
    /// Only these, by name or by the beginning of it. The installation always comes first.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// List the names and end.
    #[arg(long)]
    list: bool,
    /// Also run a real gateway, which is built from source the first time: visitors of HTTPRoutes and
    /// Ingresses come through it.
    #[arg(long)]
    gateway: bool,
    /// Show what the agent logged, at the end.
    #[arg(long)]
    log: bool,
}

fn main() -> ExitCode {
    // A second provider could only be installed by this process itself; then it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args = Args::parse();
    if args.list {
        for name in check::names() {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    let played = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(run(&args)));
    match played {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nThe end-to-end tests could not be played: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything held.
async fn run(args: &Args) -> anyhow::Result<bool> {
    if let Some(bed) = Bed::inherited()? {
        return check::all(&Arc::new(Cluster::own(bed)?), args).await;
    }
    if std::env::var_os("KUBECONFIG").is_some_and(|v| !v.is_empty()) {
        return check::all(&Arc::new(Cluster::given()?), args).await;
    }
    println!("no KUBECONFIG: a cluster of our own, with one node");
    let again: Vec<String> = std::env::args().skip(1).collect();
    let again: Vec<&str> = again.iter().map(String::as_str).collect();
    let mut options = Options::new(Level::Node);
    options.gateway = if args.gateway {
        Gateway::Traefik
    } else {
        Gateway::Definitions
    };
    let ended = Bed::around(options, &again).await?;
    Ok(ended.success())
}
