//! Which files a folder wants to have served: those of `plugins.yaml`, or all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use super::Folders;
use crate::artifact::ArtifactRef;
use crate::artifact::fetch::Order;
use crate::card::Card;
use crate::load;
use crate::manifest::Manifest;
use crate::operator::{FILE_NAME, MAX_FILE_BYTES, MAX_PLUGINS, PluginEntry, PluginsFile};

/// One component to serve. Its bytes are read when its turn comes: one file in memory at a time.
pub(super) struct Wanted {
    pub(super) entry: PluginEntry,
    /// The file, or the reference.
    pub(super) file: String,
    pub(super) place: String,
    pub(super) origin: Origin,
}

/// Where a component comes from.
pub(super) enum Origin {
    Folder,
    Registry(Order),
    /// From a registry, by rules that cannot be applied.
    Unruled(Card),
}

/// Reads `plugins.yaml` and every file that it names; without it, every `*.wasm`. Blocking.
pub(super) fn read_folder(
    folders: &Folders,
    had_file: bool,
    known: &BTreeMap<String, String>,
) -> Result<(Vec<Wanted>, bool), Card> {
    let card = |why: String, change: &str| {
        Card::new("plugin/config-unreadable", FILE_NAME)
            .at(folders.to_string())
            .because(why)
            .change(change)
    };
    let text = match std::fs::File::open(folders.holding(FILE_NAME).join(FILE_NAME)) {
        Ok(file) => {
            let mut text = String::new();
            file.take(MAX_FILE_BYTES + 1)
                .read_to_string(&mut text)
                .map_err(|error| {
                    card(
                        format!("it cannot be read: {}", error.kind()),
                        "save it as UTF-8 text",
                    )
                })?;
            if text.len() as u64 > MAX_FILE_BYTES {
                return Err(card("it is larger than 1 MiB".to_owned(), "shorten it"));
            }
            Some(text)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && had_file => {
            return Err(card(
                "the file is gone; without it every pin and grant would be lost".to_owned(),
                "put it back, or restart the agent to go on without it",
            ));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(card(
                format!("it cannot be read: {}", error.kind()),
                "make it readable",
            ));
        }
    };
    match text {
        Some(text) => Ok((from_file(PluginsFile::parse(&text)?, folders), true)),
        None => Ok((bare(folders, known)?, false)),
    }
}

fn from_file(file: PluginsFile, folders: &Folders) -> Vec<Wanted> {
    file.plugins
        .into_iter()
        .enumerate()
        .map(|(index, entry)| {
            let place = format!("{FILE_NAME}, plugins[{index}]");
            let (file, origin) = match &entry.source.oci {
                Some(reference) => (reference.clone(), registry(&entry, reference, folders)),
                // An entry without either was refused when the operator's file was parsed.
                None => (
                    entry.source.file.clone().unwrap_or_default(),
                    Origin::Folder,
                ),
            };
            Wanted {
                entry,
                file,
                place,
                origin,
            }
        })
        .collect()
}

/// What is to be pulled, and by which rule. Files of keys are read here, with the folder.
fn registry(entry: &PluginEntry, reference: &str, folders: &Folders) -> Origin {
    let card = |why: Vec<String>| {
        Card::new("plugin/verify-invalid", reference)
            .because_of(why)
            .change("correct verify, or put the key there")
    };
    let at = match ArtifactRef::parse(reference) {
        Ok(at) => at,
        Err(why) => return Origin::Unruled(card(vec![why])),
    };
    match entry
        .verify
        .clone()
        .unwrap_or_default()
        .rule(|file| folders.holding(file))
    {
        Ok(rule) => Origin::Registry(Order { at, rule }),
        Err(faults) => {
            let named = |fault: String| format!("verify{fault}");
            Origin::Unruled(card(faults.into_iter().map(named).collect()))
        }
    }
}

fn bare(folders: &Folders, known: &BTreeMap<String, String>) -> Result<Vec<Wanted>, Card> {
    let unreadable = |error: std::io::Error| {
        Card::new("plugin/folder-unreadable", "the plugins folder")
            .at(folders.to_string())
            .because(format!("it cannot be listed: {}", error.kind()))
            .change("create it, readable for the agent")
    };
    let mut files = BTreeSet::new();
    for folder in folders.all() {
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            match name.into_string() {
                Ok(name) if name.ends_with(".wasm") && !name.starts_with('.') => {
                    files.insert(name);
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
    if files.len() > MAX_PLUGINS {
        return Err(Card::new("plugin/folder-unreadable", "the plugins folder")
            .at(folders.to_string())
            .because(format!(
                "it holds {} plugins; at most {MAX_PLUGINS} are served",
                files.len()
            ))
            .change("remove some"));
    }
    Ok(files
        .into_iter()
        .map(|file| {
            let own_name = load::read(folders.holding(&file), &file)
                .ok()
                .and_then(|read| Manifest::of_component(&read.bytes, &file).ok())
                .map(|manifest| manifest.plugin.name);
            let stem = file.trim_end_matches(".wasm").to_owned();
            let name = own_name
                .or_else(|| known.get(&file).cloned())
                .unwrap_or(stem);
            let place = format!("{FILE_NAME} (there is none; nothing is granted)");
            Wanted {
                entry: PluginEntry::bare(&name, &file),
                place,
                file,
                origin: Origin::Folder,
            }
        })
        .collect())
}
