//! Where events go, and in which form.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sluice_sdk::settings::{Complaints, step};
use sluice_sdk::{Issue, Severity};

use crate::document;

/// Where a path takes the server's id.
pub(crate) const THREAD: &str = "{{thread}}";
/// Largest template, in bytes of JSON: an event of some kilobytes goes into it.
const MAX_TEMPLATE: usize = 64 << 10;
/// Methods that change something that is there.
const METHODS: [&str; 3] = ["PATCH", "POST", "PUT"];
/// What a template can name.
const FACTS: [&str; 16] = [
    "id",
    "kind",
    "severity",
    "title",
    "body",
    "links",
    "thread",
    "release",
    "cluster",
    "namespace",
    "workload",
    "workloadKind",
    "environment",
    "fromRevision",
    "toRevision",
    "images",
];
/// Headers that the plugin sets itself.
const OWN_HEADERS: [&str; 3] = ["authorization", "content-type", "idempotency-key"];

/// The plugin's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Path and query on the granted target.
    pub path: String,
    /// The form of the document. Left out: `json`.
    #[serde(default)]
    pub format: Format,
    /// CloudEvents' `source`. Left out: `/sluice/` and the cluster.
    #[serde(default)]
    pub source: Option<String>,
    /// What stands before the kind of the event in CloudEvents' `type`.
    #[serde(default = "type_prefix")]
    pub type_prefix: String,
    /// The document in the server's own words: `{{title}}` in a string is replaced. Left out:
    /// everything there is.
    #[serde(default)]
    pub template: Option<Value>,
    /// Further request headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How events are signed. Left out: over the body, where there is a key.
    #[serde(default)]
    pub sign: Option<SignSettings>,
    /// How the rollout's later events find what the first one made.
    #[serde(default)]
    pub thread: Option<ThreadSettings>,
    /// Events that are less severe are not told: `info`, `warning`, `critical`.
    #[serde(default)]
    min_severity: Least,
}

/// Forms of the document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The document alone.
    #[default]
    Json,
    /// In an envelope of CloudEvents 1.0, structured mode.
    Cloudevents,
}

/// How events are signed, with the secret `webhook-key`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignSettings {
    /// The header that carries `sha256=` and the HMAC-SHA-256.
    #[serde(default = "signature_header")]
    pub header: String,
    /// The header that carries the time, in seconds. Where it is set, `TIME.BODY` is signed, so that
    /// a receiver can refuse what is old.
    #[serde(default)]
    pub timestamp_header: Option<String>,
}

/// How the rollout's later events find what the first one made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ThreadSettings {
    /// Where the answer has the id: a key at the top (`id`) or a JSON pointer (`/data/id`).
    pub pointer: String,
    /// How it is updated. Left out: each event is posted, with the id as `thread`.
    #[serde(default)]
    pub update: Option<UpdateSettings>,
}

/// How something that is there is updated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UpdateSettings {
    /// Left out: `PUT`.
    #[serde(default = "put")]
    pub method: String,
    /// Path and query, with `{{thread}}`.
    pub path: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Least {
    #[default]
    Info,
    Warning,
    Critical,
}

fn type_prefix() -> String {
    "dev.sluice.".into()
}

fn signature_header() -> String {
    "x-sluice-signature".into()
}

fn put() -> String {
    "PUT".into()
}

impl Default for SignSettings {
    fn default() -> Self {
        Self {
            header: signature_header(),
            timestamp_header: None,
        }
    }
}

impl Format {
    /// The document's content type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::Cloudevents => "application/cloudevents+json; charset=utf-8",
        }
    }
}

impl Settings {
    /// How a thread is updated, if it is.
    #[must_use]
    pub fn update(&self) -> Option<&UpdateSettings> {
        self.thread.as_ref()?.update.as_ref()
    }

    /// Whether an event is severe enough.
    #[must_use]
    pub fn wants(&self, severity: Severity) -> bool {
        match (self.min_severity, severity) {
            (Least::Info, _) | (_, Severity::Critical) | (Least::Warning, Severity::Warning) => {
                true
            }
            (Least::Warning | Least::Critical, Severity::Info)
            | (Least::Critical, Severity::Warning) => false,
        }
    }
}

/// What serde cannot see: every complaint with its place and a way out.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut complaints = Complaints::at("", &mut issues);
    complaints.path("/path", &settings.path);
    complaints.line("/source", settings.source.as_deref().unwrap_or_default());
    complaints.line("/typePrefix", &settings.type_prefix);
    let envelope = settings.format == Format::Cloudevents;
    let message = "only an envelope of CloudEvents has it";
    let lost = settings.source.is_some() && !envelope;
    complaints.refuse(lost, "/source", message, "set format: cloudevents");
    let empty = settings.source.as_deref() == Some("");
    complaints.refuse(
        empty,
        "/source",
        "CloudEvents want one that is not empty",
        "such as /sluice/eu-1",
    );
    for (name, value) in &settings.headers {
        let place = format!("/headers/{}", step(name));
        complaints.header(&place, name);
        complaints.line(&place, value);
        let own = OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own));
        let hint = "leave it out; a bearer token is the secret webhook-token";
        complaints.refuse(own, &place, "the plugin sets this header itself", hint);
    }
    if let Some(template) = &settings.template {
        let size = template.to_string().len();
        let message = format!("{size} bytes, at most {MAX_TEMPLATE}");
        complaints.refuse(size > MAX_TEMPLATE, "/template", &message, "shorten it");
        for name in document::names(template) {
            let message = format!("nothing is called {{{{{name}}}}}");
            let hint = format!("one of {}", FACTS.join(", "));
            complaints.refuse(!FACTS.contains(&name), "/template", &message, &hint);
        }
    }
    if let Some(sign) = &settings.sign {
        complaints.header("/sign/header", &sign.header);
        if let Some(header) = &sign.timestamp_header {
            complaints.header("/sign/timestampHeader", header);
        }
    }
    if let Some(thread) = &settings.thread {
        let empty = thread.pointer.is_empty();
        let hint = "a key, as in id, or a pointer /data/id";
        complaints.refuse(empty, "/thread/pointer", "this is the whole answer", hint);
    }
    if let Some(update) = settings.update() {
        let known = METHODS.contains(&update.method.as_str());
        let message = format!("`{}` updates nothing", update.method);
        let hint = format!("one of {}", METHODS.join(", "));
        complaints.refuse(!known, "/thread/update/method", &message, &hint);
        complaints.path("/thread/update/path", &update.path);
        let without = !update.path.contains(THREAD);
        let message = "it does not say what is updated";
        complaints.refuse(
            without,
            "/thread/update/path",
            message,
            "such as /incidents/{{thread}}",
        );
    }
    issues
}
