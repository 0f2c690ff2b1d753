//! `core` is a function of its arguments: nothing in it can see, wait, draw lots or tell.

use std::collections::BTreeSet;

use regex::Regex;

use crate::{code, manifests, tree};

/// What the core may stand on. None of them touches a runtime, a clock, a socket or a file; whoever
/// adds one says so here, and in docs/dependencies.md.
const MAY_USE: [&str; 13] = [
    "cel",    // without its features: no clock of chrono, no second time zone database
    "chrono", // civil times of the cron adapter; its `clock` feature is off
    "cron",
    "jiff",
    "regex",
    "schemars",
    "semver",
    "serde",
    "serde-saphyr",
    "serde_json",
    "serde_path_to_error",
    "sha2",
    "thiserror",
];

/// What no line of the core says, and why.
const NEVER: [(&str, &str); 8] = [
    (r"\b(tokio|futures|async_std|smol)::", "has no runtime"),
    (
        r"\b(kube|k8s_openapi|reqwest|hyper|axum|oci_client|wasmtime)::",
        "knows no outside",
    ),
    (r"\bstd::(env|fs|io|net|os|process|thread)\b", "does no IO"),
    (
        r"\bstd::\{[^}]*\b(env|fs|io|net|os|process|thread)\b",
        "does no IO",
    ),
    (
        r"\b(Instant|SystemTime)\b|\bnow\(\)|\bTimeZone::system\b|\bupcoming\(",
        "has no clock",
    ),
    (
        r"\b(rand|getrandom|fastrand)::|\bRandomState\b",
        "draws no lots",
    ),
    (
        r"\b(HashMap|HashSet)\b",
        "iterates in the same order in every process: BTreeMap, BTreeSet",
    ),
    (
        r"\b(tracing|log)::|\b(e?print(ln)?|dbg)!",
        "tells by its answer, not by a log",
    ),
];

#[test]
fn core_names_no_runtime_clock_logger_or_io() {
    let mut found = Vec::new();
    for path in tree::ending(".rs")
        .iter()
        .filter(|path| path.starts_with("agent/core/src/"))
    {
        let Some(code) = code::shipped(path) else {
            continue;
        };
        for (pattern, rule) in NEVER {
            for place in code::places(path, &code, &Regex::new(pattern).unwrap()) {
                found.push(format!("{place}: core {rule}"));
            }
        }
    }
    tree::none(&found, "the core is pure:");
}

#[test]
fn core_stands_on_pure_crates_alone() {
    let core = manifests::member("agent/core");
    let allowed = BTreeSet::from(MAY_USE);
    let used: BTreeSet<&str> = core.dependencies.keys().map(String::as_str).collect();
    let found: Vec<String> = used
        .difference(&allowed)
        .map(|name| format!("agent/core/Cargo.toml: {name}"))
        .collect();
    tree::none(
        &found,
        "is this crate pure? Then list it in tests/tidy/src/purity.rs:",
    );
}

#[test]
fn the_rules_find_what_they_forbid() {
    for line in [
        "use std::{fmt, fs};",
        "let now = Timestamp::now();",
        "std::env::var(name)",
        "tracing::info!()",
        "let m: HashMap<u8, u8>;",
        "println!()",
    ] {
        assert!(
            NEVER
                .iter()
                .any(|(pattern, _)| Regex::new(pattern).unwrap().is_match(line)),
            "{line}"
        );
    }
    for line in [
        "let tokio = 1;",
        "known(now)",
        "std::fmt::Write",
        "decide(state, now)",
    ] {
        assert!(
            !NEVER
                .iter()
                .any(|(pattern, _)| Regex::new(pattern).unwrap().is_match(line)),
            "{line}"
        );
    }
}
