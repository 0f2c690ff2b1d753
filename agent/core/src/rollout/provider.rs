//! Asking approval providers: plugins that show a request to people elsewhere, such as in a chat.
//!
//! Beside the loop, like messages to notifiers: nothing here opens, closes or holds a gate
//! (requirement G18). The journal says what each provider was asked and the ticket that it answered,
//! so that a restart loses nothing; what is to be asked follows from that and from what people would
//! see now. A lost answer is asked for again under the same idempotency key.
//!
//! A decision that only a provider vouches for is kept in the journal, and the shell makes an
//! Approval object of it ([`provider_votes`]): it is counted, shown and recorded like every other
//! vote, and counts only for roles that the policy gives to that plugin (`via`).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::effect::CallId;
use super::facts::{AskedShown, Facts, FactsState};
use super::journal::{Journal, clip_short};
use super::notification::release;
use super::observation::RolloutView;
use super::state::State;
use crate::approval::Decision;
use crate::pipeline::PluginUse;
use crate::plugin::{APPROVAL_REQUEST, Invocation, PluginCall, Targets};
use crate::policy::{EnvironmentPolicy, EnvironmentVerdict, Policy};

mod absorb;

pub(super) use absorb::answered;

/// What one provider was asked about one approval hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Index into the Rollout's `approvals` list.
    pub provider: u32,
    /// The approval hash.
    pub hash: String,
    /// What the provider answered last, for its own use. None: it has nothing open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Version of the facts that it was told last.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub told: String,
    /// What it decided: counts once, and where the policy gives a role to this plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<ProviderDecision>,
    /// Whether it gave up on the request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
    /// Whether it decided in vain: too late, or about something else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_vain: bool,
    /// Why it gave no answer the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A decision that only a provider vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderDecision {
    /// Yes or no.
    pub decision: Decision,
    /// Who, and in what words, as the provider says. Shown, not believed.
    pub said: String,
    /// When the answer came.
    pub at: Timestamp,
}

/// What a provider is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Errand {
    /// To show the request.
    Ask,
    /// To show it as it is now.
    Update,
    /// To say whether somebody decided.
    Look,
    /// To take it back.
    Withdraw,
}

impl Errand {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Update => "update",
            Self::Look => "look",
            Self::Withdraw => "withdraw",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Ask, Self::Update, Self::Look, Self::Withdraw]
            .into_iter()
            .find(|errand| errand.as_str() == text)
    }
}

/// One question to one provider.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderQuestion {
    /// Its identity: the answer comes back with it as [`super::Fact::Answered`].
    pub call: CallId,
    /// Questions of one line are put one after the other: a ticket must not be overtaken.
    pub line: String,
    /// What for: says how soon and how often.
    pub errand: Errand,
    /// The question.
    pub question: PluginCall,
}

/// The key of a question within its Rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    errand: Errand,
    provider: u32,
    hash: String,
    told: String,
}

/// Keys of questions to providers begin so.
const PREFIX: &str = "provider";

impl Key {
    fn text(&self) -> String {
        let (errand, provider) = (self.errand.as_str(), self.provider);
        format!("{PREFIX}-{errand}-{provider}-{}-{}", self.hash, self.told)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        if parts.next() != Some(PREFIX) {
            return None;
        }
        let key = Self {
            errand: Errand::parse(parts.next()?)?,
            provider: parts.next()?.parse().ok()?,
            hash: parts.next()?.to_owned(),
            told: parts.next()?.to_owned(),
        };
        parts.next().is_none().then_some(key)
    }
}

/// What is to be asked now. `facts` are those of this moment.
pub fn provider_questions(
    view: &RolloutView,
    journal: &Journal,
    facts: &Facts,
    now: Timestamp,
) -> Vec<ProviderQuestion> {
    let mut out = Vec::new();
    let open = open_hash(view, journal);
    if let Some(hash) = open.filter(|_| facts.hash.as_deref() == open) {
        for provider in (0_u32..).take(view.spec.approvals.len()) {
            let entry = journal
                .asked
                .iter()
                .find(|a| a.provider == provider && a.hash == hash);
            out.extend(next(view, journal, facts, provider, hash, entry, now));
        }
    }
    for entry in journal
        .asked
        .iter()
        .filter(|a| Some(a.hash.as_str()) != open)
    {
        let Some(ticket) = &entry.ticket else {
            continue;
        };
        let current = facts.hash.as_deref() == Some(entry.hash.as_str());
        let told = if current {
            facts.clone()
        } else {
            facts.superseded(&entry.hash)
        };
        let key = Key {
            errand: Errand::Withdraw,
            provider: entry.provider,
            hash: entry.hash.clone(),
            told: String::new(),
        };
        let Some(used) = using(view, entry.provider) else {
            continue;
        };
        let question = PluginCall::WithdrawApproval {
            plugin: used.plugin.clone(),
            invocation: invocation(view, journal, used, &told, &entry.hash, &key.text()),
            ticket: ticket.clone(),
        };
        out.push(put(view, &key, question));
    }
    out
}

/// What to ask one provider about the open request.
fn next(
    view: &RolloutView,
    journal: &Journal,
    facts: &Facts,
    provider: u32,
    hash: &str,
    entry: Option<&Asked>,
    now: Timestamp,
) -> Option<ProviderQuestion> {
    let used = using(view, provider)?;
    let told = facts.version();
    let key = |errand| Key {
        errand,
        provider,
        hash: hash.to_owned(),
        told: told.clone(),
    };
    // What it once answered it is asked no more, but to bring its message up to date.
    let silent = entry.is_some_and(|a| a.decision.is_some() || a.expired);
    let ticket = entry.and_then(|a| a.ticket.clone());
    let (key, idempotency_key) = match (entry, &ticket) {
        (_, None) if silent || facts.state != FactsState::Open => return None,
        // The same key until it has answered, whatever the facts are by then.
        (_, None) => (key(Errand::Ask), format!("{PREFIX}-ask-{provider}-{hash}")),
        (Some(entry), Some(_)) if entry.told != told => {
            let key = key(Errand::Update);
            let text = key.text();
            (key, text)
        }
        (_, Some(_)) if silent || !facts.needs_votes() => return None,
        (_, Some(_)) => {
            // A provider that keeps answers by their key must not tell yesterday's for ever.
            let minute = now.as_second().div_euclid(60);
            let key = key(Errand::Look);
            let text = format!("{}-{minute}", key.text());
            (key, text)
        }
    };
    let plugin = used.plugin.clone();
    let invocation = invocation(view, journal, used, facts, hash, &idempotency_key);
    let question = match ticket {
        None => PluginCall::AskApproval { plugin, invocation },
        Some(ticket) => PluginCall::PollApproval {
            plugin,
            invocation,
            ticket,
        },
    };
    Some(put(view, &key, question))
}

fn put(view: &RolloutView, key: &Key, question: PluginCall) -> ProviderQuestion {
    let line = match key.errand {
        Errand::Ask | Errand::Update | Errand::Look => format!("{PREFIX}-{}", key.provider),
        Errand::Withdraw => key.text(),
    };
    ProviderQuestion {
        call: CallId(format!("{}/{}", view.uid, key.text())),
        line,
        errand: key.errand,
        question,
    }
}

/// What the web door needs to hand a verified callback to a plugin: the context and the ticket of
/// each use of it that has something open, the current request first. The plugin answers
/// [`crate::plugin::PluginAnswer::ApprovalCallback`], with none where the callback is not about it.
pub fn provider_calls(
    view: &RolloutView,
    journal: &Journal,
    facts: &Facts,
    plugin: &str,
) -> Vec<(Invocation, String)> {
    let open = open_hash(view, journal);
    let mut entries: Vec<&Asked> = journal.asked.iter().collect();
    entries.sort_by_key(|a| Some(a.hash.as_str()) != open);
    entries
        .into_iter()
        .filter_map(|entry| {
            let used = using(view, entry.provider).filter(|used| used.plugin == plugin)?;
            let told = if facts.hash.as_deref() == Some(entry.hash.as_str()) {
                facts.clone()
            } else {
                facts.superseded(&entry.hash)
            };
            let key = format!("{PREFIX}-callback-{}-{}", entry.provider, entry.hash);
            let context = invocation(view, journal, used, &told, &entry.hash, &key);
            Some((context, entry.ticket.clone()?))
        })
        .collect()
}

/// A vote that the shell records for a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderVote {
    /// The plugin: the voter's name.
    pub plugin: String,
    /// The approval hash.
    pub hash: String,
    /// Yes or no.
    pub decision: Decision,
    /// Who said what to the provider.
    pub said: String,
}

/// What providers decided about the open request, as far as the policy gives them a role in it.
pub fn provider_votes(view: &RolloutView, journal: &Journal, policy: &Policy) -> Vec<ProviderVote> {
    let (Some(hash), Some(rules)) = (open_hash(view, journal), rules(view, policy)) else {
        return Vec::new();
    };
    let rules = rules.for_rollout(&view.spec);
    let entries = journal.asked.iter().filter(|a| a.hash == hash);
    entries
        .filter_map(|entry| {
            let used = using(view, entry.provider)?;
            let decided = entry.decision.as_ref()?;
            role_of(&used.plugin, &rules, policy)?;
            Some(ProviderVote {
                plugin: used.plugin.clone(),
                hash: hash.to_owned(),
                decision: decided.decision,
                said: decided.said.clone(),
            })
        })
        .collect()
}

/// A required role that the policy gives to this plugin.
fn role_of<'a>(plugin: &str, rules: &'a EnvironmentPolicy, policy: &Policy) -> Option<&'a str> {
    rules.approver_roles().find(|role| {
        let role = policy.roles.get(*role);
        role.is_some_and(|role| role.via.as_deref() == Some(plugin))
    })
}

fn rules<'a>(view: &RolloutView, policy: &'a Policy) -> Option<&'a EnvironmentPolicy> {
    let spec = &view.spec;
    match policy.environment(&spec.environment, &spec.target.namespace) {
        EnvironmentVerdict::Open(rules) => Some(rules),
        EnvironmentVerdict::Closed(_) => None,
    }
}

/// The hash that is open for votes now.
fn open_hash<'a>(view: &RolloutView, journal: &'a Journal) -> Option<&'a str> {
    let before = match &journal.state {
        State::Queued | State::Planning { .. } | State::AwaitingApproval => true,
        State::Preparing(_)
        | State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_)
        | State::Finishing(_)
        | State::RollingBack(_)
        | State::Recording(_)
        | State::Ended(_) => false,
    };
    let asks = before && !view.spec.dry_run && view.spec.returns_to.is_none();
    let request = journal.approval.as_ref().filter(|_| asks)?;
    Some(&request.hash)
}

fn using(view: &RolloutView, provider: u32) -> Option<&PluginUse> {
    view.spec.approvals.get(usize::try_from(provider).ok()?)
}

fn invocation(
    view: &RolloutView,
    journal: &Journal,
    used: &PluginUse,
    facts: &Facts,
    hash: &str,
    key: &str,
) -> Invocation {
    let spec = &view.spec;
    let mut attributes = vec![
        ("pipeline".to_owned(), spec.pipeline.clone()),
        ("environment".to_owned(), spec.environment.clone()),
        ("tag".to_owned(), spec.image.tag.clone().unwrap_or_default()),
        ("phase".to_owned(), journal.phase.clone()),
        (
            APPROVAL_REQUEST.to_owned(),
            serde_json::to_string(facts).unwrap_or_default(),
        ),
    ];
    attributes.extend(
        facts
            .link
            .iter()
            .map(|link| ("link".to_owned(), link.clone())),
    );
    Invocation {
        release: release(view, journal, hash),
        settings: if used.settings.is_null() {
            serde_json::json!({})
        } else {
            used.settings.clone()
        },
        idempotency_key: format!("{}/{key}", view.uid),
        attributes,
        targets: Targets::default(),
    }
}

/// Where it stands with each provider, for people.
pub(super) fn shown(
    view: &RolloutView,
    journal: &Journal,
    rules: Option<&EnvironmentPolicy>,
    policy: &Policy,
) -> Vec<AskedShown> {
    let open = journal.approval.as_ref().map(|request| &request.hash);
    let providers = (0_u32..).zip(&view.spec.approvals);
    providers
        .map(|(provider, used)| {
            let entry = journal
                .asked
                .iter()
                .find(|a| a.provider == provider && Some(&a.hash) == open);
            AskedShown {
                plugin: used.plugin.clone(),
                text: entry.map_or_else(
                    || "not asked".to_owned(),
                    |entry| words(entry, &used.plugin, rules, policy),
                ),
            }
        })
        .collect()
}

fn words(
    entry: &Asked,
    plugin: &str,
    rules: Option<&EnvironmentPolicy>,
    policy: &Policy,
) -> String {
    let counts = rules.and_then(|rules| role_of(plugin, rules, policy));
    let state = match (&entry.decision, counts) {
        (Some(decided), Some(role)) => format!("decided for {role}: {}", decided.said),
        (Some(decided), None) => format!(
            "says: {}. That counts for nothing: no required role is `via: {plugin}`",
            decided.said
        ),
        (None, _) if entry.expired => "gave up on the request; other doors are open".to_owned(),
        (None, _) if entry.ticket.is_some() => "shows the request".to_owned(),
        (None, _) => "does not show the request yet".to_owned(),
    };
    match &entry.trouble {
        Some(trouble) => format!("{state}; could not be reached: {}", clip_short(trouble)),
        None => state,
    }
}

#[cfg(test)]
mod tests;
