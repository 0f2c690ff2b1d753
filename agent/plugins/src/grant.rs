//! Effective permission = what the manifest asks for ∩ what the operator grants (plugins.md
//! section 6). Both default to nothing. Every gap is reported at once, with the text to paste.
//!
//! A target with named hosts is a **need**: whatever the grant lacks is a gap, and the plugin is not
//! loaded. A target with `hosts = ["*"]`, and the rollout's own targets, are **offers**: the operator
//! takes as much of them as they like, and a plugin that uses more learns it from `not-granted`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use sluice_core::plugin::PluginKind;

use crate::card::Card;
use crate::limits::{LimitGap, Limits};
use crate::manifest::{Manifest, TargetRequest, kind_name};
use crate::net::address::Reach;
use crate::net::origin::Origin;
use crate::net::target::{PathPattern, ROLLOUT_TARGETS, Target, is_rollout_target};
use crate::operator::{FILE_NAME, PluginEntry, TargetGrant, TargetType};
use crate::secret::SecretRef;

/// Everything that one plugin may do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permissions {
    pub(crate) targets: BTreeMap<String, Target>,
    pub(crate) secrets: BTreeMap<String, SecretRef>,
    pub(crate) limits: Limits,
    /// Whether it may use the targets through `wasi:http`, too.
    pub(crate) wasi_http: bool,
}

/// The permissions of a plugin, shared with its running calls: a narrowed grant takes effect on the
/// next host call, not on the next load (plugins.md section 7).
#[derive(Clone, Debug, Default)]
pub(crate) struct PermissionCell(Arc<RwLock<Arc<Permissions>>>);

impl PermissionCell {
    pub(crate) fn new(permissions: Permissions) -> Self {
        PermissionCell(Arc::new(RwLock::new(Arc::new(permissions))))
    }

    /// What holds at this moment.
    pub(crate) fn now(&self) -> Arc<Permissions> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set(&self, permissions: Permissions) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(permissions);
    }
}

const ROLLOUT_METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// What became of manifest and grant.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What the plugin may do, gaps or not.
    pub(crate) permissions: Permissions,
    /// Needs that are not granted: the plugin is not loaded.
    pub(crate) missing: Vec<Card>,
    /// Limits below what it asks for: it is served all the same.
    pub(crate) smaller: Option<Card>,
}

/// Intersects. The permissions are safe to use even where there are gaps: they are only smaller
/// than the plugin hoped.
pub(crate) fn permissions(
    manifest: &Manifest,
    entry: &PluginEntry,
    place: &str,
    loopback_allowed: bool,
) -> Outcome {
    let mut gaps = Gaps::default();
    let mut targets = BTreeMap::new();
    let kind = manifest.plugin.kind;
    if talks_to_the_rollout(kind) {
        let nothing = TargetRequest::default();
        for name in ROLLOUT_TARGETS {
            let asked = manifest.http.targets.get(name).unwrap_or(&nothing);
            let granted = entry.grants.http.get(name);
            let target = rollout_target(asked, granted, loopback_allowed);
            targets.insert(name.to_owned(), target);
        }
    }
    for (name, asked) in manifest
        .http
        .targets
        .iter()
        .filter(|(name, _)| !is_rollout_target(name))
    {
        let granted = entry.grants.http.get(name);
        if let Some(target) = named_target(name, asked, granted, loopback_allowed, &mut gaps) {
            targets.insert(name.clone(), target);
        }
    }
    let mut secrets = BTreeMap::new();
    for name in targets.values().flat_map(|target| target.secrets.iter()) {
        match entry.secrets.get(name) {
            Some(at) => {
                secrets.insert(name.clone(), at.clone());
            }
            None => gaps.secret(name),
        }
    }
    callbacks(kind, entry, &mut gaps);
    let (limits, limit_gaps) = Limits::effective(&manifest.limits, &entry.grants.limits);
    gaps.wasi_http = manifest.wasi_http && !entry.grants.wasi_http;
    let missing = gaps.cards(manifest, entry, place);
    let smaller = smaller_limits(manifest, &limit_gaps, place);
    Outcome {
        permissions: Permissions {
            targets,
            secrets,
            limits,
            wasi_http: manifest.wasi_http && entry.grants.wasi_http,
        },
        missing,
        smaller,
    }
}

/// Whether a grant of callbacks can be meant: they are received by the agent, outside this process, and
/// the guest reads them. Every approval provider can, so there is nothing that its manifest has to ask
/// for.
fn callbacks(kind: PluginKind, entry: &PluginEntry, gaps: &mut Gaps) {
    let Some(grant) = &entry.grants.callbacks else {
        return;
    };
    if kind != PluginKind::ApprovalProvider {
        gaps.callbacks = Some(kind);
        return;
    }
    let name = grant.signature.secret();
    if !entry.secrets.contains_key(name) {
        gaps.secret(name);
    }
}

/// The plugin is served with less than it asks for: it may work all the same, and where it does not,
/// the call says which limit stopped it.
fn smaller_limits(manifest: &Manifest, gaps: &[LimitGap], place: &str) -> Option<Card> {
    if gaps.is_empty() {
        return None;
    }
    let mut card = Card::new("plugin/limit-smaller", manifest.subject())
        .effect("is served with smaller limits than it asks for")
        .at(place);
    let mut paste = Vec::new();
    for gap in gaps {
        let ceiling = if gap.granted == gap.ceiling {
            ", the most there is"
        } else {
            ""
        };
        card = card.because(format!(
            "it asks for {} = {}; {} is granted{ceiling}",
            gap.name, gap.asked, gap.granted
        ));
        if gap.granted < gap.ceiling {
            paste.push(format!("{}: {}", gap.name, gap.asked.min(gap.ceiling)));
        }
    }
    Some(match paste.is_empty() {
        true => card.change("nothing, if it works all the same; else ask its author to need less"),
        false => card.change(format!("add   limits: {{ {} }}", paste.join(", "))),
    })
}

/// Only these kinds look at pods (plugins.md section 1).
pub(crate) fn talks_to_the_rollout(kind: PluginKind) -> bool {
    match kind {
        PluginKind::SmokeTest | PluginKind::MetricProvider => true,
        PluginKind::ApprovalProvider | PluginKind::TrafficStrategy | PluginKind::Notifier => false,
    }
}

fn rollout_target(
    asked: &TargetRequest,
    granted: Option<&TargetGrant>,
    loopback_allowed: bool,
) -> Target {
    let methods = match &asked.methods {
        Some(methods) => methods.iter().cloned().collect(),
        None => ROLLOUT_METHODS.map(str::to_owned).into(),
    };
    let everything = vec![PathPattern::everything()];
    let no_grant = TargetGrant::default();
    let grant = granted.unwrap_or(&no_grant);
    Target {
        origin: None,
        methods,
        asked_paths: asked
            .paths
            .as_ref()
            .map_or(everything.clone(), |paths| patterns(paths)),
        granted_paths: everything,
        secrets: intersection(&asked.secrets, &grant.secrets),
        plaintext_secrets: grant.plaintext_secrets,
        reach: Reach {
            private: true,
            loopback: loopback_allowed,
        },
    }
}

fn named_target(
    name: &str,
    asked: &TargetRequest,
    granted: Option<&TargetGrant>,
    loopback_allowed: bool,
    gaps: &mut Gaps,
) -> Option<Target> {
    let asked_methods = asked.methods.clone().unwrap_or_default();
    let asked_paths = asked.paths.clone().unwrap_or_default();
    let paste = |url: &str| {
        let mut paste = format!("url: \"{url}\"");
        if !asked_methods.is_empty() {
            paste += &format!(", methods: [{}]", join(&asked_methods));
        }
        if !asked_paths.is_empty() {
            paste += &format!(", paths: [{}]", join(&asked_paths));
        }
        if !asked.secrets.is_empty() {
            paste += &format!(", secrets: [{}]", join(&asked.secrets));
        }
        paste
    };
    let suggested = asked
        .hosts
        .iter()
        .find(|host| host.as_str() != "*")
        .map_or("https://server.example.com:443", String::as_str);
    let is_offer = asked.hosts.iter().all(|host| host == "*");
    if granted.is_none() && is_offer {
        return None;
    }
    let Some(grant) = granted else {
        gaps.target(
            format!("the plugin asks for HTTP target \"{name}\"; no grant names it"),
            name,
            paste(suggested),
        );
        return None;
    };
    // A grant that is not well formed was refused when the file was read.
    let origin = Origin::parse(grant.url.as_deref()?).ok()?;
    let on_this_machine = grant.allow_loopback && origin.is_loopback();
    if on_this_machine && !loopback_allowed {
        gaps.target(
            format!("target \"{name}\" is granted on loopback; only the demo and tests allow that"),
            name,
            paste(suggested),
        );
        return None;
    }
    // On loopback, in the demo and in tests, a server of our own stands in for the real one: nothing
    // leaves the machine.
    let asked_for = on_this_machine
        || asked
            .hosts
            .iter()
            .any(|host| host == "*" || Origin::parse(host).as_ref() == Ok(&origin));
    if !asked_for {
        gaps.target(
            format!(
                "target \"{name}\" is granted at {origin}; the plugin only goes to {}",
                join(&asked.hosts)
            ),
            name,
            paste(suggested),
        );
        return None;
    }
    let granted_paths = patterns(&grant.paths);
    let asked_patterns = patterns(&asked_paths);
    let methods: Vec<&String> = asked_methods
        .iter()
        .filter(|method| !grant.methods.contains(method))
        .collect();
    let paths: Vec<&String> = asked_paths
        .iter()
        .zip(&asked_patterns)
        .filter(|(_, asked)| !granted_paths.iter().any(|granted| granted.covers(asked)))
        .map(|(text, _)| text)
        .collect();
    let secrets: Vec<&String> = asked
        .secrets
        .iter()
        .filter(|secret| !grant.secrets.contains(*secret))
        .collect();
    let mut lacking = Vec::new();
    if !methods.is_empty() {
        lacking.push(format!("methods {}", join(&methods)));
    }
    if !paths.is_empty() {
        lacking.push(format!("paths {}", join(&paths)));
    }
    if !secrets.is_empty() {
        lacking.push(secrets_text(&secrets));
    }
    if !lacking.is_empty() && !is_offer {
        gaps.target(
            format!(
                "the grant of HTTP target \"{name}\" lacks {}",
                lacking.join(" and ")
            ),
            name,
            paste(&origin.to_string()),
        );
    }
    Some(Target {
        origin: Some(origin),
        methods: intersection(&asked_methods, &grant.methods.iter().cloned().collect()),
        asked_paths: asked_patterns,
        granted_paths,
        secrets: intersection(&asked.secrets, &grant.secrets),
        plaintext_secrets: grant.plaintext_secrets
            && (on_this_machine || grant.kind == TargetType::ClusterService),
        reach: Reach {
            private: grant.kind == TargetType::ClusterService,
            loopback: grant.allow_loopback && loopback_allowed,
        },
    })
}

fn intersection(asked: &[String], granted: &BTreeSet<String>) -> BTreeSet<String> {
    asked
        .iter()
        .filter(|name| granted.contains(*name))
        .cloned()
        .collect()
}

fn patterns(texts: &[String]) -> Vec<PathPattern> {
    // Malformed ones were refused with the file they stand in; here they simply match nothing.
    texts
        .iter()
        .filter_map(|text| PathPattern::parse(text).ok())
        .collect()
}

fn join<T: AsRef<str>>(items: &[T]) -> String {
    items
        .iter()
        .map(AsRef::as_ref)
        .collect::<Vec<_>>()
        .join(", ")
}

fn secrets_text(names: &[&String]) -> String {
    format!(
        "{} {}",
        if names.len() == 1 {
            "secret"
        } else {
            "secrets"
        },
        join(names)
    )
}

/// What is missing, collected until all of it is known.
#[derive(Default)]
struct Gaps {
    why: Vec<String>,
    paste: BTreeMap<String, String>,
    secrets: BTreeSet<String>,
    /// Whether the second door is asked for and not granted.
    wasi_http: bool,
    /// The kind of a plugin that is granted callbacks and cannot read any.
    callbacks: Option<PluginKind>,
}

impl Gaps {
    fn target(&mut self, why: String, name: &str, paste: String) {
        self.why.push(why);
        self.paste.insert(name.to_owned(), paste);
    }

    fn secret(&mut self, name: &str) {
        self.secrets.insert(name.to_owned());
    }

    fn cards(self, manifest: &Manifest, entry: &PluginEntry, place: &str) -> Vec<Card> {
        let mut cards = Vec::new();
        if !self.why.is_empty() {
            let targets: Vec<String> = self
                .paste
                .iter()
                .map(|(name, grant)| format!("{name}: {{ {grant} }}"))
                .collect();
            cards.push(
                Card::new("plugin/grant-missing", manifest.subject())
                    .at(format!("{place}; import sluice:plugin/http"))
                    .because_of(self.why)
                    .change(format!("add   http: {{ {} }}", targets.join(", "))),
            );
        }
        if self.wasi_http {
            cards.push(
                Card::new("plugin/grant-missing", manifest.subject())
                    .at(format!("{place}; import wasi:http/outgoing-handler"))
                    .because(
                        "the plugin asks to reach its targets through wasi:http; no grant opens that door",
                    )
                    .change("add   wasi-http: true"),
            );
        }
        if !self.secrets.is_empty() {
            let names: Vec<String> = self.secrets.into_iter().collect();
            let paste: Vec<String> = names
                .iter()
                .map(|name| format!("{name}: {{ secret: {}, key: {name} }}", entry.name))
                .collect();
            cards.push(
                Card::new("plugin/secret-missing", manifest.subject())
                    .at(format!("{FILE_NAME}, plugin {}", entry.name))
                    .because(format!(
                        "{} granted, but the file does not say where to find it",
                        secrets_text(&names.iter().collect::<Vec<_>>())
                    ))
                    .change(format!("add   secrets: {{ {} }}", paste.join(", "))),
            );
        }
        if let Some(kind) = self.callbacks {
            cards.push(
                Card::new("plugin/callbacks-unfit", manifest.subject())
                    .at(format!(
                        "{FILE_NAME}, plugin {}, grants.callbacks",
                        entry.name
                    ))
                    .because(format!(
                        "only an approval-provider is called back, and this is a {}",
                        kind_name(kind)
                    ))
                    .change("remove   callbacks"),
            );
        }
        cards
    }
}

#[cfg(test)]
mod tests;
