//! The cuts between deciding, doing and judging: each side cannot even name the other's tools.

use regex::Regex;

use crate::{code, manifests, tree};

fn shipped_under(folder: &str) -> Vec<(String, String)> {
    tree::ending(".rs")
        .into_iter()
        .filter(|path| path.starts_with(folder))
        .filter_map(|path| code::shipped(&path).map(|code| (path, code)))
        .collect()
}

/// The executor carries out; it has nothing to choose by.
#[test]
fn the_cluster_crate_cannot_name_what_decides() {
    let tools = Regex::new(
        r"\b(policy|authorize|admit|window|schedule|plan|trigger)::\w+|\b(decide|now|authorize)\(",
    )
    .unwrap();
    // Whose name stands in an object is no decision.
    let names = ["policy::Identity", "policy::IdentityProvider"];
    let found: Vec<String> = shipped_under("agent/cluster/src/")
        .iter()
        .flat_map(|(path, code)| code::places(path, code, &tools))
        .filter(|place| !names.iter().any(|name| place.ends_with(name)))
        .collect();
    tree::none(
        &found,
        "agent/cluster does what was decided, and decides nothing:",
    );
}

/// Nobody decides without the check, in production as in tests.
#[test]
fn every_decision_passes_the_invariants() {
    let decides = Regex::new(r"\bdecide\(").unwrap();
    let deciding: Vec<(String, String)> = shipped_under("agent/")
        .into_iter()
        .filter(|(path, code)| !path.starts_with("agent/core/") && decides.is_match(code))
        .collect();
    assert!(!deciding.is_empty(), "somebody decides");
    let found: Vec<String> = deciding
        .iter()
        .filter(|(_, code)| {
            code.matches("invariants::broken(").count() < decides.find_iter(code).count()
        })
        .map(|(path, _)| path.clone())
        .collect();
    tree::none(
        &found,
        "check what decide answers by invariants::broken before it is written:",
    );
}

/// What judges a release cannot change it: neither the plugin host nor the registry client knows
/// Kubernetes.
#[test]
fn hosts_of_judges_cannot_reach_the_cluster() {
    let cluster = ["kube", "k8s-openapi", "sluice-cluster"];
    let mut found = Vec::new();
    for folder in [
        "agent/core",
        "agent/plugins",
        "agent/registry",
        "sdk",
        "tests/hostile",
    ] {
        for name in manifests::member(folder).dependencies.keys() {
            if cluster.contains(&name.as_str()) {
                found.push(format!("{folder} imports {name}"));
            }
        }
    }
    tree::none(&found, "a plugin proposes, the core disposes:");
}

/// The host becomes a process of its own without a change of the controller.
#[test]
fn what_crosses_to_the_plugin_host_can_be_written_down() {
    let path = "agent/core/src/plugin.rs";
    let code = code::shipped(path).unwrap();
    let item =
        Regex::new(r"(?s)#\[derive\(([^)]*)\)\](?:\s*#\[[^\]]*\])*\s*pub (?:enum|struct) (\w+)")
            .unwrap();
    let all = Regex::new(r"\bpub (?:enum|struct) (\w+)").unwrap();
    let written: Vec<String> = item
        .captures_iter(&code)
        .filter(|c| c[1].contains("Serialize") && c[1].contains("Deserialize"))
        .map(|c| c[2].to_owned())
        .collect();
    let found: Vec<String> = all
        .captures_iter(&code)
        .map(|c| c[1].to_owned())
        .filter(|name| !written.contains(name))
        .collect();
    assert!(written.iter().any(|name| name == "PluginCall"));
    tree::none(
        &found,
        "these cross the port, so they are values with serde on both sides:",
    );
}

/// Plugins run in another process than the agent: of its command, only the verbs that are such a process,
/// or that run a person's own plugin for them, open a host.
#[test]
fn the_agents_process_runs_no_plugin() {
    let opens = Regex::new(r"\bHost::(open|from_dir)\(|\bHostOptions\b").unwrap();
    let verbs = [
        "agent/cli/src/verb/plugin_host.rs",
        "agent/cli/src/verb/plugin",
    ];
    let all: Vec<String> = shipped_under("agent/")
        .iter()
        .filter(|(path, _)| !path.starts_with("agent/plugins/"))
        .flat_map(|(path, code)| code::places(path, code, &opens))
        .collect();
    let (own, elsewhere): (Vec<String>, Vec<String>) = all
        .into_iter()
        .partition(|place| verbs.iter().any(|verb| place.starts_with(verb)));
    assert!(
        !own.is_empty(),
        "nothing opens a host any more: this test looks for the wrong words"
    );
    tree::none(&elsewhere, "the agent's own process opens no plugin host:");
}
