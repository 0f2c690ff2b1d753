//! Folding a provider's answer into the journal. Nothing that a provider answers opens a gate: the
//! most that comes of it is a decision, bound to the hash that is open.

use jiff::Timestamp;

use super::{Asked, Errand, Key, ProviderDecision, open_hash, using};
use crate::approval::Decision;
use crate::plugin::{ApprovalDecision, ApprovalStatus, PluginAnswer};
use crate::rollout::journal::{bytes, clip_short, cut};
use crate::rollout::{Journal, RolloutView};

/// Longest ticket, in bytes (plugins.md section 1).
const TICKET_LIMIT: usize = 4 * 1024;
/// Bytes of JSON that everything about providers may take: two of the largest tickets, or four
/// providers with a kilobyte each for this request and the one before it.
const ASKED_BYTES: usize = 10 * 1024;
/// Longest words of a decision, in bytes.
const SAID_LIMIT: usize = 250;

/// Folds in the answer to the question of this key. False: it is none of ours.
pub(in crate::rollout) fn answered(
    view: &RolloutView,
    journal: &mut Journal,
    key: &str,
    answer: &PluginAnswer,
    now: Timestamp,
) -> bool {
    let Some(key) = Key::parse(key) else {
        return false;
    };
    let Some(plugin) = using(view, key.provider).map(|used| used.plugin.clone()) else {
        return true;
    };
    match key.errand {
        Errand::Withdraw => withdrawn(journal, &key, &plugin, answer, now),
        Errand::Ask | Errand::Update | Errand::Look => {
            let open = open_hash(view, journal) == Some(key.hash.as_str());
            status(journal, &key, &plugin, answer, open, now);
        }
    }
    true
}

fn withdrawn(
    journal: &mut Journal,
    key: &Key,
    plugin: &str,
    answer: &PluginAnswer,
    now: Timestamp,
) {
    let before = journal.asked.len();
    journal.asked.retain(|a| !key.is_of(a));
    if journal.asked.len() < before && !matches!(answer, PluginAnswer::Withdrawn) {
        let text = format!(
            "{plugin} still shows a request that is closed: {}",
            clip_short(&answer.no_answer())
        );
        journal.note(now, "not-withdrawn", &text);
    }
}

fn status(
    journal: &mut Journal,
    key: &Key,
    plugin: &str,
    answer: &PluginAnswer,
    open: bool,
    now: Timestamp,
) {
    let known = journal.asked.iter().find(|a| key.is_of(a)).cloned();
    // To a question about a request that was taken back since: late.
    if known.is_none() && key.errand != Errand::Ask {
        return;
    }
    let mut entry = known.unwrap_or_else(|| Asked {
        provider: key.provider,
        hash: key.hash.clone(),
        ticket: None,
        told: String::new(),
        decision: None,
        expired: false,
        in_vain: false,
        trouble: None,
    });
    let mut notes = Vec::new();
    match answer {
        PluginAnswer::Approval(ApprovalStatus::Pending(ticket)) => {
            entry.trouble = None;
            if entry.ticket.is_none() {
                notes.push(("approval-asked", format!("{plugin} shows the request")));
            }
            if ticket.len() > TICKET_LIMIT {
                entry.trouble = Some(too_long(ticket.len()));
            } else {
                entry.ticket = Some(ticket.clone());
                entry.told.clone_from(&key.told);
            }
        }
        PluginAnswer::Approval(ApprovalStatus::Decided(decided)) => {
            entry.trouble = None;
            entry.told.clone_from(&key.told);
            decide(&mut entry, plugin, decided, open, now, &mut notes);
        }
        PluginAnswer::Approval(ApprovalStatus::Expired) => {
            entry.trouble = None;
            entry.told.clone_from(&key.told);
            if !entry.expired {
                entry.expired = true;
                notes.push((
                    "provider-expired",
                    format!("{plugin} gave up on the request"),
                ));
            }
        }
        other => entry.trouble = Some(clip_short(&other.no_answer())),
    }
    keep(journal, entry, &mut notes);
    for (kind, text) in notes {
        journal.note(now, kind, &text);
    }
}

/// A decision counts once, and only for the very request that is open.
fn decide(
    entry: &mut Asked,
    plugin: &str,
    decided: &ApprovalDecision,
    open: bool,
    now: Timestamp,
    notes: &mut Vec<(&'static str, String)>,
) {
    let verb = if decided.approved { "yes" } else { "no" };
    let who = match decided.approver.trim() {
        "" => "somebody",
        name => name,
    };
    let said = cut(
        &format!("{who} says {verb}: {}", decided.reason),
        SAID_LIMIT,
    );
    let about_this = decided.subject_digest == entry.hash;
    if open && about_this {
        if entry.decision.is_none() {
            notes.push(("provider-decided", format!("{plugin}: {said}")));
            entry.decision = Some(ProviderDecision {
                decision: if decided.approved {
                    Decision::Approve
                } else {
                    Decision::Reject
                },
                said,
                at: now,
            });
        }
    } else if !entry.in_vain {
        entry.in_vain = true;
        let why = if about_this {
            "it is closed"
        } else {
            "it is about something else than what is asked"
        };
        notes.push((
            "decision-dropped",
            format!("{plugin}: {said}; dropped: {why}"),
        ));
    }
}

/// Puts the entry into the journal, within its room. What is closed already falls out first.
fn keep(journal: &mut Journal, mut entry: Asked, notes: &mut Vec<(&'static str, String)>) {
    let current = journal
        .approval
        .as_ref()
        .map(|request| request.hash.clone());
    let is_current = |a: &Asked| Some(&a.hash) == current.as_ref();
    let (provider, hash) = (entry.provider, entry.hash.clone());
    let same = |a: &Asked| a.provider == provider && a.hash == hash;
    // In its place: the same answer again must not change the journal.
    match journal.asked.iter_mut().find(|a| same(a)) {
        Some(place) => *place = entry.clone(),
        None => journal.asked.push(entry.clone()),
    }
    // Of an older request only a ticket is worth keeping: it is to be taken back.
    journal
        .asked
        .retain(|a| is_current(a) || a.ticket.is_some());
    while bytes(&journal.asked) > ASKED_BYTES {
        let older = journal.asked.iter().position(|a| !is_current(a));
        if let Some(older) = older {
            journal.asked.remove(older);
            let text = "no room for the ticket of an older request: its message stays as it is";
            notes.push(("not-withdrawn", text.to_owned()));
            continue;
        }
        let Some(bytes) = entry.ticket.take().map(|ticket| ticket.len()) else {
            journal.asked.retain(|a| !same(a));
            return;
        };
        entry.trouble = Some(too_long(bytes));
        if let Some(place) = journal.asked.iter_mut().find(|a| same(a)) {
            *place = entry.clone();
        }
    }
}

impl Key {
    fn is_of(&self, entry: &Asked) -> bool {
        entry.provider == self.provider && entry.hash == self.hash
    }
}

fn too_long(bytes: usize) -> String {
    format!(
        "its ticket of {bytes} bytes finds no room in the journal: the plugin should shorten it"
    )
}
