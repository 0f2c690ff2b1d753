//! What a plugin says about itself: `plugin.toml`, embedded as the custom section `sluice:manifest`.
//!
//! It is read without running a single instruction of the plugin (plugins.md section 6). Order of
//! complaints: the API version first, for a plugin of another age would be misread, then the kind,
//! then the fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_core::plugin::PluginKind;
use wasmparser::{Parser, Payload};

use crate::card::Card;
use crate::limits::LimitSettings;

/// Name of the custom section.
pub(crate) const SECTION: &str = "sluice:manifest";
/// The one API that this host serves.
pub(crate) const API: &str = "sluice:plugin@0.1";
/// Largest manifest.
const MAX_MANIFEST_BYTES: usize = 64 << 10;
/// Most targets that one plugin may ask for.
const MAX_TARGETS: usize = 32;

/// `plugin.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `sluice:plugin@0.1`.
    pub api: String,
    /// Who it is.
    pub plugin: Identity,
    /// What it needs per call.
    #[serde(default)]
    pub limits: LimitSettings,
    /// Where its settings are described.
    #[serde(default)]
    pub settings: SettingsDescription,
    /// What it wants to reach.
    #[serde(default)]
    pub http: HttpRequests,
    /// Whether it reaches its targets through `wasi:http/outgoing-handler`, too: for guests that bring
    /// an HTTP library. The operator has to grant it.
    #[serde(
        default,
        rename = "wasi-http",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub wasi_http: bool,
}

/// Who a plugin is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Its kind.
    pub kind: PluginKind,
    /// Its own name: lower-case letters, digits, dashes.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// SPDX expression.
    #[serde(default)]
    pub license: Option<String>,
    /// One sentence.
    #[serde(default)]
    pub description: Option<String>,
}

/// Where a plugin's settings are described.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsDescription {
    /// File name of a JSON Schema in the plugin's source, for editors and documentation.
    #[serde(default)]
    pub schema: Option<String>,
}

/// The HTTP door as a plugin asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequests {
    /// Named targets.
    #[serde(default)]
    pub targets: BTreeMap<String, TargetRequest>,
}

/// One target as a plugin asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetRequest {
    /// Origins such as `https://slack.com:443`, or `*`: the operator names the server. Left out for
    /// `candidate`, `stable` and `service`, whose addresses the rollout knows.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Methods. Empty grants `tls.inspect` alone.
    #[serde(default)]
    pub methods: Option<Vec<String>>,
    /// Paths, exact or with one `*` at the end.
    #[serde(default)]
    pub paths: Option<Vec<String>>,
    /// Secrets that it puts into headers.
    #[serde(default)]
    pub secrets: Vec<String>,
}

impl Manifest {
    /// `slack 1.2.0`.
    pub(crate) fn subject(&self) -> String {
        format!("{} {}", self.plugin.name, self.plugin.version)
    }

    /// Finds and reads the manifest of a component.
    ///
    /// # Errors
    /// A card: missing, twice there, too large, not TOML, another API, unknown fields.
    pub fn of_component(bytes: &[u8], file: &str) -> Result<Manifest, Card> {
        let sections = sections(bytes);
        match sections.as_slice() {
            [section] => Manifest::parse(section, file),
            [] => Err(Card::new("plugin/manifest-missing", file)
                .because(format!("the component has no custom section \"{SECTION}\""))
                .change("build it with sluice-sdk, which embeds plugin.toml, and export a plugin")),
            several => Err(Card::new("plugin/manifest-invalid", file)
                .because(format!(
                    "the component has {} custom sections \"{SECTION}\"; which one holds cannot be told",
                    several.len()
                ))
                .change("export one plugin per component")),
        }
    }

    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// A card, as for [`Manifest::of_component`].
    pub fn parse(text: &[u8], file: &str) -> Result<Manifest, Card> {
        let invalid = |why: String, change: &str| {
            Card::new("plugin/manifest-invalid", file)
                .at("plugin.toml")
                .because(why)
                .change(change)
        };
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(invalid(
                format!(
                    "it has {} bytes; {MAX_MANIFEST_BYTES} are allowed",
                    text.len()
                ),
                "shorten plugin.toml",
            ));
        }
        let text = std::str::from_utf8(text).map_err(|_| {
            invalid(
                "it is not UTF-8 text".to_owned(),
                "save plugin.toml as UTF-8",
            )
        })?;
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| invalid(toml_words(&error), "correct plugin.toml"))?;
        check_api(&table, file)?;
        check_kind(&table, file)?;
        let manifest: Manifest = toml::from_str(text)
            .map_err(|error| invalid(toml_words(&error), "correct plugin.toml and rebuild"))?;
        let faults = manifest.faults();
        if faults.is_empty() {
            return Ok(manifest);
        }
        // The name may be what is wrong: no more of it than a line has room for.
        let subject = crate::text::line(&manifest.subject(), 160);
        Err(Card::new("plugin/manifest-invalid", subject)
            .at("plugin.toml")
            .because_of(faults)
            .change("correct plugin.toml and rebuild"))
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !is_name(&self.plugin.name) {
            faults.push(format!(
                "plugin.name \"{}\": use lower-case letters, digits and dashes, a letter first, at most 63",
                crate::text::line(&self.plugin.name, 80)
            ));
        }
        let version = &self.plugin.version;
        if version.is_empty() || version.len() > 64 || !version.chars().all(is_version_char) {
            faults.push(format!(
                "plugin.version \"{}\": use a version such as 1.2.0",
                crate::text::line(version, 80)
            ));
        }
        if self.http.targets.len() > MAX_TARGETS {
            faults.push(format!("http.targets: at most {MAX_TARGETS} targets"));
        }
        if self.plugin.kind == PluginKind::TrafficStrategy && !self.http.targets.is_empty() {
            faults.push("http.targets: a traffic-strategy has no network".to_owned());
        }
        if self.plugin.kind == PluginKind::TrafficStrategy && self.wasi_http {
            faults.push("wasi-http: a traffic-strategy has no network".to_owned());
        }
        for (name, target) in &self.http.targets {
            if !is_name(name) {
                faults.push(format!(
                    "http.targets.{}: use lower-case letters, digits and dashes",
                    crate::text::line(name, 80)
                ));
            }
            target.faults(name, &mut faults);
        }
        faults
    }
}

impl TargetRequest {
    fn faults(&self, name: &str, faults: &mut Vec<String>) {
        use crate::net::origin::Origin;
        use crate::net::target::{PathPattern, is_rollout_target, method};
        let at = format!("http.targets.{name}");
        if is_rollout_target(name) && !self.hosts.is_empty() {
            faults.push(format!(
                "{at}.hosts: the rollout knows where {name} is; leave hosts out"
            ));
        }
        if !is_rollout_target(name) && self.hosts.is_empty() {
            faults.push(format!(
                "{at}.hosts: name the servers, or \"*\" to let the operator choose"
            ));
        }
        for host in self.hosts.iter().filter(|host| host.as_str() != "*") {
            if let Err(why) = Origin::parse(host) {
                faults.push(format!("{at}.hosts: {why}"));
            }
        }
        for text in self.methods.iter().flatten() {
            if let Err(why) = method(text) {
                faults.push(format!("{at}.methods: {why}"));
            }
        }
        for text in self.paths.iter().flatten() {
            if let Err(why) = PathPattern::parse(text) {
                faults.push(format!("{at}.paths: {why}"));
            }
        }
        for secret in self.secrets.iter().filter(|secret| !is_name(secret)) {
            faults.push(format!(
                "{at}.secrets: \"{}\": use lower-case letters, digits and dashes",
                crate::text::line(secret, 80)
            ));
        }
    }
}

fn check_api(table: &toml::Table, file: &str) -> Result<(), Card> {
    let api = table.get("api").and_then(toml::Value::as_str);
    if api == Some(API) {
        return Ok(());
    }
    let why = match api {
        Some(other) => {
            format!(
                "built for {}, this agent serves {API}",
                crate::text::line(other, 80)
            )
        }
        None => format!("plugin.toml does not say api = \"{API}\""),
    };
    Err(Card::new("plugin/api-mismatch", file)
        .at("plugin.toml, api")
        .because(why)
        .change("upgrade the agent to one that serves it, or rebuild with sluice-sdk 0.1"))
}

fn check_kind(table: &toml::Table, file: &str) -> Result<(), Card> {
    let plugin = table.get("plugin").and_then(toml::Value::as_table);
    let kind = plugin
        .and_then(|plugin| plugin.get("kind"))
        .and_then(toml::Value::as_str);
    if kind.is_some_and(|kind| KINDS.iter().any(|known| kind_name(*known) == kind)) {
        return Ok(());
    }
    let shown = kind.map_or("nothing".to_owned(), |kind| crate::text::line(kind, 80));
    let known: Vec<&str> = KINDS.iter().map(|kind| kind_name(*kind)).collect();
    Err(Card::new("plugin/kind-unknown", file)
        .at("plugin.toml, plugin.kind")
        .because(format!("it says {shown}; known are {}", known.join(", ")))
        .change("correct plugin.toml and rebuild"))
}

pub(crate) const KINDS: [PluginKind; 5] = [
    PluginKind::SmokeTest,
    PluginKind::MetricProvider,
    PluginKind::ApprovalProvider,
    PluginKind::TrafficStrategy,
    PluginKind::Notifier,
];

/// The kind as it stands in manifests and WIT.
pub(crate) fn kind_name(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::SmokeTest => "smoke-test",
        PluginKind::MetricProvider => "metric-provider",
        PluginKind::ApprovalProvider => "approval-provider",
        PluginKind::TrafficStrategy => "traffic-strategy",
        PluginKind::Notifier => "notifier",
    }
}

/// Lower-case letters, digits and dashes, a letter first, at most 63.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_version_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')
}

/// A TOML error in one line: what, and where.
fn toml_words(error: &toml::de::Error) -> String {
    crate::text::line(error.message(), 300)
}

/// Every manifest section, on the component's own level and in the modules within it: a linker
/// leaves it in the core module, a packer may lift it.
fn sections(bytes: &[u8]) -> Vec<&[u8]> {
    Parser::new(0)
        .parse_all(bytes)
        .map_while(Result::ok)
        .filter_map(|payload| match payload {
            Payload::CustomSection(section) if section.name() == SECTION => Some(section.data()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SLACK: &str = r#"
        api = "sluice:plugin@0.1"
        plugin = { kind = "notifier", name = "slack", version = "1.2.0", license = "Apache-2.0" }
        limits = { memory-mib = 64, cpu-ms = 200, wall-ms = 10000, requests = 8 }
        settings = { schema = "settings.schema.json" }
        http.targets.slack = { hosts = ["https://slack.com:443"], methods = ["POST"], paths = ["/api/chat.postMessage"], secrets = ["slack-token"] }
    "#;

    #[test]
    fn the_example_of_the_contract_is_read() {
        let manifest = Manifest::parse(SLACK.as_bytes(), "slack.wasm").unwrap();
        assert_eq!(manifest.subject(), "slack 1.2.0");
        assert_eq!(manifest.limits.memory_mib, Some(64));
        assert_eq!(
            manifest.http.targets["slack"].hosts,
            ["https://slack.com:443"]
        );
    }

    #[test]
    fn the_api_is_complained_about_before_anything_else() {
        let text = "api = \"sluice:plugin@0.2\"\nplugin = { kind = \"oracle\" }\nfoo = 1";
        let card = Manifest::parse(text.as_bytes(), "x.wasm").unwrap_err();
        assert_eq!(card.code, "plugin/api-mismatch");
        let text = text.replace("0.2", "0.1");
        let card = Manifest::parse(text.as_bytes(), "x.wasm").unwrap_err();
        assert_eq!(card.code, "plugin/kind-unknown");
    }

    #[test]
    fn unknown_fields_are_refused_on_every_level() {
        for (from, to) in [
            ("license =", "licence ="),
            ("cpu-ms", "cpu-s"),
            ("schema =", "scheme ="),
            ("methods =", "verbs ="),
            ("http.targets", "http.goals"),
            ("limits =", "limit ="),
        ] {
            let text = SLACK.replace(from, to);
            let card = Manifest::parse(text.as_bytes(), "x.wasm").unwrap_err();
            assert_eq!(card.code, "plugin/manifest-invalid", "{from}");
        }
    }

    #[test]
    fn every_fault_is_listed_at_once() {
        let text = r#"
            api = "sluice:plugin@0.1"
            plugin = { kind = "smoke-test", name = "Bad Name", version = "" }
            http.targets.candidate = { hosts = ["http://a:1"], methods = ["CONNECT"], paths = ["health"] }
            http.targets.other = { secrets = ["A B"] }
        "#;
        let card = Manifest::parse(text.as_bytes(), "x.wasm").unwrap_err();
        assert_eq!(card.why.len(), 7, "{card}");
    }

    proptest! {
        // Fuzz "manifest parser" (plugins.md section 10): any bytes, and the example with one byte
        // changed, end in a manifest or a card.
        #[test]
        fn any_text_ends_in_a_manifest_or_a_card(bytes in any::<Vec<u8>>()) {
            let _ = Manifest::parse(&bytes, "x.wasm");
        }

        #[test]
        fn a_changed_byte_ends_in_a_manifest_or_a_card(at in 0usize..400, byte in any::<u8>()) {
            let mut text = SLACK.as_bytes().to_vec();
            let index = at % text.len();
            text[index] = byte;
            if let Err(card) = Manifest::parse(&text, "x.wasm") {
                prop_assert!(!card.why.is_empty() && !card.change.is_empty());
            }
        }
    }
}
