//! The examples of docs/strategies.md are environments that a Pipeline may have.

use serde_json::{Value, json};

use super::*;

const GUIDE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/strategies.md"
));

/// The YAML blocks of the guide, each with the heading above it.
fn examples() -> Vec<(String, String)> {
    let (mut out, mut heading, mut block) = (Vec::new(), String::new(), None::<String>);
    for line in GUIDE.lines() {
        match (&mut block, line) {
            (Some(text), "```") => {
                out.push((heading.clone(), std::mem::take(text)));
                block = None;
            }
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, "```yaml") => block = Some(String::new()),
            (None, line) => {
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut heading);
                }
            }
        }
    }
    out
}

/// A Pipeline with this environment alone.
fn pipeline(environment: &str) -> Result<PipelineSpec, String> {
    let environment: Value = serde_saphyr::from_str(environment).map_err(|e| e.to_string())?;
    let spec = json!({
        "image": {
            "repository": "registry.example.com/shop/storefront",
            "tags": {"semver": ">=1.0.0"},
        },
        "environments": [environment],
    });
    serde_json::from_value(spec).map_err(|e| e.to_string())
}

#[test]
fn every_example_of_the_guide_is_an_environment() {
    let mut routers = std::collections::BTreeSet::new();
    for (heading, text) in examples() {
        let spec = pipeline(&text).unwrap_or_else(|why| panic!("{heading}: {why}\n{text}"));
        let problems: Vec<String> = spec.problems().iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{heading}: {problems:?}");
        // What is misspelt would be dropped without a word.
        let written: Value = serde_saphyr::from_str(&text).unwrap();
        let read = serde_json::to_value(&spec.environments[0]).unwrap();
        for (key, value) in written.as_object().unwrap() {
            assert!(
                same(value, &read[key]),
                "{heading}: {key}: {value} was read as {}",
                read[key]
            );
        }
        routers.insert(spec.environments[0].strategy.router.word());
    }
    assert_eq!(routers.len(), 4, "{routers:?}");
    assert!(examples().len() >= 12, "{}", examples().len());
}

/// Whether everything that was written stands in what was read.
fn same(written: &Value, read: &Value) -> bool {
    match (written, read) {
        (Value::Object(w), Value::Object(r)) => w
            .iter()
            .all(|(key, value)| r.get(key).is_some_and(|r| same(value, r))),
        (Value::Array(w), Value::Array(r)) => {
            w.len() == r.len() && w.iter().zip(r).all(|(w, r)| same(w, r))
        }
        (Value::String(w), Value::String(r)) => {
            let time = |text: &str| text.parse::<crate::duration::HumanDuration>();
            w == r || time(w).is_ok_and(|w| time(r) == Ok(w))
        }
        (w, r) => w == r,
    }
}
