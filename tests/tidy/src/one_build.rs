//! One build serves the demo and the tests: who ran `make demo` waits for the tests alone.

use std::collections::BTreeSet;
use std::process::Command;

use crate::tree;

/// Each package with the features that it is built with, for these kinds of edges.
fn packages(edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(tree::root())
        .args([
            "tree",
            "--workspace",
            "--locked",
            "--offline",
            "--prefix",
            "none",
            "--no-dedupe",
        ])
        .args(["--edges", edges, "--format", "{p} [{f}]"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// A dependency of tests can turn on a feature of a crate that the agent uses too. Everything above
/// that crate is then compiled a second time for the tests. The remedy is to name the feature in a
/// line that both builds read: Cargo.toml of this crate.
#[test]
fn tests_turn_on_no_feature_that_the_demo_is_built_without() {
    let demo = packages("normal,build");
    let tests = packages("normal,build,dev");
    let found: Vec<String> = demo.difference(&tests).cloned().collect();
    assert!(demo.len() > 100, "cargo tree shows the tree");
    tree::none(
        &found,
        "built with these features for the demo, and with others for the tests:",
    );
}
