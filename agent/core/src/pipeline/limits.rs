//! How long and how large the parts of a Pipeline may be. A Rollout copies them, and its journal
//! repeats names hundreds of times: bounded here, both stay far below what etcd takes (D1).

use super::{EnvironmentSpec, PipelineSpec};
use crate::problem::{Problem, quoted};

/// Longest name of an environment, a plugin or a check, in bytes: a DNS label.
const NAME_LIMIT: usize = 63;
/// Most bytes of JSON that one environment and the notifiers may have: what a Rollout copies.
const COPIED_LIMIT: usize = 32 * 1024;

/// Names that are too long or have characters that no name needs, and settings that are too large.
pub(super) fn problems(spec: &PipelineSpec, out: &mut Vec<Problem>) {
    for (i, n) in spec.notify.iter().enumerate() {
        name(format!("spec.notify[{i}].plugin"), &n.plugin, out);
    }
    for (i, e) in spec.environments.iter().enumerate() {
        let at = format!("spec.environments[{i}]");
        name(format!("{at}.name"), &e.name, out);
        name(format!("{at}.strategy.plugin"), &e.strategy.plugin, out);
        for (field, text) in [
            ("namespace", e.target.namespace.as_str()),
            ("deployment", e.target.name()),
            ("service", e.target.service.as_str()),
        ] {
            name(format!("{at}.target.{field}"), text, out);
        }
        for (n, c) in e.checks.iter().enumerate() {
            name(format!("{at}.checks[{n}].plugin"), &c.plugin, out);
            if let Some(text) = &c.name {
                name(format!("{at}.checks[{n}].name"), text, out);
            }
        }
        let watch = e.course.watch.iter().flat_map(|w| &w.analysis);
        for (field, n, a) in [("analysis", e.course.analysis.iter().collect::<Vec<_>>())]
            .into_iter()
            .chain([("watch.analysis", watch.collect())])
            .flat_map(|(field, list)| {
                let all = list.into_iter().enumerate();
                all.map(move |(n, a)| (field, n, a))
            })
        {
            name(format!("{at}.{field}[{n}].plugin"), &a.plugin, out);
            if let Some(text) = &a.name {
                name(format!("{at}.{field}[{n}].name"), text, out);
            }
        }
        let bytes = copied(spec, e);
        if bytes > COPIED_LIMIT {
            out.push(
                Problem::new(
                    &at,
                    format!("has {bytes} bytes with its settings; {COPIED_LIMIT} is the limit"),
                )
                .with_hint("keep test data in the plugin or behind an address"),
            );
        }
    }
}

fn copied(spec: &PipelineSpec, e: &EnvironmentSpec) -> usize {
    serde_json::to_vec(&(e, &spec.notify)).map_or(0, |json| json.len())
}

fn name(field: String, text: &str, out: &mut Vec<Problem>) {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > NAME_LIMIT || !text.chars().all(usual) {
        out.push(
            Problem::new(field, format!("{} is no usable name", quoted(text))).with_hint(format!(
                "write 1 to {NAME_LIMIT} letters, digits, dashes, dots or underscores"
            )),
        );
    }
}
