//! `sluice plugin sign`: a signature as cosign makes it, for whoever has a key and no cosign.

use std::path::Path;

use serde_json::json;
use sluice_registry::SigningKey;

use super::shelf::{failed, pinned};
use crate::args::PluginSignArgs;
use crate::artifacts;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Largest file of a key.
const MOST_KEY_BYTES: u64 = 64 << 10;

pub(super) async fn run(args: &PluginSignArgs, out: &mut Output) -> Result<Exit, Failure> {
    let key = key(&args.key)?;
    let registry = artifacts::client(args.registry.registry_config.as_deref())?;
    let at = pinned(&registry, &args.reference).await?;
    registry
        .sign(&at.repository, &at.digest, &key)
        .await
        .map_err(|fault| {
            let fault = artifacts::fault(fault);
            failed("the plugin was not signed", &args.reference, &fault)
        })?;
    let public = key.public_pem();
    out.json(
        &json!({"reference": at.to_string(), "publicKey": public}),
        false,
    )?;
    out.text(&format!(
        "{at} is signed.\nThe key for plugins.yaml, or for a file that verify.cosign.key names:\n\n{public}"
    ))?;
    Ok(Exit::Done)
}

fn key(path: &Path) -> Result<SigningKey, Failure> {
    use std::io::Read as _;
    let cannot = |why: String| {
        let what = format!("the key {} cannot be used", path.display());
        Failure::new("signing-key", what)
            .because(why)
            .exit(Exit::Usage)
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_KEY_BYTES).read_to_string(&mut text))
        .map_err(|e| cannot(e.to_string()))?;
    SigningKey::from_pem(&text).map_err(|e| cannot(e.to_string()))
}
