//! Documents speak of the project, not of the machine on which it was written.

use regex::Regex;

use crate::{code, tree};

/// These rules name what they look for.
const OURSELVES: &str = "tests/tidy/";

#[test]
fn no_path_of_a_machine_stands_in_the_tree() {
    // Split, so that this line is not its own finding.
    let anywhere = Regex::new(concat!(r"(^|[^A-Za-z0-9_.])/(wo", r"rk|ro", r"ot)/")).unwrap();
    let home = Regex::new(r"(^|[^A-Za-z0-9_.])/(home|Users)/[a-z]").unwrap();
    let temporary = Regex::new(r"(^|[^A-Za-z0-9_.])/tmp\b").unwrap();
    let mut found = Vec::new();
    for path in tree::files() {
        let text_file = [
            ".rs", ".md", ".toml", ".yaml", ".yml", ".json", ".wit", ".html", ".js",
        ]
        .iter()
        .any(|end| path.ends_with(end))
            || ["Makefile", "run"].contains(&tree::name(&path));
        if !text_file || path.starts_with(OURSELVES) {
            continue;
        }
        let text = tree::read(&path);
        found.extend(code::places(&path, &text, &anywhere));
        found.extend(code::places(&path, &text, &home));
        if path.ends_with(".md") {
            found.extend(code::places(&path, &text, &temporary));
        }
    }
    tree::none(&found, "paths of somebody's machine:");
}

#[test]
fn the_changelog_has_the_version_of_the_workspace() {
    let manifest = tree::read("Cargo.toml");
    let version = Regex::new(r#"(?m)^version = "([0-9.]+)"$"#).unwrap();
    let version = &version.captures(&manifest).unwrap()[1];
    assert!(
        tree::read("CHANGELOG.md").contains(&format!("## {version}")),
        "CHANGELOG.md has no heading for {version}"
    );
}
