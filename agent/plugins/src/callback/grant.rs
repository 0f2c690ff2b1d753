//! What an operator writes to let an approval provider be called back, and what is wrong with it.
//!
//! ```yaml
//! callbacks:
//!   signature: { slack: { secret: slack-signing-secret } }
//!   body: { form: payload }
//!   person: { provider: slack, pointer: /user/id }
//!   subject: { pointer: /actions/0/value }
//!   require: { /api_app_id: A123, /team/id: T123, /type: block_actions }
//!   forbid: [/user/is_bot]
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_core::policy::IdentityProvider;

/// Longest JSON pointer, in bytes.
const MAX_POINTER_BYTES: usize = 256;
/// Most entries of `require` and of `forbid`.
const MAX_RULES: usize = 32;
/// What a callback of Slack has to be pinned to: the app, and what was done.
const SLACK_PINS: [&str; 2] = ["/api_app_id", "/type"];
/// Where Slack says which workspace its user belongs to.
pub(super) const SLACK_HOME: &str = "/user/team_id";
/// Where Slack says which workspace the app is installed in.
const SLACK_TEAM: &str = "/team/id";

/// The callbacks of one plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallbackGrant {
    /// How a callback proves where it comes from.
    pub signature: CallbackSignature,
    /// Where the JSON document is.
    pub body: CallbackBody,
    /// Whom the host believes.
    #[serde(default)]
    pub person: CallbackPerson,
    /// Where the approval hash is.
    #[serde(default)]
    pub subject: Option<CallbackSubject>,
    /// Exact values by JSON pointer; all of them have to hold. `null` also holds for nothing there.
    #[serde(default)]
    pub require: BTreeMap<String, Value>,
    /// JSON pointers to flags: anything there but `false` or `null` refuses the callback.
    #[serde(default)]
    pub forbid: Vec<String>,
}

/// How a callback is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum CallbackSignature {
    /// As Slack does: HMAC-SHA256 over `v0:<time stamp>:<body>`.
    Slack {
        /// Name of the signing secret.
        secret: String,
    },
    /// HMAC-SHA256 over `<time stamp>.<body>`, in hexadecimal, with or without `sha256=` before it.
    Hmac {
        /// Name of the secret.
        secret: String,
        /// Header of the signature.
        header: String,
        /// Header of the time stamp, in seconds since 1970.
        timestamp_header: String,
    },
}

impl CallbackSignature {
    /// Name of the secret.
    pub(crate) fn secret(&self) -> &str {
        match self {
            CallbackSignature::Slack { secret } | CallbackSignature::Hmac { secret, .. } => secret,
        }
    }

    pub(super) fn header(&self) -> &str {
        match self {
            CallbackSignature::Slack { .. } => "x-slack-signature",
            CallbackSignature::Hmac { header, .. } => header,
        }
    }

    pub(super) fn timestamp_header(&self) -> &str {
        match self {
            CallbackSignature::Slack { .. } => "x-slack-request-timestamp",
            CallbackSignature::Hmac {
                timestamp_header, ..
            } => timestamp_header,
        }
    }
}

/// Where the JSON document is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CallbackBody {
    /// It is the body.
    Json,
    /// It is this field of a form.
    Form(String),
}

/// Who is believed to have sent a callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallbackPerson {
    /// `slack`: a member of the pinned workspace. `plugin`: nobody in particular, so that the
    /// decision fills only roles that the policy gives to the plugin.
    pub provider: IdentityProvider,
    /// Where the name is. Only with `slack`.
    #[serde(default)]
    pub pointer: Option<String>,
}

impl Default for CallbackPerson {
    fn default() -> Self {
        CallbackPerson {
            provider: IdentityProvider::Plugin,
            pointer: None,
        }
    }
}

/// Where the approval hash is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackSubject {
    /// JSON pointer.
    pub pointer: String,
}

impl CallbackGrant {
    /// Everything that is wrong with it. `at` is its place in the file.
    pub(crate) fn faults(&self, at: &str, faults: &mut Vec<String>) {
        let is_slack = matches!(self.signature, CallbackSignature::Slack { .. });
        if !crate::manifest::is_name(self.signature.secret()) {
            faults.push(format!(
                "{at}.signature: name the secret in lower-case letters, digits and dashes, as in secrets"
            ));
        }
        if let CallbackSignature::Hmac {
            header,
            timestamp_header,
            ..
        } = &self.signature
        {
            for (field, name) in [("header", header), ("timestampHeader", timestamp_header)] {
                if name.len() > 64 || http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                    faults.push(format!(
                        "{at}.signature.hmac.{field}: write the name of a header"
                    ));
                }
            }
            if header.eq_ignore_ascii_case(timestamp_header) {
                faults.push(format!(
                    "{at}.signature.hmac: signature and time stamp need a header each"
                ));
            }
        }
        if let CallbackBody::Form(field) = &self.body
            && (field.is_empty() || field.len() > 64)
        {
            faults.push(format!(
                "{at}.body.form: name the field that holds the JSON document"
            ));
        }
        self.person.faults(at, is_slack, faults);
        if let Some(subject) = &self.subject {
            pointer(&format!("{at}.subject.pointer"), &subject.pointer, faults);
        }
        if self.require.len() > MAX_RULES || self.forbid.len() > MAX_RULES {
            faults.push(format!(
                "{at}: at most {MAX_RULES} entries in require and in forbid"
            ));
        }
        for (place, value) in &self.require {
            pointer(&format!("{at}.require"), place, faults);
            if value.is_object() || value.is_array() {
                faults.push(format!(
                    "{at}.require: \"{}\": write one text, number, true, false or null",
                    crate::text::line(place, 80)
                ));
            }
        }
        for place in &self.forbid {
            pointer(&format!("{at}.forbid"), place, faults);
        }
        if is_slack {
            self.slack_faults(at, faults);
        }
    }

    /// Slack signs for every workspace that the app is in: without pins, anybody who can install
    /// the app elsewhere could press buttons (reliability.md H2).
    fn slack_faults(&self, at: &str, faults: &mut Vec<String>) {
        for pin in SLACK_PINS {
            if !self.is_pinned(pin) {
                faults.push(format!(
                    "{at}.require: add {pin}: a text that Slack has to send there"
                ));
            }
        }
        if self.slack_home().is_none() {
            faults.push(format!(
                "{at}.require: add {SLACK_TEAM} with the id of your workspace (or {SLACK_HOME}, where the app belongs to an organisation)"
            ));
        }
    }

    fn is_pinned(&self, place: &str) -> bool {
        self.require
            .get(place)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
    }

    /// The workspace that a Slack user has to belong to: one of another that sits in the same
    /// channel (Slack Connect) is a stranger.
    pub(super) fn slack_home(&self) -> Option<&str> {
        [SLACK_HOME, SLACK_TEAM]
            .into_iter()
            .find(|place| self.is_pinned(place))
            .and_then(|place| self.require.get(place)?.as_str())
    }
}

impl CallbackPerson {
    fn faults(&self, at: &str, is_slack: bool, faults: &mut Vec<String>) {
        let at = format!("{at}.person");
        match (self.provider, &self.pointer) {
            (IdentityProvider::Slack, _) if !is_slack => faults.push(format!(
                "{at}.provider: only callbacks that Slack signs can name people of Slack; write plugin"
            )),
            (IdentityProvider::Slack, Some(place)) => {
                pointer(&format!("{at}.pointer"), place, faults);
            }
            (IdentityProvider::Slack, None) => {
                faults.push(format!("{at}.pointer: say where the user's id is, such as /user/id"));
            }
            (IdentityProvider::Plugin, None) => {}
            (IdentityProvider::Plugin, Some(_)) => faults.push(format!(
                "{at}.pointer: with provider plugin nobody in particular is believed; leave it out"
            )),
            (
                IdentityProvider::Kubernetes | IdentityProvider::Oidc | IdentityProvider::Caller,
                _,
            ) => faults.push(format!(
                "{at}.provider: a callback cannot vouch for {}; write slack or plugin",
                self.provider.as_str()
            )),
        }
    }
}

/// Complains about a text that is no JSON pointer (RFC 6901) to something within the document.
fn pointer(at: &str, text: &str, faults: &mut Vec<String>) {
    let escapes = text
        .split('~')
        .skip(1)
        .all(|rest| rest.starts_with(['0', '1']));
    let good = text.starts_with('/')
        && text.len() <= MAX_POINTER_BYTES
        && !text.chars().any(char::is_control)
        && escapes;
    if !good {
        faults.push(format!(
            "{at}: \"{}\": write a JSON pointer such as /user/id",
            crate::text::line(text, 80)
        ));
    }
}

#[cfg(test)]
mod tests;
