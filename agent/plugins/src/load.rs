//! From the bytes of a file to a program that can be called, or to error cards (plugins.md section
//! 6). One read serves digest, checks and compiler, so nothing can change in between.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use sluice_core::hash::sha256_hex;
use sluice_core::plugin::PluginKind;
use wasmparser::Validator;
use wasmtime::component::Component;

use crate::card::Card;
use crate::engine::{EngineHandle, validator_features};
use crate::limits::{Limits, MAX_COMPONENT_BYTES, too_large_to_start};
use crate::manifest::{Manifest, kind_name};
use crate::world::{Linkers, Program};

pub(crate) mod contract;
pub(crate) mod shape;

/// A file's bytes and their SHA-256.
pub(crate) struct Read {
    pub(crate) bytes: Vec<u8>,
    /// `sha256:…`.
    pub(crate) digest: String,
}

/// Reads a file. Blocking.
///
/// # Errors
/// A card: missing, unreadable, not a file, too large.
pub(crate) fn read(folder: &Path, file: &str) -> Result<Read, Card> {
    let unreadable = |error: std::io::Error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => "plugin/file-missing",
            _ => "plugin/unreadable",
        };
        Card::new(code, file)
            .because(format!("the file cannot be read: {}", error.kind()))
            .change("copy the file into the plugins folder, readable for the agent")
    };
    let path = folder.join(file);
    let source = std::fs::File::open(path).map_err(unreadable)?;
    let about = source.metadata().map_err(unreadable)?;
    let too_large = |size: u64| {
        Card::new("plugin/too-large", file)
            .because(format!(
                "the file has {} MiB; at most {} are read",
                size >> 20,
                MAX_COMPONENT_BYTES >> 20
            ))
            .change("build it with optimisation for size and without debug information")
    };
    if !about.is_file() {
        return Err(Card::new("plugin/unreadable", file)
            .because("this is a directory or a device, not a file")
            .change("put the component there"));
    }
    if about.len() > MAX_COMPONENT_BYTES {
        return Err(too_large(about.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
    source
        .take(MAX_COMPONENT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        return Err(too_large(bytes.len() as u64));
    }
    let digest = format!("sha256:{}", sha256_hex(&bytes));
    Ok(Read { bytes, digest })
}

/// The checks that run nothing of the plugin: outline, manifest, validity, types. Blocking.
///
/// # Errors
/// One card; its reasons are complete for the check that failed.
pub(crate) fn examine(read: &Read, file: &str) -> Result<Manifest, Card> {
    let checked = || {
        shape::diagnose(&read.bytes, file)?;
        shape::depth(&read.bytes, file)?;
        // Validity before the manifest: what follows may rely on well-formed sections.
        Validator::new_with_features(validator_features()).validate_all(&read.bytes).map_err(
            |error| {
                tracing::warn!(target: "sluice::plugin", file, %error, "invalid component");
                Card::new("plugin/invalid", file)
                    .because(format!(
                        "the component is malformed or uses a WebAssembly feature that is switched off (at byte {})",
                        error.offset()
                    ))
                    .change("build it with the tools of sluice-sdk, or copy it again")
            },
        )?;
        let manifest = Manifest::of_component(&read.bytes, file)?;
        contract::check(&read.bytes, &manifest, file)?;
        Ok(manifest)
    };
    checked().map_err(|card: Card| card.within(&format!("{file}; {}", short(&read.digest))))
}

/// Compiles and connects. Blocking, and the most expensive step.
///
/// # Errors
/// One card.
pub(crate) fn compile(
    read: &Read,
    manifest: &Manifest,
    file: &str,
    engine: &EngineHandle,
    linkers: &Linkers,
    limits: &Limits,
) -> Result<Arc<Program>, Card> {
    let place = format!("{file}; {}", short(&read.digest));
    let component = Component::from_binary(engine.engine(), &read.bytes).map_err(|error| {
        tracing::warn!(target: "sluice::plugin", file, error = format!("{error:#}"), "compile");
        Card::new("plugin/compile", manifest.subject())
            .at(&place)
            .because("the component uses something that this agent's compiler refuses")
            .change("build it with the tools of sluice-sdk; the agent's log has the details")
    })?;
    let needs = component.resources_required();
    if let Some(why) = needs.and_then(|needs| too_large_to_start(&needs, limits)) {
        return Err(Card::new("plugin/limits", manifest.subject())
            .at(&place)
            .because(why)
            .change("shrink the plugin, or grant more with limits.memory-mib"));
    }
    let program = Program::new(linkers, manifest.plugin.kind, &component).map_err(|error| {
        tracing::warn!(target: "sluice::plugin", file, error = format!("{error:#}"), "link");
        Card::new("plugin/api-mismatch", manifest.subject())
            .at(&place)
            .because(format!(
                "it does not fit together with the interfaces that a {} gets",
                kind_name(manifest.plugin.kind)
            ))
            .change("rebuild it with sluice-sdk 0.1; the agent's log has the details")
    })?;
    Ok(Arc::new(program))
}

/// `sha256:9f3c…` in a form that a person can compare.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// What follows when a plugin of this kind does not serve (plugins.md section 1).
pub(crate) fn consequence(kind: Option<PluginKind>, name: &str) -> String {
    match kind {
        Some(PluginKind::SmokeTest | PluginKind::MetricProvider) => {
            format!("no earlier version serves, checks that name \"{name}\" are inconclusive")
        }
        Some(PluginKind::ApprovalProvider) => {
            format!("no earlier version serves, approvals asked through \"{name}\" stay pending")
        }
        Some(PluginKind::TrafficStrategy) => {
            format!("no earlier version serves, rollouts with strategy \"{name}\" do not start")
        }
        Some(PluginKind::Notifier) => {
            format!("no earlier version serves, messages through \"{name}\" wait")
        }
        None => format!("no earlier version serves, whatever needs \"{name}\" holds"),
    }
}
