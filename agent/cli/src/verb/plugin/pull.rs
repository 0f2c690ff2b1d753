//! `sluice plugin pull`: a component out of a registry, by digest.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use sluice_plugins::{ArtifactSource as _, MAX_COMPONENT_BYTES};

use super::shelf::{failed, pinned, size, unfit};
use crate::args::PluginPullArgs;
use crate::artifacts::{self, RegistryArtifacts};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(args: &PluginPullArgs, out: &mut Output) -> Result<Exit, Failure> {
    let registry = Arc::new(artifacts::client(args.registry.registry_config.as_deref())?);
    let at = pinned(&registry, &args.reference).await?;
    let place = at.to_string();
    let failed = |fault| failed("the plugin was not pulled", &place, &fault);
    let source = RegistryArtifacts::of(registry);
    let layer = source
        .layer(&at, MAX_COMPONENT_BYTES)
        .await
        .map_err(failed)?;
    let bytes = source.component(&at, &layer).await.map_err(failed)?;
    let (bytes, manifest) = sluice_plugins::examine(bytes, &place).map_err(|cards| {
        unfit(
            "what was pulled would not be loaded, so it is not kept",
            &cards,
        )
    })?;
    let to = args
        .to
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.wasm", manifest.plugin.name)));
    write(&to, &bytes)?;
    out.json(
        &json!({
            "reference": place, "file": to, "sha256": layer.digest.trim_start_matches("sha256:"),
            "name": manifest.plugin.name, "version": manifest.plugin.version,
        }),
        false,
    )?;
    out.text(&format!(
        "{} {} is in {}\n  component  {}\n  sha256     {}\n\nWho signed it was not looked at: sluice \
         plugin verify {place} --key FILE",
        manifest.plugin.name,
        manifest.plugin.version,
        to.display(),
        size(layer.size),
        layer.digest.trim_start_matches("sha256:"),
    ))?;
    Ok(Exit::Done)
}

/// A new file: what is there is not overwritten.
fn write(to: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(to)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| {
            Failure::new("unwritable", format!("{} cannot be written", to.display()))
                .because(error.to_string())
                .change("name another file with --to")
        })
}
