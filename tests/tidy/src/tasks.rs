//! Every task has an owner: what is spawned ends with whoever spawned it.

use regex::Regex;

use crate::{code, tree};

/// A detached spawn in this code: one whose handle is neither given to an `AbortOnDropHandle` at
/// once nor kept in a variable that is.
fn detached(path: &str, code: &str) -> Vec<String> {
    let spawn =
        Regex::new(r"\b(tokio|task|Handle::current\(\)|handle|runtime)(::|\.)spawn(_local)?\(")
            .unwrap();
    let owned = Regex::new(r"AbortOnDropHandle::new\(\s*$").unwrap();
    let kept = Regex::new(r"\blet (?:mut )?([a-z_]+) = (?:tokio::|task::)+$").unwrap();
    spawn
        .find_iter(code)
        .filter(|found| {
            let before = &code[..found.start()];
            let at_once = owned.is_match(before);
            let with_words = &code[..found.end() - "spawn(".len()];
            let later = kept.captures(with_words).is_some_and(|variable| {
                code[found.end()..].contains(&format!("AbortOnDropHandle::new({})", &variable[1]))
            });
            !at_once && !later
        })
        .map(|found| {
            let line = code[..found.start()].matches('\n').count() + 1;
            format!("{path}:{line}: {}", found.as_str())
        })
        .collect()
}

#[test]
fn no_task_is_detached() {
    let mut found = Vec::new();
    for path in tree::ending(".rs")
        .iter()
        .filter(|path| path.starts_with("agent/"))
    {
        if let Some(code) = code::shipped(path) {
            found.extend(detached(path, &code));
        }
    }
    tree::none(
        &found,
        "own each task: JoinSet, TaskTracker or AbortOnDropHandle:",
    );
}

#[test]
fn a_detached_task_is_found() {
    for code in [
        "tokio::spawn(work());",
        "let task = tokio::spawn(work()); drop(task);",
        "tokio::task::spawn(work());",
        "handle.spawn(work());",
    ] {
        assert_eq!(detached("x.rs", code).len(), 1, "{code}");
    }
    for code in [
        "AbortOnDropHandle::new(tokio::spawn(work()))",
        "let task = tokio::spawn(work()); keep(AbortOnDropHandle::new(task));",
        "let mut tasks = JoinSet::new(); tasks.spawn(work());",
        "tokio::task::spawn_blocking(work).await",
    ] {
        assert!(detached("x.rs", code).is_empty(), "{code}");
    }
}
