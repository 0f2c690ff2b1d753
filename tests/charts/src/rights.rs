//! Who gets which rights: every rule that is rendered stands in `tests/charts/rights`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::kept;
use crate::render::{objects, sets};
use crate::tools::tool;

#[test]
fn every_rule_is_written_down() {
    let Some(helm) = tool("helm") else { return };
    for set in sets() {
        let mut lines = Vec::new();
        for object in objects(&helm, &set) {
            let kind = object["kind"].as_str().unwrap();
            let name = object["metadata"]["name"].as_str().unwrap();
            let place = object["metadata"]["namespace"]
                .as_str()
                .unwrap_or("the cluster");
            match kind {
                "Role" | "ClusterRole" => {
                    for rule in object["rules"].as_array().unwrap() {
                        lines.push(format!("{place}: {name}: {}", line(rule)));
                    }
                }
                "RoleBinding" | "ClusterRoleBinding" => {
                    for subject in object["subjects"].as_array().unwrap() {
                        lines.push(format!(
                            "{place}: {name}: bound to {} {}/{}",
                            text(&subject["kind"]),
                            text(&subject["namespace"]),
                            text(&subject["name"]),
                        ));
                    }
                }
                _ => {}
            }
        }
        lines.sort();
        let mut all = String::new();
        for one in &lines {
            never(&set, one);
            writeln!(all, "{one}").unwrap();
        }
        let name = set.rsplit('/').next().unwrap().replace(".yaml", ".txt");
        kept::same(&format!("tests/charts/rights/{name}"), &all);
    }
}

fn line(rule: &Value) -> String {
    let words = |key: &str| {
        let list = rule[key].as_array().into_iter().flatten();
        let words: Vec<&str> = list
            .map(text)
            .map(|w| if w.is_empty() { "core" } else { w })
            .collect();
        words.join(",")
    };
    let names = match words("resourceNames") {
        names if names.is_empty() => names,
        names => format!(" named {names}"),
    };
    format!(
        "{} {} {}{names}",
        words("verbs"),
        words("apiGroups"),
        words("resources")
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whatever is written down: these never (reliability.md K2). Secrets where `targets.features.secrets`
/// is on, and nothing is changed there.
fn never(set: &str, line: &str) {
    let copies = line.ends_with("get,list,create,delete core secrets");
    assert!(
        !line.contains("secrets") || (copies && set.ends_with("everything.yaml")),
        "{set}: {line}"
    );
    for word in ["pods/exec", "portforward", "escalate", "impersonate", "*"] {
        assert!(!line.contains(word), "{line}");
    }
    let beyond = line.starts_with("the cluster: ") && !line.contains(": bound to ");
    assert!(
        !beyond
            || line.contains("create authentication.k8s.io tokenreviews")
            || line.contains("create authorization.k8s.io subjectaccessreviews"),
        "{line}"
    );
}
