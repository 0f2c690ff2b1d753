//! Commands that documents promise are there, and CI runs what the README says.

use std::collections::BTreeSet;

use regex::Regex;

use crate::{manifests, markdown, tree};

fn targets() -> BTreeSet<String> {
    let target = Regex::new(r"(?m)^([a-z][a-z0-9-]*):").unwrap();
    target
        .captures_iter(&tree::read("Makefile"))
        .map(|c| c[1].to_owned())
        .collect()
}

#[test]
fn every_make_command_in_a_document_exists() {
    // In `code` or in a block; not "make sure".
    let command = Regex::new(r"(?m)(?:`|^\s*(?:\$ )?)make ([a-z0-9-]+)").unwrap();
    let targets = targets();
    let mut found = Vec::new();
    for document in tree::ending(".md") {
        for line in tree::read(&document).lines() {
            for used in command.captures_iter(line) {
                if !targets.contains(&used[1]) {
                    found.push(format!("{document}: make {}", &used[1]));
                }
            }
        }
    }
    tree::none(&found, "the Makefile does not have these:");
}

#[test]
fn make_help_explains_every_target() {
    let makefile = tree::read("Makefile");
    let explained = Regex::new(r"(?m)^([a-z][a-z0-9-]*):.* ## \S").unwrap();
    let explained: BTreeSet<String> = explained
        .captures_iter(&makefile)
        .map(|c| c[1].to_owned())
        .collect();
    let own = BTreeSet::from(["wasm-target".to_owned()]); // a step of others
    let silent: Vec<String> = targets()
        .difference(&explained)
        .filter(|t| !own.contains(*t))
        .cloned()
        .collect();
    tree::none(&silent, "add ## and what it does:");
}

#[test]
fn make_builds_every_plugin() {
    let makefile = tree::read("Makefile");
    let list = |name: &str| -> BTreeSet<String> {
        let line = Regex::new(&format!(r"(?m)^{name} := (.*)$")).unwrap();
        line.captures(&makefile).unwrap()[1]
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    let there: BTreeSet<String> = manifests::members()
        .into_iter()
        .filter(|member| member.folder.starts_with("plugins/"))
        .map(|member| member.package)
        .collect();
    assert_eq!(list("PLUGINS"), there);
    let fixtures = [
        "hostile",
        "hostile-approver",
        "hostile-measurer",
        "hostile-strategist",
    ]
    .map(str::to_owned);
    assert_eq!(list("FIXTURES"), BTreeSet::from(fixtures));
}

/// `.ci/run` takes the first block after this mark, and runs it as it stands.
#[test]
fn the_readme_marks_the_command_that_ci_runs() {
    let readme = tree::read("README.md");
    let mark = "<!-- ci:test -->";
    assert_eq!(
        readme.matches(mark).count(),
        1,
        "the README has the mark {mark} once"
    );
    let (_, after) = readme.split_once(mark).unwrap();
    let block = &markdown::blocks(after)[0];
    assert_eq!(block.language, "sh");
    assert!(
        block.lines.iter().any(|line| line.starts_with("make test")),
        "{:?}",
        block.lines
    );
    assert!(tree::read(".ci/run").contains("readme_test_command"));
}

#[test]
fn ci_hides_no_failure() {
    let ci = tree::read(".ci/run");
    assert!(ci.contains("set -euo pipefail"));
    let hidden = Regex::new(r"\|\|\s*(true|:)|\bset \+e\b|--no-fail-fast|\bretry\b").unwrap();
    let found: Vec<&str> = hidden.find_iter(&ci).map(|m| m.as_str()).collect();
    assert!(found.is_empty(), ".ci/run: {found:?}");
}
