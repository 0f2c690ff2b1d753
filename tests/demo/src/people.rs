//! The people of `AUTO=1`: they sign through the shipped CLI, with their own credentials.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

/// The `sluice` program beside this one.
pub(crate) fn cli() -> anyhow::Result<std::path::PathBuf> {
    let program = std::env::current_exe()?;
    let cli = program.with_file_name("sluice");
    if !cli.exists() {
        bail!("{} is not built: `make demo` builds it", cli.display());
    }
    Ok(cli)
}

/// `person` approves a Rollout on the command line.
pub(crate) async fn approve(kubeconfig: &Path, person: &str, rollout: &str) -> anyhow::Result<()> {
    let output = Command::new(cli()?)
        .args([
            "approve",
            rollout,
            "--context",
            person,
            "--yes",
            "--reason",
            "looked at it",
        ])
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("the CLI does not run")?;
    if !output.status.success() {
        bail!(
            "`sluice approve` of {person} failed: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// What `sluice explain` says of a Rollout.
pub(crate) async fn explain(kubeconfig: &Path, rollout: &str) -> anyhow::Result<String> {
    let output = Command::new(cli()?)
        .args(["explain", rollout, "--context", super::setting::PEOPLE[0]])
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("the CLI does not run")?;
    if !output.status.success() {
        bail!(
            "`sluice explain` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
