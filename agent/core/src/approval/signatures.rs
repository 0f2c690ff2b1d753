//! The people who agreed, and how many of them came by chat.
//!
//! Chat is vouched for by one shared secret, so only so many of its votes count (reliability.md A12).
//! What somebody also said by another door is no chat vote. First come those other doors, then chat
//! as far as it counts. That fills as many slots as can be filled: augmenting paths never take a
//! slot from a person without giving another, so whoever came first stays.

use super::matching::Matching;

/// Who agreed so far.
pub(super) struct Signatures {
    slots: Vec<usize>,
    chat_at_most: usize,
    /// In the order in which they came.
    people: Vec<Signer>,
}

struct Signer {
    key: String,
    /// Roles that they hold by a vote through another door than chat.
    direct: Vec<usize>,
    /// Roles that they hold by a vote through chat.
    by_chat: Vec<usize>,
}

impl Signatures {
    /// One slot for each entry; the entry is its role.
    pub(super) fn new(slots: Vec<usize>, chat_at_most: u32) -> Self {
        Self {
            slots,
            chat_at_most: usize::try_from(chat_at_most).unwrap_or(usize::MAX),
            people: Vec::new(),
        }
    }

    /// Adds a person, roles to a person, or a better door. Whether that is news.
    pub(super) fn add(&mut self, key: &str, roles: &[usize], by_chat: bool) -> bool {
        let index = match self.people.iter().position(|signer| signer.key == key) {
            Some(index) => index,
            None => {
                self.people.push(Signer {
                    key: key.to_owned(),
                    direct: Vec::new(),
                    by_chat: Vec::new(),
                });
                self.people.len() - 1
            }
        };
        let Some(signer) = self.people.get_mut(index) else {
            return false;
        };
        let mut news = false;
        for role in roles {
            if signer.direct.contains(role) || (by_chat && signer.by_chat.contains(role)) {
                continue;
            }
            news = true;
            if by_chat {
                signer.by_chat.push(*role);
            } else {
                signer.direct.push(*role);
            }
        }
        news
    }

    /// Who fills which slot.
    pub(super) fn assignment(&self) -> Matching {
        let mut out = Matching::new(self.slots.clone());
        for signer in self.people.iter().filter(|s| !s.direct.is_empty()) {
            out.add(&signer.key, signer.direct.iter().copied());
        }
        let mut room = self.chat_at_most;
        for signer in self.people.iter().filter(|s| !s.by_chat.is_empty()) {
            let mut with = out.clone();
            with.add(&signer.key, signer.by_chat.iter().copied());
            let more = out.missing().len() - with.missing().len();
            // One person's further role can make room for somebody else's: then it takes two.
            if more <= room {
                room -= more;
                out = with;
            }
        }
        out
    }

    /// Whether this person agreed by chat alone.
    pub(super) fn by_chat_alone(&self, key: &str) -> bool {
        let mut people = self.people.iter();
        people.any(|signer| signer.key == key && signer.direct.is_empty())
    }
}
