//! The operator's file `plugins.yaml`: which plugins are served, and what each of them may do.
//!
//! It lies beside the plugins and is read again on every change. What it does not grant is not
//! granted (plugins.md section 6).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactRef;
use crate::callback::CallbackGrant;
use crate::card::Card;
use crate::limits::LimitSettings;
use crate::secret::{SecretRef, is_file_name};

mod verify;

pub use verify::{CosignSigner, SignatureRule, Verify, VerifyMode};

/// Name of the file within the plugins folder.
pub const FILE_NAME: &str = "plugins.yaml";
/// Largest file.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 20;
/// Most plugins in one folder.
pub(crate) const MAX_PLUGINS: usize = 64;

/// `plugins.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginsFile {
    /// The plugins, in any order.
    pub plugins: Vec<PluginEntry>,
}

/// One plugin as the operator wants it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginEntry {
    /// The name by which pipelines call it.
    pub name: String,
    /// Where its component comes from.
    pub source: Source,
    /// What has to be true of its component: a pin, or signatures.
    #[serde(default)]
    pub verify: Option<Verify>,
    /// What it may do.
    #[serde(default)]
    pub grants: Grants,
    /// Which secrets stand behind the names that it uses.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretRef>,
    /// Settings that hold for every use, unless the use says otherwise.
    #[serde(default)]
    pub settings: Option<serde_json::Value>,
}

/// Where a component comes from. Exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// A file in the plugins folder.
    #[serde(default)]
    pub file: Option<String>,
    /// An OCI reference with a digest.
    #[serde(default)]
    pub oci: Option<String>,
}

/// What a plugin may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Grants {
    /// Named targets.
    #[serde(default)]
    pub http: BTreeMap<String, TargetGrant>,
    /// Whether the targets may be reached through `wasi:http`, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wasi_http: bool,
    /// Limits of one call.
    #[serde(default)]
    pub limits: LimitSettings,
    /// What an approval provider may be sent back. Nothing, unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callbacks: Option<CallbackGrant>,
}

/// Where a granted server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetType {
    /// On the internet: private addresses are refused.
    #[default]
    External,
    /// A Service of this cluster: private addresses are allowed.
    ClusterService,
}

/// One granted target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetGrant {
    /// The server, such as `https://slack.com:443`. Left out for `candidate`, `stable`, `service`.
    #[serde(default)]
    pub url: Option<String>,
    /// Whether it is a Service of this cluster.
    #[serde(default, rename = "type")]
    pub kind: TargetType,
    /// Methods.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Paths, exact or with one `*` at the end.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Secrets that may be sent there.
    #[serde(default)]
    pub secrets: BTreeSet<String>,
    /// Whether they may be sent without encryption.
    #[serde(default)]
    pub plaintext_secrets: bool,
    /// Whether it may be the agent's own machine. Refused unless the agent runs the demo or tests.
    #[serde(default)]
    pub allow_loopback: bool,
}

impl PluginsFile {
    /// Reads the text of `plugins.yaml`.
    ///
    /// # Errors
    /// One card with every fault of form.
    pub fn parse(text: &str) -> Result<PluginsFile, Card> {
        let card = || Card::new("plugin/config-invalid", FILE_NAME).at(FILE_NAME);
        let file: PluginsFile = serde_saphyr::from_str(text).map_err(|error| {
            card().because(crate::text::block(&error.to_string(), 1500).replace('\n', "\n          ")).change(
                "correct the file; what served before it was broken keeps serving with its grants",
            )
        })?;
        let faults = file.faults();
        if faults.is_empty() {
            return Ok(file);
        }
        Err(card().because_of(faults).change("correct the file"))
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.plugins.len() > MAX_PLUGINS {
            faults.push(format!("plugins: at most {MAX_PLUGINS} plugins"));
        }
        let mut names = BTreeSet::new();
        for (index, entry) in self.plugins.iter().enumerate() {
            let at = format!("plugins[{index}]");
            let shown = crate::text::line(&entry.name, 80);
            if !crate::manifest::is_name(&entry.name) {
                faults.push(format!(
                    "{at}.name: \"{shown}\": use lower-case letters, digits and dashes, a letter first"
                ));
            }
            if !names.insert(entry.name.as_str()) {
                faults.push(format!("{at}.name: \"{shown}\" is there twice"));
            }
            entry.faults(&at, &mut faults);
        }
        faults
    }
}

impl PluginEntry {
    /// An entry for a file that no `plugins.yaml` names: everything closed.
    pub(crate) fn bare(name: &str, file: &str) -> PluginEntry {
        PluginEntry {
            name: name.to_owned(),
            source: Source {
                file: Some(file.to_owned()),
                oci: None,
            },
            verify: None,
            grants: Grants::default(),
            secrets: BTreeMap::new(),
            settings: None,
        }
    }

    fn faults(&self, at: &str, faults: &mut Vec<String>) {
        match (&self.source.file, &self.source.oci) {
            (Some(file), None) if !stays_inside(file) => faults.push(format!(
                "{at}.source.file: \"{}\": name a file below the plugins folder",
                crate::text::line(file, 120)
            )),
            (Some(_), None) => {}
            (None, Some(reference)) => {
                if let Err(why) = ArtifactRef::parse(reference) {
                    faults.push(format!("{at}.source.oci: {why}"));
                }
            }
            (Some(_), Some(_)) | (None, None) => {
                faults.push(format!("{at}.source: write either file or oci"));
            }
        }
        let from_registry = self.source.oci.is_some();
        match &self.verify {
            Some(verify) => verify.faults(&format!("{at}.verify"), from_registry, faults),
            None if from_registry => {
                Verify::default().faults(&format!("{at}.verify"), true, faults);
            }
            None => {}
        }
        for (name, target) in &self.grants.http {
            target.faults(
                &format!("{at}.grants.http.{}", crate::text::line(name, 80)),
                name,
                faults,
            );
        }
        if let Some(callbacks) = &self.grants.callbacks {
            callbacks.faults(&format!("{at}.grants.callbacks"), faults);
            let signing = callbacks.signature.secret();
            let mut targets = self.grants.http.iter();
            if let Some((name, _)) = targets.find(|(_, target)| target.secrets.contains(signing)) {
                faults.push(format!(
                    "{at}.grants.http.{}: the secret of callbacks, {}, is granted here too: the plugin could sign callbacks to itself; use another",
                    crate::text::line(name, 80),
                    crate::text::line(signing, 80)
                ));
            }
        }
        for (name, secret) in &self.secrets {
            if !crate::manifest::is_name(name) {
                faults.push(format!(
                    "{at}.secrets: \"{}\": use lower-case letters, digits and dashes",
                    crate::text::line(name, 80)
                ));
            }
            if !is_file_name(&secret.secret) || !is_file_name(&secret.key) {
                faults.push(format!(
                    "{at}.secrets.{name}: secret and key are Kubernetes names"
                ));
            }
        }
        if self
            .settings
            .as_ref()
            .is_some_and(|settings| !settings.is_object())
        {
            faults.push(format!("{at}.settings: write a mapping"));
        }
    }
}

impl TargetGrant {
    fn faults(&self, at: &str, name: &str, faults: &mut Vec<String>) {
        use crate::net::origin::Origin;
        use crate::net::target::{PathPattern, is_rollout_target, method};
        match &self.url {
            Some(_) if is_rollout_target(name) => {
                faults.push(format!(
                    "{at}.url: the rollout knows where {name} is; leave url out"
                ));
            }
            Some(url) => {
                if let Err(why) = Origin::parse(url) {
                    faults.push(format!("{at}.url: {why}"));
                }
            }
            None if is_rollout_target(name) => {}
            None => faults.push(format!("{at}.url: name the server")),
        }
        for text in &self.methods {
            if let Err(why) = method(text) {
                faults.push(format!("{at}.methods: {why}"));
            }
        }
        for text in &self.paths {
            if let Err(why) = PathPattern::parse(text) {
                faults.push(format!("{at}.paths: {why}"));
            }
        }
    }
}

/// A relative path without `..`: it cannot leave the folder.
fn stays_inside(file: &str) -> bool {
    !file.is_empty()
        && file.len() <= 255
        && Path::new(file)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r##"
plugins:
  - name: slack
    source: { file: slack.wasm }
    verify: { sha256: 9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c }
    grants:
      http: { slack: { url: "https://slack.com:443", methods: [POST], paths: [/api/chat.postMessage], secrets: [slack-token] } }
      limits: { memory-mib: 64, cpu-ms: 200, wall-ms: 10000, requests: 8 }
    secrets: { slack-token: { secret: slack, key: token } }
    settings: { channel: "#deploys" }
"##;

    #[test]
    fn the_example_of_the_contract_is_read() {
        let file = PluginsFile::parse(EXAMPLE).unwrap();
        let slack = &file.plugins[0];
        assert_eq!(
            slack.grants.http["slack"].url.as_deref(),
            Some("https://slack.com:443")
        );
        assert_eq!(
            slack.settings,
            Some(serde_json::json!({"channel": "#deploys"}))
        );
    }

    #[test]
    fn unknown_fields_are_refused_on_every_level() {
        for (from, to) in [
            ("plugins:", "plugin:"),
            ("source:", "from:"),
            ("file:", "path:"),
            ("sha256:", "sha1:"),
            ("grants:", "permissions:"),
            ("http:", "https:"),
            ("methods:", "method:"),
            ("memory-mib", "memory"),
            ("key:", "field:"),
        ] {
            let card = PluginsFile::parse(&EXAMPLE.replace(from, to)).unwrap_err();
            assert_eq!(card.code, "plugin/config-invalid", "{from}");
        }
    }

    #[test]
    fn every_fault_is_listed_at_once() {
        let text = r#"
plugins:
  - name: Slack
    source: { file: ../slack.wasm }
    verify: { sha256: 9F }
    grants: { http: { slack: { methods: [CONNECT] }, candidate: { url: "http://a:1" } } }
    settings: [1]
  - name: other
    source: { oci: "oci.example.com/sluice/slack@sha256:9f3c" }
  - name: other
    source: {}
"#;
        let card = PluginsFile::parse(text).unwrap_err();
        assert_eq!(card.why.len(), 11, "{card}");
    }

    #[test]
    fn a_file_cannot_point_outside_the_folder() {
        for file in ["/etc/passwd", "../x.wasm", "a/../../x.wasm", "./x.wasm", ""] {
            assert!(!stays_inside(file), "{file}");
        }
        assert!(stays_inside("x.wasm") && stays_inside("team/x.wasm"));
    }
}
