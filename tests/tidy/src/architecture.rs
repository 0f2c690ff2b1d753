//! ARCHITECTURE.md promises only what a test holds.

use regex::Regex;

use crate::tree;

/// How a document names a test.
const LINK: &str = r"\[`([a-z0-9_]+)`\]\(([^)]+\.rs)\)";

/// One promise, and the tests that it names.
struct Invariant {
    text: String,
    tests: Vec<(String, String)>,
}

/// The paragraphs of ARCHITECTURE.md that make a promise.
fn invariants() -> Vec<Invariant> {
    let link = Regex::new(LINK).unwrap();
    tree::read("ARCHITECTURE.md")
        .split("\n\n")
        .filter(|paragraph| paragraph.contains("Architecture Invariant:"))
        .map(|paragraph| Invariant {
            text: paragraph.trim().to_owned(),
            tests: link
                .captures_iter(paragraph)
                .map(|found| (found[1].to_owned(), found[2].to_owned()))
                .collect(),
        })
        .collect()
}

/// Whether the file has a test of this name.
fn is_test(path: &str, name: &str) -> bool {
    let test = format!(
        r"(?m)^[ \t]*#\[(tokio::)?test(\([^)]*\))?\]\n(?:[ \t]*(?:#\[.*|///?.*)\n)*[ \t]*(async )?fn {name}\("
    );
    tree::exists(path) && Regex::new(&test).unwrap().is_match(&tree::read(path))
}

#[test]
fn every_invariant_names_the_test_that_holds_it() {
    let mut found = Vec::new();
    for Invariant { text, tests } in invariants() {
        let first: String = text.chars().take(90).collect();
        if !text.starts_with("**Architecture Invariant:** ") {
            found.push(format!(
                "{first}…: does not begin with **Architecture Invariant:**"
            ));
        }
        if tests.is_empty() {
            found.push(format!("{first}…: names no test as [`name`](path.rs)"));
        }
        for (name, path) in tests {
            if !is_test(&path, &name) {
                found.push(format!("{first}…: there is no test {name} in {path}"));
            }
        }
    }
    tree::none(&found, "ARCHITECTURE.md:");
    assert!(invariants().len() >= 10, "the design has ten");
}

/// The README and the others promise no more.
#[test]
fn every_test_that_a_document_names_exists() {
    let link = Regex::new(LINK).unwrap();
    let mut found = Vec::new();
    for document in tree::ending(".md") {
        for named in link.captures_iter(&tree::read(&document)) {
            let path = format!("{}/{}", tree::folder(&document), &named[2]);
            if !is_test(path.trim_start_matches('/'), &named[1]) {
                found.push(format!(
                    "{document}: there is no test {} in {}",
                    &named[1], &named[2]
                ));
            }
        }
    }
    tree::none(&found, "a link such as [`name`](path.rs) names a test:");
}

/// Every crate has its place on the map.
#[test]
fn the_map_shows_every_crate() {
    let text = tree::read("ARCHITECTURE.md");
    let found: Vec<String> = crate::manifests::members()
        .into_iter()
        .map(|member| member.folder)
        .filter(|folder| !text.contains(&format!("`{folder}`")))
        .collect();
    tree::none(&found, "ARCHITECTURE.md does not say what these are for:");
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    let here = "tests/tidy/src/architecture.rs";
    assert!(is_test(
        here,
        "every_invariant_names_the_test_that_holds_it"
    ));
    assert!(is_test(
        "tests/scenarios/tests/crash.rs",
        "any_single_fault_in_the_good_story_changes_nothing"
    ));
    assert!(!is_test(here, "invariants"));
    assert!(!is_test(here, "no_such_test"));
    assert!(!is_test("tests/no_such_file.rs", "x"));
}
