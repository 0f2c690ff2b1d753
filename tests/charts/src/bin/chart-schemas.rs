//! Writes tests/charts/schemas anew from the API server of KUBECONFIG:
//! `chart-schemas tests/charts/schemas`.

use std::path::Path;

use anyhow::Context as _;
use kube::Config;
use sluice_charts::guards::Actor;
use sluice_charts::schemas::schemas;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // A second call would be refused; the first is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = std::env::args().nth(1).context("name the folder")?;
    let config = Config::infer().await.context("no cluster in KUBECONFIG")?;
    for (name, schema) in schemas(&Actor::admin(&config)?).await? {
        let file = Path::new(&folder).join(&name);
        std::fs::write(&file, format!("{schema}\n")).with_context(|| name.clone())?;
    }
    Ok(())
}
