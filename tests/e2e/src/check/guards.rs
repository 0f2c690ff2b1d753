//! What the API server refuses by itself, tried on the real one; and that the pods are admitted to a
//! namespace that enforces *restricted* without a warning.

use std::sync::Arc;

use anyhow::ensure;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use sluice_charts::guards::{Install, prove_guards};

use crate::app::{DELIVERY, PRODUCTION};
use crate::audit::AGENT;
use crate::cluster::Cluster;
use crate::table::Traffic;

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig(None)?)?;
    let admin = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let install = Install {
        pipelines: DELIVERY.into(),
        target: PRODUCTION.into(),
        agent: AGENT.into(),
    };
    let cases = prove_guards(&admin, &install).await?;
    let failed: Vec<String> = cases
        .iter()
        .filter(|c| !c.holds())
        .map(ToString::to_string)
        .collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    let refused = cases.iter().filter(|c| c.refusal.is_some()).count();
    Ok(Traffic::note(format!(
        "{refused} attempts refused, {} let through, as they must be",
        cases.len() - refused
    )))
}
