//! Tries on the cluster of KUBECONFIG what the charts' guards must refuse, and prints the table:
//! `prove-guards PIPELINES TARGET system:serviceaccount:NAMESPACE:NAME`. Both charts are installed there,
//! and no agent runs. The account of KUBECONFIG may do everything.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use kube::Config;
use sluice_charts::guards::{Install, prove_guards};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    // A second call would be refused; the first is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut words = std::env::args().skip(1);
    let mut word = |name: &str| words.next().with_context(|| format!("{name} is missing"));
    let install = Install {
        pipelines: word("the namespace of Pipelines")?,
        target: word("a namespace of targets")?,
        agent: word("the agent's user name")?,
    };
    let config = Config::infer().await.context("no cluster in KUBECONFIG")?;
    let cases = prove_guards(&config, &install).await?;
    let mut out = std::io::stdout().lock();
    for case in &cases {
        writeln!(out, "{case}")?;
    }
    let failed = cases.iter().filter(|case| !case.holds()).count();
    writeln!(out, "{} cases, {failed} failed", cases.len())?;
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
