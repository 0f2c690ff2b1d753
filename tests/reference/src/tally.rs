//! What was seen in histories: counts, and whether anything that should happen never did.

use std::collections::BTreeMap;
use std::fmt;

use crate::meaning::Rule;

/// Counts over many histories.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Histories that were played.
    pub histories: usize,
    /// Answers of the product that were held against the reference's.
    pub compared: usize,
    /// Effects on a target for which the reference had to say that the gate is open.
    pub guarded: usize,
    /// Gates that opened.
    pub opened: usize,
    /// How often each rule said no to a candidate.
    pub refused: BTreeMap<Rule, usize>,
    /// How often something else happened that a run must not be without.
    pub marks: BTreeMap<&'static str, usize>,
    /// Histories in which the two disagree, with the seed.
    pub disagreements: Vec<String>,
}

/// What a run must not be without: each gate must have been the one that held, and each vote that does
/// not count must have made the difference.
pub const MARKS: [&str; 38] = [
    "another digest asked for",
    "chat votes",
    "clock put forward or back",
    "died before storing",
    "died between writes",
    "distinct people",
    "edit that does not load",
    "expired",
    "goes on",
    "held: a rule",
    "held: closed",
    "held: stop",
    "held: votes",
    "held: window",
    "namespace with rules of its own",
    "open",
    "opened by a group",
    "opened by a plugin",
    "opened by breaking the glass",
    "opened by chat",
    "opened by sign-in",
    "opened without a canary",
    "policy edited",
    "refused at the gate",
    "rejected",
    "rejected under way",
    "self approval",
    "superseded votes",
    "template changed",
    "votes from later",
    "votes not believed",
    "waits: closed",
    "waits: minimum age",
    "waits: slot",
    "waits: stop",
    "waits: timer",
    "waits: votes",
    "waits: window",
];

impl Tally {
    /// Something happened.
    pub fn mark(&mut self, what: &'static str) {
        *self.marks.entry(what).or_default() += 1;
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.compared += other.compared;
        self.guarded += other.guarded;
        self.opened += other.opened;
        self.disagreements.extend(other.disagreements);
        for (rule, n) in other.refused {
            *self.refused.entry(rule).or_default() += n;
        }
        for (mark, n) in other.marks {
            *self.marks.entry(mark).or_default() += n;
        }
    }

    /// What never happened, though it must.
    pub fn never(&self) -> Vec<String> {
        let rules = Rule::ALL
            .iter()
            .filter(|rule| !self.refused.contains_key(rule));
        let marks = MARKS.iter().filter(|mark| !self.marks.contains_key(*mark));
        rules
            .map(|rule| format!("{rule:?}"))
            .chain(marks.map(|mark| (*mark).to_owned()))
            .collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused: Vec<_> = self
            .refused
            .iter()
            .map(|(rule, n)| format!("{rule:?} {n}"))
            .collect();
        let marks: Vec<_> = self
            .marks
            .iter()
            .map(|(mark, n)| format!("{mark} {n}"))
            .collect();
        write!(
            f,
            "{} histories, {} decisions compared, {} writes guarded, {} gates opened, {} disagreements\n  \
             refused by: {}\n  seen: {}",
            self.histories,
            self.compared,
            self.guarded,
            self.opened,
            self.disagreements.len(),
            refused.join(", "),
            marks.join(", ")
        )
    }
}
