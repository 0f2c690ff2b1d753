//! Cargo.toml files: what each crate stands on, written once and explained.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use toml::{Table, Value};

use crate::{code, tree};

/// A member of the workspace.
pub(crate) struct Member {
    /// Its folder.
    pub(crate) folder: String,
    /// Its package name.
    pub(crate) package: String,
    /// What it needs to be built, by name.
    pub(crate) dependencies: BTreeMap<String, Value>,
    /// What its tests need besides.
    pub(crate) dev_dependencies: BTreeMap<String, Value>,
    manifest: Table,
}

impl Member {
    fn read(folder: &str) -> Self {
        let path = format!("{folder}/Cargo.toml");
        let manifest = table(&path);
        let section = |name: &str| {
            let found = manifest
                .get(name)
                .and_then(Value::as_table)
                .cloned()
                .unwrap_or_default();
            found.into_iter().collect()
        };
        Self {
            folder: folder.to_owned(),
            package: manifest["package"]["name"].as_str().unwrap().to_owned(),
            dependencies: section("dependencies"),
            dev_dependencies: section("dev-dependencies"),
            manifest,
        }
    }

    fn all(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.dependencies.iter().chain(&self.dev_dependencies)
    }

    /// Its Rust code, tests included, without comments and literals.
    fn code(&self) -> String {
        let inside = format!("{}/", self.folder);
        tree::ending(".rs")
            .iter()
            .filter(|path| path.starts_with(&inside))
            .map(|path| code::code_only(&tree::read(path)))
            .collect()
    }
}

fn table(path: &str) -> Table {
    tree::read(path)
        .parse()
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The member in this folder.
pub(crate) fn member(folder: &str) -> Member {
    Member::read(folder)
}

/// Every member, in the order of the workspace.
pub(crate) fn members() -> Vec<Member> {
    let root = table("Cargo.toml");
    let folders = root["workspace"]["members"].as_array().unwrap();
    folders
        .iter()
        .map(|folder| Member::read(folder.as_str().unwrap()))
        .collect()
}

/// The lines of `[workspace.dependencies]`, by name.
fn workspace_dependencies() -> BTreeMap<String, Value> {
    let root = table("Cargo.toml");
    root["workspace"]["dependencies"]
        .as_table()
        .unwrap()
        .clone()
        .into_iter()
        .collect()
}

/// Whether a dependency is a crate of ours.
pub(crate) fn is_ours(line: &Value) -> bool {
    line.get("path").is_some()
}

#[test]
fn every_crate_is_a_member_and_members_are_sorted() {
    let listed: Vec<String> = members().iter().map(|m| m.folder.clone()).collect();
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(listed, sorted, "sort the members in Cargo.toml");
    let there: BTreeSet<String> = tree::ending("/Cargo.toml")
        .iter()
        .map(|path| tree::folder(path).to_owned())
        .collect();
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), there);
}

#[test]
fn members_inherit_everything_and_choose_no_features() {
    let mut found = Vec::new();
    for member in members() {
        for (name, line) in member.all() {
            let keys: Vec<&String> = line.as_table().unwrap().keys().collect();
            if keys != ["workspace"] {
                found.push(format!("{}/Cargo.toml: {name} has {keys:?}", member.folder));
            }
        }
        if member
            .manifest
            .get("lints")
            .and_then(|l| l.get("workspace"))
            .is_none()
        {
            found.push(format!(
                "{}/Cargo.toml: [lints] workspace = true",
                member.folder
            ));
        }
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if member.manifest["package"]
                .get(key)
                .and_then(|v| v.get("workspace"))
                .is_none()
            {
                found.push(format!(
                    "{}/Cargo.toml: {key}.workspace = true",
                    member.folder
                ));
            }
        }
    }
    tree::none(
        &found,
        "versions and features stand in the root Cargo.toml alone, or one build no longer serves \
         demo and tests:",
    );
}

/// A dependency that no code names has its reason in a comment on its line.
#[test]
fn every_dependency_of_a_member_is_used_or_argued_for() {
    let mut found = Vec::new();
    for member in members() {
        let code = member.code();
        let text = tree::read(&format!("{}/Cargo.toml", member.folder));
        for (name, _) in member.all() {
            let word = Regex::new(&format!(r"\b{}\b", name.replace('-', "_"))).unwrap();
            let argued = text
                .lines()
                .any(|line| line.starts_with(&format!("{name}.workspace")) && line.contains(" # "));
            if !word.is_match(&code) && !argued {
                found.push(format!("{}/Cargo.toml: {name}", member.folder));
            }
        }
    }
    tree::none(&found, "no code of these crates names these dependencies:");
}

#[test]
fn every_line_of_the_workspace_is_used() {
    let used: BTreeSet<String> = members()
        .iter()
        .flat_map(|member| {
            member
                .all()
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        })
        .collect();
    let found: Vec<String> = workspace_dependencies()
        .into_keys()
        .filter(|name| !used.contains(name))
        .collect();
    tree::none(
        &found,
        "no member uses these lines of [workspace.dependencies]:",
    );
}

#[test]
fn every_dependency_has_its_reason_in_docs() {
    let text = tree::read("docs/dependencies.md");
    let row = Regex::new(r"(?m)^\| `([A-Za-z0-9_-]+)` \| .*[a-z].* \|$").unwrap();
    let explained: Vec<String> = row.captures_iter(&text).map(|c| c[1].to_owned()).collect();
    let foreign: BTreeSet<String> = workspace_dependencies()
        .into_iter()
        .filter(|(_, line)| !is_ours(line))
        .map(|(name, _)| name)
        .collect();
    let set: BTreeSet<String> = explained.iter().cloned().collect();
    assert_eq!(
        set.len(),
        explained.len(),
        "docs/dependencies.md explains one crate twice"
    );
    let unexplained: Vec<String> = foreign.difference(&set).cloned().collect();
    tree::none(&unexplained, "add a row to docs/dependencies.md for:");
    let gone: Vec<String> = set.difference(&foreign).cloned().collect();
    tree::none(
        &gone,
        "docs/dependencies.md explains what Cargo.toml does not have:",
    );
}

#[test]
fn everything_comes_from_crates_io() {
    let sources = Regex::new(r#"(?m)^source = "(.*)"$"#).unwrap();
    let lock = tree::read("Cargo.lock");
    let found: Vec<String> = sources
        .captures_iter(&lock)
        .map(|source| source[1].to_owned())
        .filter(|source| source != "registry+https://github.com/rust-lang/crates.io-index")
        .collect();
    tree::none(&found, "Cargo.lock names another source than crates.io:");
    let settings: Vec<String> = tree::files()
        .into_iter()
        .filter(|path| path.contains(".cargo/"))
        .collect();
    tree::none(
        &settings,
        "a machine's cargo settings do not belong to the project:",
    );
}
