//! From a file and kept code to a plugin that serves.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use sluice_core::port::PluginHost as _;
use sluice_plugins::Host;

use crate::language::Language;
use crate::stage::{Stage, options};
use crate::table::{Figure, Table, percentile};

/// Loads that the median is taken of.
const LOADS: usize = 20;
const TARGET: Duration = Duration::from_millis(10);

/// A second host over the same folder and cache, in the same process: the seal's key is this process's.
pub(crate) fn measure(language: Language, component: &Path, table: &mut Table) {
    let stage = Stage::new(component, 1, &json!({}));
    let empty = tempfile::tempdir().unwrap();
    let opened = |folder: &Path, plugins: usize| {
        let begun = Instant::now();
        let host = stage
            .runtime
            .block_on(Host::open(folder, options(stage.folder.path())))
            .unwrap();
        assert_eq!(host.catalog().len(), plugins);
        begun.elapsed()
    };
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..LOADS {
        with.push(opened(stage.folder.path(), 1));
        without.push(opened(empty.path(), 0));
    }
    // What a host costs that has nothing to load is no part of the load.
    let took = percentile(&mut with, 50).saturating_sub(percentile(&mut without, 50));
    table.at_most(
        format!("{language}: load from kept code"),
        Figure::Time(took),
        Figure::Time(TARGET),
        language == Language::Rust,
    );
}
