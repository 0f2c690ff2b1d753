//! Imports point downwards only.
//!
//! ```text
//!  cli
//!   │
//!  web ── controller
//!             │
//!          cluster   registry   plugins        sdk ── plugins/*      tests/sim   tests/registry
//!             └─────────┼──────────┘            (share wit/ with agent/plugins, and no code)
//!                      core
//! ```

use crate::{manifests, tree};

/// Which of our crates each crate may need to be built. Absent: none.
const MAY_IMPORT: [(&str, &[&str]); 8] = [
    ("agent/cluster", &["sluice-core"]),
    ("agent/registry", &["sluice-core"]),
    ("agent/plugins", &["sluice-core"]),
    // Not the registry and not the plugin host: it reaches both through the ports of the core.
    ("agent/controller", &["sluice-core", "sluice-cluster"]),
    (
        "agent/web",
        &["sluice-core", "sluice-cluster", "sluice-controller"],
    ),
    (
        "agent/cli",
        &[
            "sluice-core",
            "sluice-cluster",
            "sluice-registry",
            "sluice-plugins",
            "sluice-controller",
            "sluice-web",
            // The form of a plugin's test cases, which it plays.
            "sluice-case",
        ],
    ),
    // The same form, which the SDK plays natively.
    ("sdk", &["sluice-case"]),
    // The sample writes its own images.
    ("tests/sample", &["sluice-image"]),
];

/// What the tests of the agent's crates may stand them before: a simulated world, and its stories.
const FOR_TESTS: [&str; 3] = ["sluice-registry-sim", "sluice-scenarios", "sluice-sim"];

/// Crates of tests that play the agent, or judge it.
const STAGES: [&str; 8] = [
    "tests/bench",
    "tests/charts",
    "tests/demo",
    "tests/e2e",
    "tests/fuzz",
    "tests/reference",
    "tests/scenarios",
    "tests/tidy",
];

#[test]
fn imports_point_downwards_only() {
    let members = manifests::members();
    let ours: Vec<String> = members.iter().map(|m| m.package.clone()).collect();
    let mut found = Vec::new();
    for member in members
        .iter()
        .filter(|m| !STAGES.contains(&m.folder.as_str()))
    {
        let mut allowed: Vec<&str> = MAY_IMPORT
            .iter()
            .find(|(folder, _)| *folder == member.folder)
            .map(|(_, crates)| crates.to_vec())
            .unwrap_or_default();
        if member.folder.starts_with("plugins/") {
            allowed.push("sluice-sdk");
        }
        let mut judge = |names: Vec<&String>, allowed: &[&str]| {
            for name in names {
                if ours.contains(name) && !allowed.contains(&name.as_str()) {
                    found.push(format!("{} imports {name}", member.folder));
                }
            }
        };
        judge(member.dependencies.keys().collect(), &allowed);
        if member.folder.starts_with("agent/") && member.folder != "agent/core" {
            allowed.extend(FOR_TESTS);
        }
        judge(member.dev_dependencies.keys().collect(), &allowed);
    }
    tree::none(
        &found,
        "imports point downwards only (ARCHITECTURE.md, the map):",
    );
}

#[test]
fn every_row_of_the_layers_is_a_crate() {
    let members = manifests::members();
    let folders: Vec<&str> = members.iter().map(|m| m.folder.as_str()).collect();
    let packages: Vec<&str> = members.iter().map(|m| m.package.as_str()).collect();
    for (folder, crates) in MAY_IMPORT {
        assert!(folders.contains(&folder), "{folder}");
        assert!(
            crates.iter().all(|name| packages.contains(name)),
            "{folder}: {crates:?}"
        );
    }
    assert!(STAGES.iter().all(|folder| folders.contains(folder)));
    assert!(FOR_TESTS.iter().all(|name| packages.contains(name)));
}
