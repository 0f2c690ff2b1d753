//! Whether the people who voted are enough, by trying every way of handing out the slots.

use serde_json::Value;

use super::people::{Who, holds, human};

/// A vote.
#[derive(Clone, Debug)]
pub struct Ballot {
    /// Who.
    pub who: Who,
    /// Whether it came by Slack.
    pub chat: bool,
    /// Yes or no.
    pub yes: bool,
    /// What it is for.
    pub subject: String,
    /// When, in seconds.
    pub at: i64,
    /// Whether somebody guards whose name stands in it.
    pub believed: bool,
}

/// What has to come together.
#[derive(Clone, Debug)]
pub(super) struct Needed {
    /// A role for each vote.
    pub(super) slots: Vec<String>,
    /// Votes by chat that may be among them.
    pub(super) chat_at_most: usize,
    /// Human beings whose yes does not count.
    pub(super) barred: Vec<String>,
    /// Whether one human being is one vote. Always so; tests ask what would be if it were not.
    pub(super) distinct: bool,
}

/// A human being who said yes, and the slots that they could fill: without chat, and by it.
struct Voter {
    name: String,
    fills: [Vec<bool>; 2],
}

/// Whether the gate's people have agreed.
pub(super) fn enough(policy: &Value, needed: &Needed, votes: &[&Ballot]) -> bool {
    let mut voters: Vec<Voter> = Vec::new();
    for vote in votes {
        let mut name = human(policy, &vote.who);
        if needed.barred.contains(&name) {
            continue;
        }
        if !needed.distinct {
            name = format!("{name} {}", voters.len());
        }
        let place = voters.iter().position(|voter| voter.name == name);
        let place = place.unwrap_or_else(|| {
            let none = vec![false; needed.slots.len()];
            voters.push(Voter {
                name,
                fills: [none.clone(), none],
            });
            voters.len() - 1
        });
        for (slot, role) in needed.slots.iter().enumerate() {
            voters[place].fills[usize::from(vote.chat)][slot] |= holds(policy, &vote.who, role);
        }
    }
    let voters: Vec<&Voter> = voters.iter().collect();
    seated(0, needed.slots.len(), needed.chat_at_most, &voters)
}

/// Tries everybody for the first free slot, and the others for the rest.
fn seated(slot: usize, slots: usize, chat: usize, voters: &[&Voter]) -> bool {
    if slot == slots {
        return true;
    }
    if voters.len() < slots - slot {
        return false;
    }
    voters.iter().enumerate().any(|(place, voter)| {
        let [plainly, by_chat] = [0, 1].map(|way| voter.fills[way][slot]);
        if !plainly && !by_chat {
            return false;
        }
        let mut others = voters.to_vec();
        others.remove(place);
        (plainly && seated(slot + 1, slots, chat, &others))
            || (by_chat && chat > 0 && seated(slot + 1, slots, chat - 1, &others))
    })
}
