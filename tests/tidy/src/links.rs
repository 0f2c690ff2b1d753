//! A link in a document leads somewhere.

use regex::Regex;

use crate::{markdown, tree};

/// What is wrong with a link from this document. `None`: nothing, or it leads out of the project.
fn broken(document: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target
        .split_once('#')
        .map_or((target, None), |(p, a)| (p, Some(a)));
    let file = if path.is_empty() {
        document.to_owned()
    } else {
        normal(&format!("{}/{path}", tree::folder(document)))
    };
    if !tree::exists(&file) {
        return Some(format!("{target}: there is no {file}"));
    }
    let anchor = anchor.filter(|_| file.ends_with(".md"))?;
    let there = markdown::anchors(&tree::read(&file));
    (!there.iter().any(|a| a == anchor)).then(|| format!("{target}: {file} has no such heading"))
}

/// A path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r#"\]\(\s*<?([^)>\s]+)>?(?:\s+"[^"]*")?\s*\)"#).unwrap();
    let reference = Regex::new(r"(?m)^\[[^\]]+\]:\s*(\S+)").unwrap();
    let mut found = Vec::new();
    for document in tree::ending(".md") {
        let prose = markdown::prose(&tree::read(&document));
        for target in link
            .captures_iter(&prose)
            .chain(reference.captures_iter(&prose))
        {
            if let Some(why) = broken(&document, &target[1]) {
                found.push(format!("{document}: {why}"));
            }
        }
    }
    tree::none(&found, "broken links:");
}

#[test]
fn a_broken_link_is_found() {
    assert!(broken("docs/policy.md", "../README.md").is_none());
    assert!(broken("README.md", "https://example.com/x").is_none());
    assert!(broken("README.md", "docs/policy.md#environments").is_none());
    assert!(broken("README.md", "docs/no-such-page.md").is_some());
    assert!(broken("README.md", "docs/policy.md#no-such-heading").is_some());
    assert!(broken("README.md", "#no-such-heading").is_some());
}
