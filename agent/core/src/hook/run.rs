//! What the journal keeps of a hook.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::JobPods;
use super::LOG_LIMIT;
use crate::rollout::cut;

/// Bytes of JSON that all hooks of a Rollout may take in the journal: sixteen of them without a word
/// need half of it.
const HOOKS_BYTES: usize = 12 * 1024;
/// Most bytes kept of what a Job said of itself.
const RESULT_LIMIT: usize = 1024;
/// Longest restore command, in bytes. A cut one would be worse than none.
const RESTORE_LIMIT: usize = 500;
/// Longest sentence about a hook, in bytes.
const MESSAGE_LIMIT: usize = 300;
/// The same where there is no room.
const SHORT_LIMIT: usize = 100;

/// When a hook runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HookWhen {
    /// Before the first step.
    #[default]
    Before,
    /// When nothing goes back any more.
    After,
    /// While going back, to take back one that was started before.
    Undo,
}

impl HookWhen {
    /// As it stands in names and environments.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Undo => "undo",
        }
    }
}

/// How far a hook is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HookState {
    /// Its Job is being created, suspended.
    #[default]
    Wanted,
    /// Its Job is being started.
    Starting,
    /// Its Job was seen to be started.
    Running,
    /// Its Job is complete, and said what it had to say.
    Succeeded,
    /// It failed, was lost, or did not end in time.
    Failed,
    /// It was given up before its Job was started.
    NeverStarted,
}

/// One run of one hook. There is never a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookRun {
    /// The hook's name.
    pub name: String,
    /// When it runs.
    pub when: HookWhen,
    /// Name of its Job, in the target's namespace.
    pub job: String,
    /// uid of the Job that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_uid: Option<String>,
    /// How far it is.
    pub state: HookState,
    /// Since when it is this hook's turn.
    pub since: Timestamp,
    /// When its Job was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When its end was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When waiting for it ends.
    pub until: Timestamp,
    /// What its pod waits for, or how it ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The termination message of its pod, a JSON object or text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub result: String,
    /// Whether that said `"verified": true`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
    /// The command that puts back what it saved, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<String>,
    /// The last lines of its pod's log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
}

/// What a termination message means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The text, cut.
    pub(crate) result: String,
    /// Whether it says that it was verified.
    pub(crate) verified: bool,
    /// The restore command.
    pub(crate) restore: Option<String>,
}

impl Said {
    /// Read from the whole message: what is cut afterwards is no JSON any more.
    pub(crate) fn of(message: &str) -> Self {
        let object: Map<String, Value> = serde_json::from_str(message.trim()).unwrap_or_default();
        let restore = object.get("restore").and_then(Value::as_str);
        Self {
            result: cut(message.trim(), RESULT_LIMIT),
            verified: object.get("verified") == Some(&Value::Bool(true)),
            restore: restore
                .filter(|r| !r.is_empty() && r.len() <= RESTORE_LIMIT)
                .map(|r| cut(r, RESTORE_LIMIT)),
        }
    }
}

impl HookRun {
    /// Whether nothing more is expected of it.
    pub fn ended(&self) -> bool {
        match self.state {
            HookState::Succeeded | HookState::Failed | HookState::NeverStarted => true,
            HookState::Wanted | HookState::Starting | HookState::Running => false,
        }
    }

    /// Whether its Job may have done anything.
    pub fn started(&self) -> bool {
        self.started_at.is_some() && self.state != HookState::NeverStarted
    }

    /// Whether it is this run.
    pub fn is(&self, name: &str, when: HookWhen) -> bool {
        self.when == when && self.name == name
    }

    /// The termination message as a value: an object where it is one, else the text.
    pub fn said(&self) -> Option<Value> {
        if self.result.is_empty() {
            return None;
        }
        let object: Option<Map<String, Value>> = serde_json::from_str(&self.result).ok();
        Some(object.map_or_else(|| Value::from(self.result.clone()), Value::Object))
    }

    /// Takes over the end, and what its pod said.
    pub(crate) fn end(
        &mut self,
        state: HookState,
        message: &str,
        pods: Option<&JobPods>,
        now: Timestamp,
    ) {
        self.state = state;
        self.ended_at = Some(now);
        self.message = cut(message, MESSAGE_LIMIT);
        if let Some(pods) = pods {
            let said = Said::of(&pods.message);
            self.result = said.result;
            self.verified = said.verified;
            self.restore = said.restore;
            self.log = cut(&pods.log, LOG_LIMIT);
        }
    }
}

/// Cuts what was said until all of it has room: logs of what went well first, then the other logs, then
/// the words. Restore commands stay.
pub(crate) fn trim(list: &mut [HookRun]) {
    let full = |list: &[HookRun]| crate::rollout::bytes(list) > HOOKS_BYTES;
    let cuts: [fn(&mut HookRun); 4] = [
        |run| {
            if run.state != HookState::Failed {
                run.log.clear();
            }
        },
        |run| run.log.clear(),
        |run| run.result = cut(&run.result, SHORT_LIMIT),
        |run| run.message = cut(&run.message, SHORT_LIMIT),
    ];
    for shorten in cuts {
        for i in 0..list.len() {
            if !full(list) {
                return;
            }
            if let Some(run) = list.get_mut(i) {
                shorten(run);
            }
        }
    }
}
