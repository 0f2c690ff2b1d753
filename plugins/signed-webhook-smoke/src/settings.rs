//! Which webhooks are sent, and what has to come back.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sluice_sdk::Issue;
use sluice_sdk::probe::{Expect, OneOrMany, Patience};
use sluice_sdk::settings::{Complaints, issue, step};

use crate::letter;
use crate::style::SignSettings;

/// Most webhooks: five deliveries each, with room for some repetitions in the manifest's budget.
const MAX_WEBHOOKS: usize = 8;
/// Oldest time that can be sent: a week. No receiver that looks at times takes that.
const MAX_AGE_S: u32 = 7 * 24 * 60 * 60;
/// Methods that the manifest asks for.
const METHODS: [&str; 3] = ["PATCH", "POST", "PUT"];

/// The plugin's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// In order.
    pub webhooks: Vec<WebhookSettings>,
}

/// One webhook.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WebhookSettings {
    /// Its name in the report. Left out: method and path.
    #[serde(default)]
    pub name: Option<String>,
    /// Left out: `POST`.
    #[serde(default = "post")]
    pub method: String,
    /// Path and query.
    pub path: String,
    /// `candidate`, `service`, or a name from the grant.
    #[serde(default = "candidate")]
    pub target: String,
    /// Request headers beside the signature's.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: text as it stands, anything else as JSON. `{{timestamp}}` and `{{id}}` are put in.
    #[serde(default = "empty")]
    pub body: Value,
    /// How it is signed.
    pub sign: SignSettings,
    /// What a delivery with a good signature is answered with. Left out: status 202.
    #[serde(default)]
    pub expect: Expect,
    /// What a bad signature, and none, are answered with. Left out: 401.
    #[serde(default = "unauthorized")]
    pub bad_status: OneOrMany<u16>,
    /// Whether a delivery without a signature is sent too.
    #[serde(default = "yes")]
    pub unsigned: bool,
    /// Also sends the good delivery a second time.
    #[serde(default)]
    pub replay: Option<Replay>,
    /// Also sends a delivery that was signed long ago.
    #[serde(default)]
    pub stale: Option<Stale>,
    /// How often to try again when the answer is not as expected. The good delivery is sent once,
    /// unless this is set.
    #[serde(default)]
    pub retries: Option<u32>,
    /// The wait before the first repetition, in milliseconds; each further one is twice as long.
    #[serde(default = "retry_wait_ms")]
    pub retry_wait_ms: u32,
    /// How long one answer may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
}

/// The same delivery again: the same id, the same time, the same signature.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// What it is answered with: a refusal, or whatever a receiver says that has it already.
    #[serde(default = "refused")]
    pub status: OneOrMany<u16>,
}

/// A delivery with a good signature and an old time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Stale {
    /// How old, in seconds.
    #[serde(default = "ten_minutes")]
    pub age_seconds: u32,
    /// What it is answered with.
    #[serde(default = "too_old")]
    pub status: OneOrMany<u16>,
}

fn post() -> String {
    "POST".into()
}

fn candidate() -> String {
    "candidate".into()
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

fn unauthorized() -> OneOrMany<u16> {
    OneOrMany(vec![401])
}

fn refused() -> OneOrMany<u16> {
    OneOrMany(vec![401, 409])
}

fn too_old() -> OneOrMany<u16> {
    OneOrMany(vec![400, 401])
}

fn ten_minutes() -> u32 {
    600
}

fn yes() -> bool {
    true
}

fn retry_wait_ms() -> u32 {
    500
}

fn timeout_ms() -> u32 {
    5_000
}

impl WebhookSettings {
    /// Its name in the report.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("{} {}", self.method, self.path),
        }
    }

    /// What decides about repetitions. `unless_said` is how often, where the settings do not say.
    #[must_use]
    pub fn patience(&self, unless_said: u32) -> Patience {
        Patience {
            tries: self.retries.unwrap_or(unless_said).saturating_add(1),
            wait_ms: self.retry_wait_ms,
            timeout_ms: self.timeout_ms,
        }
    }

    /// The statuses that say that a good delivery was taken.
    #[must_use]
    pub fn good(&self) -> &[u16] {
        match self.expect.status.0.as_slice() {
            [] => &[202],
            given => given,
        }
    }

    fn complain(&self, complaints: &mut Complaints<'_>) {
        let known = METHODS.contains(&self.method.as_str());
        let hint = format!("one of {}", METHODS.join(", "));
        let message = format!("`{}` brings no webhook", self.method);
        complaints.refuse(!known, "/method", &message, &hint);
        complaints.path("/path", &self.path);
        complaints.name("/target", &self.target, "target");
        for (name, value) in &self.headers {
            let place = format!("/headers/{}", step(name));
            complaints.header(&place, name);
            complaints.line(&place, value);
        }
        self.sign.complain(complaints);
        self.expect.complain(&self.method, complaints);
        complaints.statuses("/badStatus", &self.bad_status.0);
        let none = self.bad_status.0.is_empty();
        complaints.refuse(none, "/badStatus", "no status", "such as 401");
        let both = self
            .bad_status
            .0
            .iter()
            .any(|code| self.good().contains(code));
        let message = "a good and a bad signature could have the same answer";
        complaints.refuse(both, "/badStatus", message, "set them apart");
        if let Some(replay) = &self.replay {
            complaints.statuses("/replay/status", &replay.status.0);
            complaints.refuse(
                replay.status.0.is_empty(),
                "/replay/status",
                "no status",
                "",
            );
        }
        if let Some(stale) = &self.stale {
            complaints.range("/stale/ageSeconds", stale.age_seconds, 1, MAX_AGE_S);
            complaints.statuses("/stale/status", &stale.status.0);
            complaints.refuse(stale.status.0.is_empty(), "/stale/status", "no status", "");
            let timeless =
                !self.sign.has_time() && !self.body.to_string().contains(letter::TIMESTAMP);
            let message = "nothing in the webhook says when it was sent";
            let hint = "use a style with a time, or put {{timestamp}} into the body";
            complaints.refuse(timeless, "/stale", message, hint);
        }
        complaints.patience("", self.retries, self.retry_wait_ms, self.timeout_ms);
    }
}

/// All complaints about the settings.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let count = settings.webhooks.len();
    let mut issues = Vec::new();
    if count == 0 {
        let hint = "add one: {path: /hooks/pay, sign: {secret: webhook-secret}}";
        issues.push(issue("/webhooks", "nothing to send", hint));
    }
    if count > MAX_WEBHOOKS {
        let hint = format!("at most {MAX_WEBHOOKS}; use the plugin twice for more");
        issues.push(issue("/webhooks", &format!("{count} webhooks"), &hint));
    }
    for (index, webhook) in settings.webhooks.iter().enumerate() {
        webhook.complain(&mut Complaints::at(
            &format!("/webhooks/{index}"),
            &mut issues,
        ));
    }
    issues
}
