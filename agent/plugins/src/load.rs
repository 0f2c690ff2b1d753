//! From the bytes of a file to a program that can be called, or to error cards (plugins.md section
//! 6). One read serves digest, checks and compiler, so nothing can change in between.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sluice_core::hash::sha256_hex;
use sluice_core::plugin::PluginKind;
use wasmparser::Validator;
use wasmtime::ResourcesRequired;

use crate::card::Card;
use crate::compile::Workshop;
use crate::engine::validator_features;
use crate::limits::{Limits, MAX_COMPONENT_BYTES, too_large_to_start};
use crate::manifest::{Manifest, kind_name};
use crate::world::{Linkers, Program};

pub(crate) mod contract;
pub(crate) mod shape;

/// Files whose examination is remembered. A manifest has a few KiB.
const MAX_REMEMBERED: usize = 128;

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

/// What the outside of a component tells.
#[derive(Clone)]
pub(crate) struct Examined {
    pub(crate) manifest: Manifest,
    /// Where it does not fit the contract. Whoever reads them wants the missing grants beside them, in
    /// one report.
    pub(crate) misfits: Vec<Card>,
}

/// The checks that run nothing of the plugin: outline, validity, manifest, types. Blocking.
///
/// # Errors
/// One card, of the first check without which the next would mean nothing.
pub(crate) fn examine(read: &Read, file: &str) -> Result<Examined, Card> {
    let place = format!("{file}; {}", short(&read.digest));
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
        let misfits = contract::check(&read.bytes, &manifest, file)?
            .into_iter()
            .map(|card| card.within(&place))
            .collect();
        Ok(Examined { manifest, misfits })
    };
    checked().map_err(|card: Card| card.within(&place))
}

/// [`examine`], or what it said about the same bytes before, in this process.
///
/// # Errors
/// As [`examine`].
pub(crate) async fn examined(read: &Arc<Read>, file: &str) -> Result<Examined, Card> {
    static PASSED: Mutex<BTreeMap<String, Manifest>> = Mutex::new(BTreeMap::new());
    let passed = || PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(manifest) = passed().get(&read.digest).cloned() {
        let misfits = Vec::new();
        return Ok(Examined { manifest, misfits });
    }
    let (bytes, of_file) = (read.clone(), file.to_owned());
    let examined = tokio::task::spawn_blocking(move || examine(&bytes, &of_file))
        .await
        .unwrap_or_else(|_| {
            Err(Card::new("plugin/invalid", file)
                .at(short(&read.digest))
                .because("the component made a tool within the agent fail")
                .change("report the file; the agent's log has the details"))
        })?;
    if examined.misfits.is_empty() {
        let mut passed = passed();
        if passed.len() >= MAX_REMEMBERED {
            passed.clear();
        }
        passed.insert(read.digest.clone(), examined.manifest.clone());
    }
    Ok(examined)
}

/// Why there is no program.
pub(crate) struct Unloaded {
    pub(crate) card: Card,
    /// Whether the same file may load later: the machine may have been the cause.
    pub(crate) may_pass: bool,
}

/// What loading needs, and what serves already.
pub(crate) struct Loader {
    linkers: Linkers,
    workshop: Workshop,
    /// By digest: the same component under several names is there once.
    programs: Mutex<BTreeMap<String, Kept>>,
}

struct Kept {
    program: Weak<Program>,
    needs: Option<ResourcesRequired>,
}

impl Loader {
    pub(crate) fn new(linkers: Linkers, workshop: Workshop) -> Loader {
        Loader {
            linkers,
            workshop,
            programs: Mutex::default(),
        }
    }

    /// Compiles and connects, the most expensive step; or finds that it serves already.
    ///
    /// # Errors
    /// One card.
    pub(crate) async fn program(
        &self,
        read: &Arc<Read>,
        manifest: &Manifest,
        file: &str,
        limits: &Limits,
    ) -> Result<Arc<Program>, Unloaded> {
        let place = format!("{file}; {}", short(&read.digest));
        let lasting = |card: Card| Unloaded {
            card: card.at(&place),
            may_pass: false,
        };
        let fits = |needs: Option<&ResourcesRequired>| {
            let why = needs.and_then(|needs| too_large_to_start(needs, limits));
            why.map_or(Ok(()), |why| {
                Err(lasting(
                    Card::new("plugin/limits", manifest.subject())
                        .because(why)
                        .change("shrink the plugin, or grant more with limits.memory-mib"),
                ))
            })
        };
        let serving = self.programs().get(&read.digest).and_then(|kept| {
            let program = kept.program.upgrade()?;
            Some(fits(kept.needs.as_ref()).map(|()| program))
        });
        if let Some(serving) = serving {
            return serving;
        }
        let component = self
            .workshop
            .component(read, file)
            .await
            .map_err(|failure| Unloaded {
                card: failure
                    .card(&manifest.subject(), self.workshop.allowed())
                    .at(&place),
                may_pass: failure.may_pass(),
            })?;
        let needs = component.resources_required();
        fits(needs.as_ref())?;
        let kind = manifest.plugin.kind;
        let program = Program::new(&self.linkers, kind, &component).map_err(|error| {
            tracing::warn!(target: "sluice::plugin", file, error = format!("{error:#}"), "link");
            lasting(
                Card::new("plugin/api-mismatch", manifest.subject())
                    .because(format!(
                        "it does not fit together with the interfaces that a {} gets",
                        kind_name(kind)
                    ))
                    .change("rebuild it with sluice-sdk 0.1; the agent's log has the details"),
            )
        })?;
        let program = Arc::new(program);
        let mut programs = self.programs();
        programs.retain(|_, kept| kept.program.strong_count() > 0);
        programs.insert(
            read.digest.clone(),
            Kept {
                program: Arc::downgrade(&program),
                needs,
            },
        );
        Ok(program)
    }

    fn programs(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
