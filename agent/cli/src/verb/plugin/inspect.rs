//! `sluice plugin inspect`: what a component is, what it may do, and what it lacks.

use std::path::Path;

use serde_json::{Value, json};
use sluice_core::hash::sha256_hex;
use sluice_plugins::{Card, Manifest, PluginsFile, gaps};

use super::anatomy::{Anatomy, SCHEMA};
use super::{Kind, entry, read_component, unfit, unreadable};
use crate::args::PluginInspectArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) async fn run(args: &PluginInspectArgs, out: &mut Output) -> Result<Exit, Failure> {
    let path = &args.plugin;
    let component = read_component(path)?;
    let file = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let shown = file.clone();
    let examined =
        tokio::task::spawn_blocking(move || sluice_plugins::examine(component, &shown)).await;
    let (component, manifest) = match examined {
        Ok(Ok(examined)) => examined,
        Ok(Err(cards)) => {
            return Err(Failure {
                what: format!("the agent would not load {}", path.display()),
                ..unfit(path, &cards)
            });
        }
        Err(error) => {
            let failure = Failure::new("internal", "the checks broke off");
            return Err(failure.because(error.to_string()));
        }
    };
    let seen = Seen {
        digest: sha256_hex(&component),
        bytes: component.len(),
        anatomy: Anatomy::of(&component),
        schema: schema(&component),
        entry: None,
        missing: None,
        manifest,
        file,
    };
    let seen = match &args.plugins_config {
        Some(config) => against(config, seen)?,
        None => Seen {
            entry: Some(entry::of(&seen.manifest, &seen.file, Some(&seen.digest))),
            ..seen
        },
    };
    out.json(&seen.document(), false)?;
    out.text(&seen.text())?;
    Ok(Exit::Done)
}

/// All that is told of one component.
struct Seen {
    file: String,
    digest: String,
    bytes: usize,
    anatomy: Anatomy,
    manifest: Manifest,
    schema: Option<Value>,
    /// The whole entry to paste, where there is none.
    entry: Option<String>,
    /// What an entry that is there lacks.
    missing: Option<Vec<Card>>,
}

/// The schema of its settings, where it brings one.
fn schema(component: &[u8]) -> Option<Value> {
    let sections = Anatomy::sections(component, SCHEMA);
    serde_json::from_slice(sections.first()?).ok()
}

/// Compares with the operator's file: an entry of this name, or none yet.
fn against(path: &Path, seen: Seen) -> Result<Seen, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, &e.to_string()))?;
    let file = PluginsFile::parse(&text).map_err(|card| unfit(path, &[card]))?;
    let name = &seen.manifest.plugin.name;
    Ok(
        match file.plugins.iter().find(|entry| entry.name == *name) {
            Some(found) => Seen {
                missing: Some(gaps(&seen.manifest, found)),
                ..seen
            },
            None => Seen {
                entry: Some(entry::of(&seen.manifest, &seen.file, Some(&seen.digest))),
                ..seen
            },
        },
    )
}

impl Seen {
    fn document(&self) -> Value {
        let missing = self.missing.as_ref().map(|cards| {
            let of_card =
                |card: &Card| json!({"code": card.code, "why": card.why, "change": card.change});
            cards.iter().map(of_card).collect::<Vec<_>>()
        });
        json!({
            "file": self.file,
            "name": self.manifest.plugin.name,
            "version": self.manifest.plugin.version,
            "kind": Kind::from(self.manifest.plugin.kind).name(),
            "digest": format!("sha256:{}", self.digest),
            "bytes": self.bytes,
            "permissions": self.anatomy.permissions(),
            "imports": self.anatomy.imports,
            "exports": self.anatomy.exports,
            "manifest": self.manifest,
            "settingsSchema": self.schema,
            "entry": self.entry,
            "missing": missing,
        })
    }

    fn text(&self) -> String {
        let plugin = &self.manifest.plugin;
        let mut lines = vec![format!(
            "{} {}: a {}, {} KiB",
            plugin.name,
            plugin.version,
            Kind::from(plugin.kind).name(),
            self.bytes.div_ceil(1024)
        )];
        lines.extend(plugin.description.clone());
        lines.push(String::new());
        lines.push(format!("digest     sha256:{}", self.digest));
        lines.push(format!("may call   {}", self.anatomy.permissions_text()));
        lines.push(format!("offers     {}", self.anatomy.exports.join(", ")));
        lines.push(format!("limits     {}", limits(&self.manifest)));
        for (name, target) in &self.manifest.http.targets {
            let of =
                |list: &Option<Vec<String>>| list.as_ref().map_or("any".into(), |l| l.join(" "));
            let mut line = format!("asks for   {name}");
            if !target.hosts.is_empty() {
                line += &format!(" at {}", target.hosts.join(", "));
            }
            line += &format!(": {} of {}", of(&target.methods), of(&target.paths));
            if !target.secrets.is_empty() {
                line += &format!(", with the secrets {}", target.secrets.join(", "));
            }
            lines.push(line);
        }
        lines.extend(self.schema.as_ref().map(settings));
        if let Some(entry) = &self.entry {
            lines.push(format!("\nin plugins.yaml, below plugins:\n\n{entry}"));
        }
        match self.missing.as_deref() {
            None => {}
            Some([]) => lines.push("\nits entry grants all that it asks for".into()),
            Some(cards) => {
                lines.push("\nits entry lacks:".into());
                lines.extend(cards.iter().map(ToString::to_string));
            }
        }
        lines.join("\n")
    }
}

fn limits(manifest: &Manifest) -> String {
    let asked = &manifest.limits;
    let figures = [
        (asked.memory_mib, "MiB"),
        (asked.cpu_ms, "ms of CPU"),
        (asked.wall_ms, "ms in all"),
        (asked.requests, "requests"),
    ];
    let told: Vec<String> = figures
        .iter()
        .filter_map(|(figure, unit)| figure.map(|figure| format!("{figure} {unit}")))
        .collect();
    if told.is_empty() {
        "the usual ones".into()
    } else {
        told.join(", ")
    }
}

/// The settings by name, with what the schema says of each.
fn settings(schema: &Value) -> String {
    let required = schema.get("required").and_then(Value::as_array);
    let properties = schema.get("properties").and_then(Value::as_object);
    let lines: Vec<String> = properties
        .into_iter()
        .flatten()
        .map(|(name, about)| {
            let word = |key: &str| about.get(key).and_then(Value::as_str).unwrap_or_default();
            let needed = required.is_some_and(|names| names.iter().any(|n| n == name.as_str()));
            let default = match about.get("default") {
                _ if needed => ", required".to_owned(),
                Some(value) => format!(", default {value}"),
                None => String::new(),
            };
            format!(
                "settings   {name} ({}{default}): {}",
                word("type"),
                word("description")
            )
        })
        .collect();
    lines.join("\n")
}
