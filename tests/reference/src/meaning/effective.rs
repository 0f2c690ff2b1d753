//! What holds for one target: the sections of its environment, of its namespace, and of `defaults`.

use serde_json::{Map, Value};

/// What belongs to an environment alone.
const OWN: [&str; 2] = ["targets", "after"];

/// The sections that hold for a target in this namespace, or none where nothing is allowed: the
/// environment is not named, or does not list the namespace.
pub fn effective(policy: &Value, environment: &str, namespace: &str) -> Option<Value> {
    let listed = policy["environments"].get(environment)?["targets"]["namespaces"].as_array();
    let listed = listed.is_some_and(|names| names.iter().any(|name| name == namespace));
    if listed {
        sections(policy, environment, Some(namespace))
    } else {
        None
    }
}

/// The sections of an environment, and of one of its namespaces.
pub(super) fn sections(
    policy: &Value,
    environment: &str,
    namespace: Option<&str>,
) -> Option<Value> {
    let own = policy["environments"].get(environment)?;
    // From the most special to the most general.
    let special = namespace.map(|namespace| &own["namespaces"][namespace]);
    let levels: Vec<&Value> = special
        .into_iter()
        .chain([own, &policy["defaults"]])
        .collect();
    let mut sections = Map::new();
    for level in &levels {
        for (key, section) in level.as_object().into_iter().flatten() {
            let inherited = !std::ptr::eq(*level, own);
            if key != "namespaces" && !(inherited && OWN.contains(&key.as_str())) {
                sections.entry(key).or_insert_with(|| section.clone());
            }
        }
    }
    sections.insert("windows".into(), Value::Array(windows(&levels)));
    sections.insert("rules".into(), Value::Array(rules(&levels)));
    Some(Value::Object(sections))
}

/// Freezes of every level hold; allow windows hold where no more special level has any.
fn windows(levels: &[&Value]) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut allowed = false;
    for level in levels {
        let lines = level["windows"].as_array().into_iter().flatten();
        let (allows, freezes): (Vec<&Value>, Vec<&Value>) =
            lines.partition(|line| line.get("allow").is_some());
        all.extend(freezes.into_iter().cloned());
        if !allowed && !allows.is_empty() {
            allowed = true;
            all.extend(allows.into_iter().cloned());
        }
    }
    all
}

/// Rules of every level hold.
fn rules(levels: &[&Value]) -> Vec<Value> {
    let lists = levels.iter().filter_map(|level| level["rules"].as_array());
    lists.flatten().cloned().collect()
}
