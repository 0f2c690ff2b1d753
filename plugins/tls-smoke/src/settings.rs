//! Which certificates are looked at, and what they should be.

use serde::Deserialize;
use sluice_sdk::Issue;
use sluice_sdk::probe::OneOrMany;
use sluice_sdk::settings::{Complaints, issue};

/// Most hosts and redirects together: half the budget of the manifest, so that each may be tried
/// twice.
const MAX_LOOKS: usize = 16;
/// Most days that can be asked for. Public certificates live 398 days at most; private ones longer.
const MAX_DAYS: u32 = 3_650;
/// Longest wait for a handshake, in milliseconds: the wall time of the manifest.
const MAX_TIMEOUT_MS: u32 = 30_000;
/// Most repetitions.
const MAX_RETRIES: u32 = 10;

/// The plugin's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Servers whose certificates are looked at.
    #[serde(default)]
    pub hosts: Vec<HostSettings>,
    /// Plain addresses that have to lead to HTTPS.
    #[serde(default)]
    pub redirects: Vec<RedirectSettings>,
}

/// One server and what its certificate should be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HostSettings {
    /// A target in the grant, or `candidate`, `stable`, `service` where they speak TLS.
    pub target: String,
    /// Its name in the report. Left out: the target.
    #[serde(default)]
    pub name: Option<String>,
    /// How many days every certificate of the chain has left at least. Left out: 14.
    #[serde(default = "min_days")]
    pub min_days: u32,
    /// Texts of which the leaf's subject contains one.
    #[serde(default)]
    pub subject: OneOrMany<String>,
    /// Texts of which the leaf's issuer contains one.
    #[serde(default)]
    pub issuer: OneOrMany<String>,
    /// Whether the chain has to verify for the host's name. `false` for a private authority that the
    /// agent does not know: dates, subject and issuer still count.
    #[serde(default = "yes")]
    pub verify: bool,
    /// How often to try again when there is no handshake.
    #[serde(default = "retries")]
    pub retries: u32,
    /// How long one handshake may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
}

/// A plain address that has to lead to HTTPS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RedirectSettings {
    /// A target in the grant with an `http` address.
    pub target: String,
    /// Path and query that are asked for.
    #[serde(default = "root")]
    pub path: String,
    /// The address that it leads to; a `*` at the end stands for any ending.
    #[serde(default = "anywhere_secure")]
    pub to: String,
    /// Whether it has to be permanent: 301 or 308.
    #[serde(default)]
    pub permanent: bool,
}

fn min_days() -> u32 {
    14
}

fn yes() -> bool {
    true
}

fn retries() -> u32 {
    2
}

fn timeout_ms() -> u32 {
    5_000
}

fn root() -> String {
    "/".into()
}

fn anywhere_secure() -> String {
    "https://*".into()
}

impl HostSettings {
    /// Its name in the report.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.target)
    }
}

/// All complaints about the settings.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let mut issues = Vec::new();
    let looks = settings.hosts.len() + settings.redirects.len();
    if looks == 0 {
        let hint = "add a host: {target: public}";
        issues.push(issue("/hosts", "nothing to look at", hint));
    }
    if looks > MAX_LOOKS {
        let hint = format!("at most {MAX_LOOKS}; use the plugin twice for more");
        let message = format!("{looks} hosts and redirects");
        issues.push(issue("/hosts", &message, &hint));
    }
    for (index, host) in settings.hosts.iter().enumerate() {
        let mut complaints = Complaints::at(&format!("/hosts/{index}"), &mut issues);
        complaints.name("/target", &host.target, "target");
        complaints.range("/minDays", host.min_days, 0, MAX_DAYS);
        complaints.range("/retries", host.retries, 0, MAX_RETRIES);
        complaints.range("/timeoutMs", host.timeout_ms, 1, MAX_TIMEOUT_MS);
        for (place, texts) in [("/subject", &host.subject), ("/issuer", &host.issuer)] {
            let empty = texts.0.iter().any(String::is_empty);
            let message = "every name contains the empty text";
            complaints.refuse(empty, place, message, "write a part of the name");
        }
    }
    for (index, redirect) in settings.redirects.iter().enumerate() {
        let mut complaints = Complaints::at(&format!("/redirects/{index}"), &mut issues);
        complaints.name("/target", &redirect.target, "target");
        complaints.path("/path", &redirect.path);
        let message = format!("`{}` is no HTTPS address", redirect.to);
        let insecure = !redirect.to.starts_with("https://");
        let hint = "such as https://shop.example.com/*";
        complaints.refuse(insecure, "/to", &message, hint);
    }
    issues
}
