//! What the plugins' own pages say: the grant to paste is read, and the component loads under it;
//! the index names every plugin, its kind and its size.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sluice_plugins::{Manifest, PluginsFile};

use crate::support::{Folder, built};

/// By how much a size in the index may differ from what was built: compilers change.
const TOLERANCE: f64 = 0.25;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}

/// Every first-party plugin: its folder's name and its manifest.
fn plugins() -> BTreeMap<String, Manifest> {
    let found: BTreeMap<String, Manifest> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().join("plugin.toml"))
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.parent().unwrap().file_name().unwrap();
            let name = name.to_str().unwrap().to_owned();
            let text = std::fs::read(&path).unwrap();
            let manifest = Manifest::parse(&text, &name).unwrap();
            (name, manifest)
        })
        .collect();
    assert!(found.len() >= 11, "{:?}", found.keys());
    found
}

fn read(path: &str) -> String {
    let path = folder().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is missing", path.display()))
}

/// The part of a page that is to be pasted into `plugins.yaml`: from the line `plugins:` to the end
/// of its block.
fn to_paste(page: &str) -> Option<String> {
    let lines = page.lines().skip_while(|line| *line != "plugins:");
    let block: Vec<&str> = lines.take_while(|line| !line.starts_with("```")).collect();
    (!block.is_empty()).then(|| block.join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_has_a_grant_under_which_its_plugin_loads_without_a_problem() {
    for (name, manifest) in plugins() {
        let page = read(&format!("{name}/README.md"));
        let text = to_paste(&page)
            .unwrap_or_else(|| panic!("plugins/{name}/README.md has no block with `plugins:`"));
        let file = PluginsFile::parse(&text).unwrap_or_else(|card| panic!("{name}: {card}"));
        assert_eq!(file.plugins.len(), 1, "{name}");
        assert_eq!(file.plugins[0].name, name);
        assert_eq!(
            manifest.plugin.name, name,
            "the folder's name is the plugin's"
        );
        let component = file.plugins[0].source.file.clone().unwrap();
        let host = Folder::new()
            .plugin(&name.replace('-', "_"), &component)
            .file("plugins.yaml", &text)
            .host()
            .await;
        assert_eq!(host.problems(), [], "{name}");
        let served: Vec<String> = sluice_core::port::PluginHost::catalog(&host)
            .into_iter()
            .map(|info| info.name)
            .collect();
        assert_eq!(served, [name]);
    }
}

#[test]
fn the_index_names_every_plugin_with_its_kind_and_size() {
    let index = read("README.md");
    let rows: BTreeMap<&str, Vec<&str>> = index
        .lines()
        .filter_map(|line| line.strip_prefix("| ["))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let (name, link) = cells[0].split_once("](").unwrap();
            assert_eq!(link, format!("{name}/README.md)"));
            (name, cells)
        })
        .collect();
    let plugins = plugins();
    assert!(
        rows.keys().eq(plugins.keys()),
        "plugins/README.md has {:?}, the folder {:?}",
        rows.keys(),
        plugins.keys()
    );
    for (name, manifest) in plugins {
        let cells = &rows[name.as_str()];
        let kind = serde_json::to_value(manifest.plugin.kind).unwrap();
        assert_eq!(cells[1], kind, "{name}");
        let told: f64 = cells[3].strip_suffix(" KB").unwrap().parse().unwrap();
        let bytes = std::fs::metadata(built(&name.replace('-', "_")))
            .unwrap()
            .len();
        let size = bytes as f64 / 1_000.0;
        assert!(
            (told - size).abs() <= size * TOLERANCE,
            "plugins/README.md says {told} KB of {name}; it has {size:.0} KB"
        );
    }
}
