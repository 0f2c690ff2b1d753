//! Counting votes: whether the people whom the policy names have agreed.
//!
//! Every slot of every required role is filled by a distinct person (reliability.md A7), nobody
//! approves what they asked for (A9), a vote counts only for the very hash that its voter saw (A2),
//! and one rejection by a holder of a required role ends it (A10). The same votes give the same
//! tally in whatever order they are read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::{EnvironmentPolicy, Identity, Policy};

pub(crate) mod matching;
mod signatures;

use signatures::Signatures;

/// The door that a vote came through.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Channel {
    /// An Approval object made with the voter's own credentials, by `kubectl`, `sluice` or any
    /// other client.
    #[default]
    Kubernetes,
    /// The web page or its API.
    Web,
    /// Slack.
    Slack,
    /// A hook for machines. Wishes only: a vote that claims to come this way counts for nothing.
    Webhook,
    /// An approval-provider plugin that nobody but itself vouches for.
    Plugin,
}

/// Yes or no.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

/// One vote, as its Approval object holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Vote {
    /// Identifies the vote: the uid of its object.
    pub id: String,
    /// Who votes, with the groups at that moment.
    pub approver: Identity,
    /// Through which door.
    pub channel: Channel,
    /// Yes or no.
    pub decision: Decision,
    /// The approval hash that the voter saw.
    pub hash: String,
    /// When the API server took it.
    pub at: Timestamp,
    /// In the voter's words.
    pub reason: String,
    /// Whether the API server was seen to pin such votes to their voters (A4). One that is not
    /// believed counts for nothing, whichever way it goes.
    pub believed: bool,
}

/// One slot that is filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Filled {
    /// The role.
    pub role: String,
    /// Who fills it.
    pub person: String,
    /// When they voted.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// Who ended it, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The person.
    pub person: String,
    /// A required role that they hold.
    pub role: String,
    /// In their words.
    pub reason: String,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// A vote that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ignored {
    /// The vote.
    pub vote: String,
    /// Its voter.
    pub person: String,
    /// Why not.
    pub why: IgnoredWhy,
}

/// Why a vote does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum IgnoredWhy {
    /// Nobody guards whose name stands in it.
    Unguarded,
    /// It names another hash: something changed after the voter looked.
    Superseded,
    /// The voter holds none of the required roles, or not any more.
    NoRole,
    /// The voter asked for the rollout.
    SelfApproval,
    /// The same person said the same before.
    Duplicate,
    /// Its time has not come by the agent's clock.
    NotYet,
    /// The voter's roles are filled by others.
    NotNeeded,
    /// As many votes by chat count already as the policy lets count (A12).
    TooManyByChat,
}

impl std::fmt::Display for IgnoredWhy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unguarded => {
                "the API server does not guard whose name stands in a vote: are the chart's admission \
                 policies in force?"
            }
            Self::Superseded => "superseded: what was to be approved has changed since",
            Self::NoRole => "the voter holds none of the required roles",
            Self::SelfApproval => "the voter asked for this rollout",
            Self::Duplicate => "the same person has voted so before",
            Self::NotYet => "the vote is dated later than now",
            Self::NotNeeded => "the voter's roles are filled by others",
            Self::TooManyByChat => {
                "the policy lets no more votes by chat count: vote on the web page or with sluice approve"
            }
        })
    }
}

/// The result of counting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// The instant of the vote that completed the set. A wait timer counts from here. None while
    /// votes are missing, and where none are required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub opened_at: Option<Timestamp>,
    /// The slots that are filled, in the order of the policy.
    #[serde(default)]
    pub filled: Vec<Filled>,
    /// A role for each slot that is not, in the order of the policy.
    #[serde(default)]
    pub missing: Vec<String>,
    /// The first rejection by a holder of a required role. It ends the request even when the set
    /// was complete before, as long as nothing has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_by: Option<Rejection>,
    /// Votes that do not count, in the order of time.
    #[serde(default)]
    pub ignored: Vec<Ignored>,
}

impl Tally {
    /// Whether nothing is missing and nobody said no.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.rejected_by.is_none()
    }
}

/// Counts the votes for one approval hash.
///
/// `requesters` is everybody behind the request: who called, who signed, who wrote the trigger.
/// Roles are read from the policy of this moment, groups from the vote (reliability.md A8).
pub fn count_votes(
    environment: &EnvironmentPolicy,
    policy: &Policy,
    requesters: &[Identity],
    votes: &[Vote],
    hash: &str,
    now: Timestamp,
) -> Tally {
    let require = &environment.approvals.require;
    let slots = require
        .iter()
        .enumerate()
        .flat_map(|(index, required)| std::iter::repeat_n(index, required.count as usize));
    let chat_votes = environment.approvals.chat_votes();
    let mut signatures = Signatures::new(slots.collect(), chat_votes);
    let askers: Vec<_> = requesters
        .iter()
        .map(|identity| policy.person(identity))
        .collect();
    let mut sorted: Vec<&Vote> = votes.iter().collect();
    sorted.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));

    let mut tally = Tally::default();
    // By person: the shown name and the first vote.
    let mut approved: BTreeMap<String, (String, &Vote)> = BTreeMap::new();
    let mut ignored: Vec<(&Vote, Ignored)> = Vec::new();
    let mut rejected: Vec<String> = Vec::new();
    for vote in sorted {
        let person = policy.person(&vote.approver);
        let roles: Vec<usize> = require
            .iter()
            .enumerate()
            .filter(|(_, required)| policy.holds(&vote.approver, &required.role))
            .map(|(index, _)| index)
            .collect();
        let refused = if !vote.believed || vote.channel == Channel::Webhook {
            Some(IgnoredWhy::Unguarded)
        } else if vote.hash != hash {
            Some(IgnoredWhy::Superseded)
        } else if vote.at > now {
            Some(IgnoredWhy::NotYet)
        } else if roles.is_empty() {
            Some(IgnoredWhy::NoRole)
        } else {
            match vote.decision {
                // Whoever asked may still say no: it is the safe direction.
                Decision::Reject if rejected.iter().any(|key| key == person.key()) => {
                    Some(IgnoredWhy::Duplicate)
                }
                Decision::Reject => {
                    rejected.push(person.key().to_owned());
                    if tally.rejected_by.is_none() {
                        let role = roles.first().and_then(|index| require.get(*index));
                        tally.rejected_by = Some(Rejection {
                            person: person.name.clone(),
                            role: role.map(|r| r.role.clone()).unwrap_or_default(),
                            reason: vote.reason.clone(),
                            at: vote.at,
                        });
                    }
                    None
                }
                Decision::Approve
                    if !environment.approvals.self_approval
                        && askers.iter().any(|asker| asker.is(&person)) =>
                {
                    Some(IgnoredWhy::SelfApproval)
                }
                Decision::Approve if tally.opened_at.is_some() => {
                    let known = approved.contains_key(person.key());
                    Some(if known {
                        IgnoredWhy::Duplicate
                    } else {
                        IgnoredWhy::NotNeeded
                    })
                }
                Decision::Approve => {
                    let by_chat = vote.channel == Channel::Slack;
                    let grown = signatures.add(person.key(), &roles, by_chat);
                    let first = !approved.contains_key(person.key());
                    if first {
                        approved.insert(person.key().to_owned(), (person.name.clone(), vote));
                    }
                    if grown && signatures.assignment().missing().is_empty() {
                        tally.opened_at = Some(vote.at);
                    }
                    // A second vote counts only where it brought a role that the first had not.
                    (!first && !grown).then_some(IgnoredWhy::Duplicate)
                }
            }
        };
        if let Some(why) = refused {
            ignored.push((
                vote,
                Ignored {
                    vote: vote.id.clone(),
                    person: person.name,
                    why,
                },
            ));
        }
    }
    let role = |index: usize| {
        require
            .get(index)
            .map(|r| r.role.clone())
            .unwrap_or_default()
    };
    let assignment = signatures.assignment();
    for (index, key) in assignment.filled() {
        if let Some((person, vote)) = approved.remove(key) {
            tally.filled.push(Filled {
                role: role(index),
                person,
                at: vote.at,
            });
        }
    }
    tally.missing = assignment.missing().into_iter().map(role).collect();
    // Whoever approved and fills no slot.
    for (key, (person, vote)) in approved {
        let why = if signatures.by_chat_alone(&key) && !tally.missing.is_empty() {
            IgnoredWhy::TooManyByChat
        } else {
            IgnoredWhy::NotNeeded
        };
        ignored.push((
            vote,
            Ignored {
                vote: vote.id.clone(),
                person,
                why,
            },
        ));
    }
    ignored.sort_by(|(a, _), (b, _)| (a.at, &a.id).cmp(&(b.at, &b.id)));
    tally.ignored = ignored.into_iter().map(|(_, entry)| entry).collect();
    tally
}

#[cfg(test)]
mod tests;
