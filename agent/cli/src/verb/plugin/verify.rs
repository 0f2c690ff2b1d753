//! `sluice plugin verify`: what the agent would ask of a plugin before it loads it, asked now.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use sluice_plugins::{
    ArtifactRef, ArtifactSource as _, CosignSigner, MAX_COMPONENT_BYTES, Manifest, PluginEntry,
    PluginsFile, SignatureRule, Verify, VerifyMode,
};

use super::shelf::{component, failed, pinned, size, unfit};
use super::unreadable;
use crate::args::PluginVerifyArgs;
use crate::artifacts::{self, RegistryArtifacts};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(args: &PluginVerifyArgs, out: &mut Output) -> Result<Exit, Failure> {
    match Path::new(&args.what) {
        path if path.is_file() => file(args, path, out),
        _ => reference(args, out).await,
    }
}

/// A component in a file: its pin.
fn file(args: &PluginVerifyArgs, path: &Path, out: &mut Output) -> Result<Exit, Failure> {
    if args.key.is_some() || args.identity.is_some() {
        return Err(Failure::new("usage", "a file has no signatures")
            .because("they lie beside the plugin in its registry")
            .change("name the reference that was signed, or pin the file with --plugins-config")
            .exit(Exit::Usage));
    }
    let (bytes, manifest) = examined(component(path)?, &args.what)?;
    let hash = sluice_core::hash::sha256_hex(&bytes);
    let entry = match &args.plugins_config {
        Some(config) => Some(of_file(config, path, &manifest)?),
        None => None,
    };
    let pin = entry
        .as_ref()
        .and_then(|entry| entry.verify.as_ref()?.sha256.clone());
    if let Some(pin) = pin.as_ref().filter(|pin| **pin != hash) {
        return Err(
            Failure::new("plugin-pin", format!("{} is not what is pinned", args.what))
                .because(format!(
                    "it is sha256:{hash}, and the pin says sha256:{pin}"
                ))
                .change("put the pinned file there, or pin this one after looking at it")
                .exit(Exit::NotDone),
        );
    }
    let verdict = match (&args.plugins_config, &pin) {
        (_, Some(_)) => "it is what plugins.yaml pins",
        (Some(_), None) => "plugins.yaml does not pin it: whatever lies there is loaded",
        (None, None) => "nobody asked for anything; its hash is for verify.sha256",
    };
    let facts = facts(&manifest, &hash, bytes.len());
    out.json(
        &json!({"what": args.what, "plugin": facts, "pinned": pin.is_some()}),
        false,
    )?;
    out.text(&format!(
        "{}: {verdict}\n{}",
        args.what,
        about(&manifest, &hash, bytes.len())
    ))?;
    Ok(Exit::Done)
}

/// A component in a registry: layout, signatures, hash, load checks.
async fn reference(args: &PluginVerifyArgs, out: &mut Output) -> Result<Exit, Failure> {
    let registry = Arc::new(artifacts::client(args.registry.registry_config.as_deref())?);
    let at = pinned(&registry, &args.what).await?;
    let (rule, pin) = rule(args, &at)?;
    let place = at.to_string();
    let failed = |fault| failed("the plugin could not be verified", &place, &fault);
    let source = RegistryArtifacts::of(registry);
    let layer = source
        .layer(&at, MAX_COMPONENT_BYTES)
        .await
        .map_err(failed)?;
    let found = match rule.mode {
        VerifyMode::Off => BTreeSet::new(),
        VerifyMode::Enforce | VerifyMode::Warn => {
            source.signed_by(&at, &rule.signers).await.map_err(failed)?
        }
    };
    let missing = match rule.mode {
        VerifyMode::Off => vec!["verify.mode is off: nobody looks at who made it".to_owned()],
        VerifyMode::Enforce | VerifyMode::Warn => rule.judge(&found).err().unwrap_or_default(),
    };
    if rule.mode == VerifyMode::Enforce && !missing.is_empty() {
        return Err(Failure {
            why: missing,
            ..Failure::new(
                "plugin-not-signed",
                "the plugin is not signed as it has to be",
            )
            .at(place)
            .change("have it signed, with cosign or sluice plugin sign, and ask again")
            .exit(Exit::NotDone)
        });
    }
    let hash = layer.digest.trim_start_matches("sha256:");
    if let Some(pin) = pin.filter(|pin| pin != hash) {
        return Err(
            Failure::new("plugin-pin", "the component is not what is pinned")
                .at(place)
                .because(format!(
                    "it is sha256:{hash}, and the pin says sha256:{pin}"
                ))
                .change("correct verify.sha256 after looking at the component")
                .exit(Exit::NotDone),
        );
    }
    let bytes = source.component(&at, &layer).await.map_err(failed)?;
    let (bytes, manifest) = examined(bytes, &place)?;
    for why in &missing {
        out.note(&format!("warning: {why}"))?;
    }
    out.json(
        &json!({
            "what": place, "plugin": facts(&manifest, hash, bytes.len()),
            "mode": rule.mode, "signedBy": found, "warnings": missing,
        }),
        false,
    )?;
    let signed = match found.is_empty() {
        true => "signed by nobody who was asked for".to_owned(),
        false => format!("signed by {}", Vec::from_iter(found).join(", ")),
    };
    out.text(&format!(
        "{place}\n  {signed}\n{}",
        about(&manifest, hash, bytes.len())
    ))?;
    Ok(Exit::Done)
}

/// What has to hold: the operator's rule, or that of the command line.
fn rule(
    args: &PluginVerifyArgs,
    at: &ArtifactRef,
) -> Result<(SignatureRule, Option<String>), Failure> {
    let (verify, folder) = match &args.plugins_config {
        Some(path) => {
            let entry = of_reference(path, at)?;
            let folder = path.parent().unwrap_or(Path::new("."));
            (entry.verify.unwrap_or_default(), folder)
        }
        None if args.key.is_none() && args.identity.is_none() => {
            return Err(
                Failure::new("usage", "nobody says who has to have signed it")
                    .change("add --plugins-config FILE, --key FILE, or --identity and --issuer")
                    .exit(Exit::Usage),
            );
        }
        None => {
            let key = args.key.as_deref().map(pem).transpose()?;
            let signer = CosignSigner {
                identity: args.identity.clone(),
                issuer: args.issuer.clone(),
                key,
                ..CosignSigner::default()
            };
            let verify = Verify {
                cosign: Some(signer),
                ..Verify::default()
            };
            (verify, Path::new("."))
        }
    };
    let rule = verify.rule(|_| folder).map_err(|faults| Failure {
        why: faults
            .iter()
            .map(|fault| format!("verify{fault}"))
            .collect(),
        ..Failure::new("usage", "the rule cannot be applied").exit(Exit::Usage)
    })?;
    Ok((rule, verify.sha256))
}

/// The text of a file of a key.
fn pem(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, &e.to_string()))?;
    if text.trim_start().starts_with("-----BEGIN") {
        return Ok(text);
    }
    Err(unreadable(path, "it is no PEM").exit(Exit::Usage))
}

fn entries(path: &Path) -> Result<Vec<PluginEntry>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, &e.to_string()))?;
    let file = PluginsFile::parse(&text)
        .map_err(|card| unfit(&format!("{} cannot be used", path.display()), &[card]))?;
    Ok(file.plugins)
}

/// The entry that loads this reference. One for the same repository with another digest is named.
fn of_reference(path: &Path, at: &ArtifactRef) -> Result<PluginEntry, Failure> {
    let mut near = None;
    for entry in entries(path)? {
        let its = entry.source.oci.as_deref().map(ArtifactRef::parse);
        match its {
            Some(Ok(its)) if its == *at => return Ok(entry),
            Some(Ok(its)) if its.repository == at.repository => near = Some(its),
            Some(_) | None => {}
        }
    }
    let failure = Failure::new(
        "not-found",
        format!("no plugin of {} is {at}", path.display()),
    )
    .exit(Exit::NotDone);
    Err(match near {
        Some(near) => failure
            .because(format!("it loads another of the same repository: {near}"))
            .change("verify that one, or correct source.oci"),
        None => failure.change("add an entry with this reference as source.oci"),
    })
}

/// The entry that loads this file: by its name, or by the plugin's.
fn of_file(config: &Path, path: &Path, manifest: &Manifest) -> Result<PluginEntry, Failure> {
    let entries = entries(config)?;
    let by_file = |entry: &&PluginEntry| {
        let its = entry.source.file.as_deref().map(Path::new);
        its.is_some_and(|its| its.file_name() == path.file_name())
    };
    let by_name = |entry: &&PluginEntry| entry.name == manifest.plugin.name;
    let entry = entries
        .iter()
        .find(by_file)
        .or_else(|| entries.iter().find(by_name));
    entry.cloned().ok_or_else(|| {
        let what = format!("no plugin of {} is this one", config.display());
        Failure::new("not-found", what)
            .because(format!(
                "none has this file, and none is called {}",
                manifest.plugin.name
            ))
            .change("add an entry with this file as source.file")
            .exit(Exit::NotDone)
    })
}

fn examined(bytes: Vec<u8>, name: &str) -> Result<(Vec<u8>, Manifest), Failure> {
    sluice_plugins::examine(bytes, name)
        .map_err(|cards| unfit(&format!("{name} would not be loaded"), &cards))
}

fn facts(manifest: &Manifest, hash: &str, bytes: usize) -> serde_json::Value {
    json!({
        "name": manifest.plugin.name, "version": manifest.plugin.version,
        "kind": manifest.plugin.kind, "sha256": hash, "bytes": bytes,
    })
}

fn about(manifest: &Manifest, hash: &str, bytes: usize) -> String {
    format!(
        "  plugin     {} {}\n  component  {}\n  sha256     {hash}",
        manifest.plugin.name,
        manifest.plugin.version,
        size(bytes as u64),
    )
}
