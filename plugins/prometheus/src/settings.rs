//! What is asked.

use std::collections::BTreeMap;

use serde::Deserialize;
use sluice_sdk::Issue;
use sluice_sdk::settings::{Complaints, step};

use crate::template::{Template, label_name};

/// Longest query, in bytes. The host takes bodies of a megabyte; no person reads such a query.
const MAX_QUERY: usize = 16 << 10;
/// Longest wait for one answer, in milliseconds: the wall time of the manifest.
const MAX_TIMEOUT_MS: u32 = 30_000;
/// Longest distance between two points of a range, in seconds.
const MAX_STEP_S: u32 = 3_600;
/// Headers that the plugin sets itself.
const OWN_HEADERS: [&str; 2] = ["authorization", "content-type"];

/// The plugin's settings. Either `events` and `total`, or `value`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What the summary calls it, such as `errors`.
    #[serde(default)]
    pub name: Option<String>,
    /// PromQL for how many events of interest there were, such as failed requests.
    #[serde(default)]
    events: Option<String>,
    /// PromQL for how many events there were in all.
    #[serde(default)]
    total: Option<String>,
    /// PromQL for a number that is no ratio of counts, such as a quantile.
    #[serde(default)]
    value: Option<String>,
    /// Asks for `value` over the whole window, point by point, instead of at its end.
    #[serde(default)]
    pub range: Option<Range>,
    /// Labels by which series of the two versions are told apart, for `{{labels}}`.
    #[serde(default)]
    pub labels: RoleLabels,
    /// Whether the stable version is asked about too.
    #[serde(default = "yes")]
    pub stable: bool,
    /// What stands before `/api/v1` on the granted target, such as `/prometheus`.
    #[serde(default)]
    pub path_prefix: String,
    /// Further request headers, such as `x-scope-orgid`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Takes an answer although Prometheus warns that it may be incomplete.
    #[serde(default)]
    pub accept_warnings: bool,
    /// How long one answer may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
}

/// How a number is made of many points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Range {
    /// Distance of the points, in seconds.
    pub step_seconds: u32,
    /// Which number counts. Left out: the last.
    #[serde(default)]
    pub reduce: Reduce,
}

/// Which number of many counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduce {
    /// The last.
    #[default]
    Last,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// Their mean.
    Mean,
}

/// Labels of each version's series.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleLabels {
    /// Of the version that is being tried.
    #[serde(default)]
    pub candidate: BTreeMap<String, String>,
    /// Of the version that is being replaced.
    #[serde(default)]
    pub stable: BTreeMap<String, String>,
}

/// What is measured: the queries that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric<'s> {
    /// Events among all.
    Ratio {
        /// Query for the events.
        events: &'s str,
        /// Query for all of them.
        total: &'s str,
    },
    /// A number, and from how many events it was made, where somebody asks.
    Value {
        /// Query for the number.
        value: &'s str,
        /// Query for the events.
        total: Option<&'s str>,
    },
}

fn yes() -> bool {
    true
}

fn timeout_ms() -> u32 {
    10_000
}

impl Settings {
    /// What is measured, if the settings say one thing.
    #[must_use]
    pub fn metric(&self) -> Option<Metric<'_>> {
        match (&self.events, &self.total, &self.value) {
            (Some(events), Some(total), None) => Some(Metric::Ratio { events, total }),
            (None, total, Some(value)) => Some(Metric::Value {
                value,
                total: total.as_deref(),
            }),
            (None | Some(_), None, None) | (None, Some(_), None) | (Some(_), _, Some(_)) => None,
        }
    }

    fn queries(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [
            ("/events", &self.events),
            ("/total", &self.total),
            ("/value", &self.value),
        ]
        .into_iter()
        .filter_map(|(place, query)| Some((place, query.as_ref()?)))
    }
}

/// What serde cannot see: every complaint with its place and a way out.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut complaints = Complaints::at("", &mut issues);
    let hint = "write events and total for a ratio, or value for a number";
    let message = "the settings do not say one thing to measure";
    complaints.refuse(settings.metric().is_none(), "", message, hint);
    for (place, query) in settings.queries() {
        let empty = query.trim().is_empty();
        complaints.refuse(empty, place, "an empty query", "write PromQL");
        let long = query.len() > MAX_QUERY;
        let message = format!("{} bytes, at most {MAX_QUERY}", query.len());
        complaints.refuse(long, place, &message, "move it into a recording rule");
        match Template::parse(query) {
            Ok(template) => {
                let missing = template.wants_labels()
                    && (settings.labels.candidate.is_empty()
                        || (settings.stable && settings.labels.stable.is_empty()));
                let message = "{{labels}} without labels of both versions";
                let hint = "add labels: {candidate: {version: canary}, stable: {version: primary}}";
                complaints.refuse(missing, place, message, hint);
            }
            Err(why) => complaints.refuse(true, place, &why, "see the placeholders in README.md"),
        }
    }
    for (role, labels) in [
        ("candidate", &settings.labels.candidate),
        ("stable", &settings.labels.stable),
    ] {
        for name in labels.keys().filter(|name| !label_name(name)) {
            let message = format!("`{name}` is no name of a label");
            let place = format!("/labels/{role}/{}", step(name));
            complaints.refuse(true, &place, &message, "letters, digits and underscores");
        }
    }
    if let Some(range) = settings.range {
        complaints.range("/range/stepSeconds", range.step_seconds, 1, MAX_STEP_S);
        let counts = settings.value.is_none();
        let message = "counts are asked for at the end of the window";
        let hint = "leave it out: increase(…[{{window}}]) covers the window";
        complaints.refuse(counts, "/range", message, hint);
    }
    let prefix = &settings.path_prefix;
    if !prefix.is_empty() {
        complaints.path("/pathPrefix", prefix);
        let odd = prefix.ends_with('/') || prefix.contains('?');
        complaints.refuse(
            odd,
            "/pathPrefix",
            "no prefix of a path",
            "such as /prometheus",
        );
    }
    for (name, value) in &settings.headers {
        let place = format!("/headers/{}", step(name));
        complaints.header(&place, name);
        complaints.line(&place, value);
        let own = OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own));
        let hint = "leave it out; a bearer token is the secret prometheus-token";
        complaints.refuse(own, &place, "the plugin sets this header itself", hint);
    }
    complaints.range("/timeoutMs", settings.timeout_ms, 1, MAX_TIMEOUT_MS);
    issues
}
