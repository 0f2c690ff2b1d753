//! `sluice plugin build`: from a project to a component that would be loaded.
//!
//! The language's own tools make the component. Then its manifest and the schema of its settings become
//! sections of it, and it passes the checks that need no instance, as it would in the agent.

use std::path::{Path, PathBuf};

use serde_json::json;
use sluice_core::hash::sha256_hex;
use sluice_plugins::{MAX_COMPONENT_BYTES, Manifest};

use super::anatomy::{Anatomy, MANIFEST, SCHEMA, with_section};
use super::{Language, entry, read_component, unfit};
use crate::args::PluginBuildArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

mod fresh;
mod javascript;
mod python;
mod rust;
mod tool;

/// Largest `plugin.toml` and `settings.schema.json`: what the host reads of a manifest.
const MAX_SECTION: u64 = 64 << 10;

/// What the tools of a language are told.
struct Project<'p> {
    folder: &'p Path,
    manifest: &'p Manifest,
    /// Where the component may be put.
    made: PathBuf,
}

/// A component that the agent would load, and where it lies.
pub(crate) struct Built {
    pub(crate) path: PathBuf,
    pub(crate) component: Vec<u8>,
    pub(crate) manifest: Manifest,
}

pub(crate) async fn run(args: &PluginBuildArgs, out: &mut Output) -> Result<Exit, Failure> {
    let built = build(&args.project, out).await?;
    report(&built, out)?;
    Ok(Exit::Done)
}

/// Makes the component of a project anew.
pub(crate) async fn build(folder: &Path, out: &mut Output) -> Result<Built, Failure> {
    let manifest_text = section(&folder.join("plugin.toml"))?;
    let manifest = Manifest::parse(&manifest_text, "plugin.toml")
        .map_err(|card| unfit(&folder.join("plugin.toml"), &[card]))?;
    let schema = schema(folder, &manifest)?;
    let language = Language::of(folder).ok_or_else(|| no_language(folder))?;
    let scratch = tempfile::tempdir().map_err(|error| {
        Failure::new("runtime", "no folder for the component can be made")
            .because(error.to_string())
            .change("make room in the folder for temporary files, or name another with TMPDIR")
    })?;
    let project = Project {
        folder,
        manifest: &manifest,
        made: scratch.path().join("made.wasm"),
    };
    let made = match language {
        Language::Rust => rust::build(&project, out).await?,
        Language::Javascript => javascript::build(&project, out).await?,
        Language::Python => python::build(&project, out).await?,
    };
    out.clear()?;
    let component = finished(&made, &manifest_text, schema.as_deref())?;
    let file = format!("{}.wasm", manifest.plugin.name);
    let path = in_folder(folder, &file);
    let component = checked(component, &file, &path).await?;
    write(&path, &component)?;
    Ok(Built {
        path,
        component,
        manifest,
    })
}

/// As people write it: without `./` before the name.
fn in_folder(folder: &Path, file: &str) -> PathBuf {
    if folder == Path::new(".") {
        PathBuf::from(file)
    } else {
        folder.join(file)
    }
}

/// The component of a project: the one that lies there, if nothing in the project is younger, else a new
/// one.
pub(crate) async fn current(folder: &Path, out: &mut Output) -> Result<Built, Failure> {
    let text = section(&folder.join("plugin.toml"))?;
    let manifest = Manifest::parse(&text, "plugin.toml")
        .map_err(|card| unfit(&folder.join("plugin.toml"), &[card]))?;
    let path = in_folder(folder, &format!("{}.wasm", manifest.plugin.name));
    if !fresh::is_fresh(&path, folder) {
        return build(folder, out).await;
    }
    Ok(Built {
        component: read_component(&path)?,
        path,
        manifest,
    })
}

fn report(built: &Built, out: &mut Output) -> Result<(), Failure> {
    let Built {
        path,
        component,
        manifest,
    } = built;
    let file = format!("{}.wasm", manifest.plugin.name);
    let digest = sha256_hex(component);
    let anatomy = Anatomy::of(component);
    let entry = entry::of(manifest, &file, Some(&digest));
    out.json(
        &json!({
            "file": path,
            "name": manifest.plugin.name,
            "version": manifest.plugin.version,
            "bytes": component.len(),
            "digest": format!("sha256:{digest}"),
            "imports": anatomy.imports,
            "permissions": anatomy.permissions(),
            "entry": entry,
        }),
        false,
    )?;
    out.text(&format!(
        "{}: {} {}, {} KiB, sha256:{digest}\nit may call {}\n\nin plugins.yaml, below plugins:\n\n{entry}",
        path.display(),
        manifest.plugin.name,
        manifest.plugin.version,
        component.len().div_ceil(1024),
        anatomy.permissions_text(),
    ))
}

/// A file that becomes a section.
fn section(path: &Path) -> Result<Vec<u8>, Failure> {
    let bad = |why: String| {
        Failure::new("unreadable", format!("{} cannot be used", path.display()))
            .because(why)
            .change("name the folder of a plugin; `sluice plugin new` makes one")
            .exit(Exit::NotDone)
    };
    let size = std::fs::metadata(path)
        .map_err(|e| bad(e.to_string()))?
        .len();
    if size > MAX_SECTION {
        return Err(bad(format!(
            "it has {size} bytes; {MAX_SECTION} are allowed"
        )));
    }
    std::fs::read(path).map_err(|e| bad(e.to_string()))
}

/// The schema that the manifest names, if it names one.
fn schema(folder: &Path, manifest: &Manifest) -> Result<Option<Vec<u8>>, Failure> {
    let Some(name) = &manifest.settings.schema else {
        return Ok(None);
    };
    let path = folder.join(name);
    let text = section(&path)?;
    let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text);
    object.map(|_| Some(text)).map_err(|error| {
        Failure::new(
            "unreadable",
            format!("{} is no JSON object", path.display()),
        )
        .because(error.to_string())
        .change("write a JSON Schema; in Rust, `cargo test` makes it")
        .exit(Exit::NotDone)
    })
}

fn no_language(folder: &Path) -> Failure {
    Failure::new("no-language", "it cannot be told how to build this")
        .at(folder.display().to_string())
        .because(
            "there is no Cargo.toml, package.json, plugin.py, pyproject.toml or requirements.txt",
        )
        .change("name the folder of a plugin; `sluice plugin new` makes one")
        .exit(Exit::NotDone)
}

/// The component with its sections, each once.
fn finished(path: &Path, manifest: &[u8], schema: Option<&[u8]>) -> Result<Vec<u8>, Failure> {
    let unfinished = |why: String| {
        Failure::new("build-failed", "the tools made no component")
            .at(path.display().to_string())
            .because(why)
            .exit(Exit::NotDone)
    };
    let size = std::fs::metadata(path)
        .map_err(|e| unfinished(e.to_string()))?
        .len();
    if size > MAX_COMPONENT_BYTES {
        return Err(unfinished(format!(
            "it has {size} bytes; the agent loads {MAX_COMPONENT_BYTES} at most"
        )));
    }
    let mut component = std::fs::read(path).map_err(|e| unfinished(e.to_string()))?;
    for (name, wanted) in [(MANIFEST, Some(manifest)), (SCHEMA, schema)] {
        let Some(wanted) = wanted else { continue };
        let there = Anatomy::sections(&component, name);
        match there.as_slice() {
            [] => component = with_section(&component, name, wanted),
            [same] if *same == wanted => {}
            _ => {
                return Err(unfinished(format!(
                    "it has another section \"{name}\" already, not that of this folder"
                ))
                .change(
                    "export one plugin; projects that share a target folder need names of their own",
                ));
            }
        }
    }
    Ok(component)
}

/// Load checks 1 to 3, as the agent makes them.
async fn checked(component: Vec<u8>, file: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let file = file.to_owned();
    let examined =
        tokio::task::spawn_blocking(move || sluice_plugins::examine(component, &file)).await;
    match examined {
        Ok(Ok((component, _))) => Ok(component),
        Ok(Err(cards)) => Err(Failure {
            what: "the component was built, but the agent would not load it".into(),
            ..unfit(path, &cards)
        }),
        Err(error) => {
            Err(Failure::new("internal", "the checks broke off").because(error.to_string()))
        }
    }
}

/// Whole or not at all: somebody may be watching this file.
fn write(path: &Path, component: &[u8]) -> Result<(), Failure> {
    let half = path.with_extension("wasm.half");
    std::fs::write(&half, component)
        .and_then(|()| std::fs::rename(&half, path))
        .map_err(|error| {
            Failure::new(
                "unwritable",
                format!("{} cannot be written", path.display()),
            )
            .because(error.to_string())
            .change("make room, and see whose folder it is")
        })
}
