//! One idea a file, found by its name.

use crate::tree;

/// Lines. A longer file argues at its head.
const LIMIT: usize = 600;
/// The words of that argument, within the first lines.
const ARGUMENT: &str = "past 600 lines because";
const HEAD: usize = 40;
/// Lines: the median file is not longer.
const MEDIAN: usize = 180;

/// Names that say nothing about what is inside. `mod.rs` is `name.rs` beside `name/`.
const EMPTY_NAMES: [&str; 9] = [
    "common", "helper", "helpers", "manager", "misc", "mod", "stuff", "util", "utils",
];

fn lengths() -> Vec<(usize, String)> {
    let lines = |path: String| (tree::read(&path).lines().count(), path);
    let mut all: Vec<_> = tree::ending(".rs").into_iter().map(lines).collect();
    all.sort();
    all
}

#[test]
fn no_file_is_long_without_an_argument() {
    let found: Vec<String> = lengths()
        .into_iter()
        .filter(|(lines, _)| *lines > LIMIT)
        .filter(|(_, path)| {
            !tree::read(path)
                .lines()
                .take(HEAD)
                .any(|line| line.contains(ARGUMENT))
        })
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    tree::none(
        &found,
        "split by idea, or say at the head: \"past 600 lines because …\":",
    );
}

#[test]
fn the_median_file_is_short() {
    let all = lengths();
    let (median, _) = all[all.len() / 2];
    assert!(
        median <= MEDIAN,
        "the median of {} files is {median} lines",
        all.len()
    );
}

#[test]
fn names_say_what_is_inside() {
    let found: Vec<String> = tree::ending(".rs")
        .into_iter()
        .filter(|path| {
            path.trim_end_matches(".rs")
                .split('/')
                .any(|part| EMPTY_NAMES.contains(&part))
        })
        .collect();
    tree::none(&found, "name the idea:");
}

#[test]
fn nothing_built_is_committed() {
    let built = [".wasm", ".cwasm", ".so", ".o", ".a", ".tar", ".gz", ".zip"];
    let found: Vec<String> = tree::files()
        .into_iter()
        .filter(|path| built.iter().any(|end| path.ends_with(end)))
        .collect();
    tree::none(&found, "what can be built is built from source:");
}
