//! The table of values in the chart's README is made of values.yaml.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::kept;

const README: &str = "charts/sluice/README.md";
const BEGIN: &str = "<!-- values: UPDATE=1 cargo test -p sluice-charts -->\n";
const END: &str = "<!-- end of values -->\n";

/// The rows: path and description, in the order of the file.
fn rows(text: &str) -> Vec<(String, String)> {
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut about: Option<String> = None;
    let mut out = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(first) = line.strip_prefix("# -- ") {
            about = Some(first.to_owned());
        } else if let (Some(more), Some(about)) = (line.strip_prefix("# "), about.as_mut()) {
            write!(about, " {more}").unwrap();
        } else if let Some((key, _)) = line
            .split_once(':')
            .filter(|_| !line.starts_with(['#', '-']))
        {
            path.retain(|(depth, _)| *depth < indent);
            path.push((indent, key.to_owned()));
            if let Some(about) = about.take() {
                let keys: Vec<&str> = path.iter().map(|(_, key)| key.as_str()).collect();
                out.push((keys.join("."), about));
            }
        }
    }
    out
}

/// The paths of all values that are no maps, or empty ones.
fn leaves(value: &Value, at: &str, out: &mut BTreeSet<String>) {
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => {
            for (key, one) in map {
                let at = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                leaves(one, &at, out);
            }
        }
        None => {
            out.insert(at.to_owned());
        }
    }
}

#[test]
fn the_table_is_that_of_the_values() {
    let text = kept::read("charts/sluice/values.yaml");
    let values: Value = serde_saphyr::from_str(&text).unwrap();
    let rows = rows(&text);
    let mut all = BTreeSet::new();
    leaves(&values, "", &mut all);
    let silent: Vec<&String> = all
        .iter()
        .filter(|leaf| {
            !rows.iter().any(|(path, _)| {
                *leaf == path
                    || leaf
                        .strip_prefix(path.as_str())
                        .is_some_and(|r| r.starts_with('.'))
            })
        })
        .collect();
    assert!(
        silent.is_empty(),
        "say in values.yaml what these are for: {silent:?}"
    );
    let mut table = String::from("| value | default | what it is |\n|---|---|---|\n");
    for (path, about) in &rows {
        let pointer = format!("/{}", path.replace('.', "/"));
        let default = values.pointer(&pointer).unwrap().to_string();
        let default = if default.len() > 90 {
            "see values.yaml".to_owned()
        } else {
            format!("`{default}`")
        };
        writeln!(table, "| `{path}` | {default} | {about} |").unwrap();
    }
    let readme = kept::read(README);
    let (head, rest) = readme
        .split_once(BEGIN)
        .expect("the README marks where the table begins");
    let (_, tail) = rest.split_once(END).expect("and where it ends");
    kept::same(README, &format!("{head}{BEGIN}{table}{END}{tail}"));
}
