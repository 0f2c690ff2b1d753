//! What a query's placeholders stand for.

use sluice_sdk::{Client, Role, Window};

use crate::settings::Settings;
use crate::template::{Fact, pattern, quoted};

/// Pods of a Deployment end in the hash of their template and five letters of their own.
const POD_ENDING: &str = "-[a-z0-9]+-[a-z0-9]{5}";

/// Matches no pod: none can be called so.
const NOBODY: &str = "_";

/// The role as it stands in summaries.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Candidate => "candidate",
        Role::Stable => "stable",
    }
}

/// One fact of the call.
///
/// # Errors
/// In words: the agent does not tell it.
pub(crate) fn fact(
    client: &Client<'_>,
    settings: &Settings,
    of: Role,
    window: Window,
    name: &str,
) -> Result<Fact, String> {
    let release = client.release();
    let text = match name {
        "namespace" => release.workload.namespace,
        "workload" => release.workload.name,
        "cluster" => release.workload.cluster,
        "release" => release.id,
        "role" => role(of).into(),
        "environment" => client
            .attribute("environment")
            .ok_or("the agent names no environment")?,
        "revision" => match of {
            Role::Candidate => release.to_revision,
            Role::Stable => release.from_revision.ok_or("there is no stable version")?,
        },
        "pod-selector" => return Ok(Fact::Pattern(pods(client, of, &release.workload.name))),
        "labels" => return Ok(Fact::Bare(labels(settings, of))),
        "window" => return Ok(Fact::Bare(duration(window))),
        "window-seconds" => {
            let span = window.to_unix_ms.saturating_sub(window.from_unix_ms);
            return Ok(Fact::Bare(seconds(span)));
        }
        other => return Err(format!("nothing is called {{{{{other}}}}}")),
    };
    Ok(Fact::Text(text))
}

/// A regular expression for the names of a version's pods. The agent's attributes `candidate-pods`
/// and `stable-pods` name them, with commas between; without them, the names that Kubernetes and the
/// agent give have to do: the canary is the Deployment `NAME-canary-HASH` beside `NAME`.
fn pods(client: &Client<'_>, of: Role, workload: &str) -> String {
    let told = client.attribute(&format!("{}-pods", role(of)));
    let named: Vec<String> = told
        .iter()
        .flat_map(|names| names.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(pattern)
        .collect();
    if !named.is_empty() {
        return format!("(?:{})", named.join("|"));
    }
    // The agent has looked, and there are none: names would find pods of the other version.
    if told.is_some() {
        return NOBODY.into();
    }
    let workload = pattern(workload);
    match of {
        Role::Candidate => format!("{workload}-canary-[a-z0-9]+{POD_ENDING}"),
        Role::Stable => format!("{workload}{POD_ENDING}"),
    }
}

/// Matchers, between braces: `version="canary", track="blue"`.
fn labels(settings: &Settings, of: Role) -> String {
    let labels = match of {
        Role::Candidate => &settings.labels.candidate,
        Role::Stable => &settings.labels.stable,
    };
    let matchers: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect();
    matchers.join(", ")
}

/// The window as PromQL writes a duration: `300s`, `1500ms`.
fn duration(window: Window) -> String {
    let span = window.to_unix_ms.saturating_sub(window.from_unix_ms);
    if span.is_multiple_of(1_000) {
        format!("{}s", span / 1_000)
    } else {
        format!("{span}ms")
    }
}

/// Milliseconds as seconds, for the API and for queries.
pub(crate) fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}
